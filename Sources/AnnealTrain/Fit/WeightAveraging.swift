import AnnealCompiler
import AnnealCore
import Foundation

/// A second set of weights that follows the trained ones.
public enum WeightAveraging: Sendable, Equatable {
    /// Lookahead (Zhang et al. 2019, arXiv:1907.08610): after every `every` updates the slow weights move part of the
    /// way to the fast ones, which then continue from there: slow += alpha * (fast - slow), fast = slow. After the
    /// run's last epoch fast = slow, whatever the number of its last update; a run that stops early keeps the validated
    /// weights.
    case lookahead(every: Int, alpha: LookaheadAlpha)
    /// An exponential moving average (Polyak and Juditsky 1992; as in Tan and Le 2019, arXiv:1905.11946): after update
    /// t average = d * average + (1 - d) * weight, where d is the smaller of `decay` and (1 + t) / (10 + t), so that
    /// the first values are soon forgotten. The average is validated and saved.
    case movingAverage(decay: Double)

    /// Whether the average is validated and saved.
    var replacesWeights: Bool { kind == .movingAverage }

    /// The fraction by which a moving average moves at update number `update`, from 1; 0 for lookahead.
    func share(update: Int) -> Float {
        guard case .movingAverage(let decay) = self else { return 0 }
        let update = Double(update)
        return Float(1 - min(decay, (1 + update) / (10 + update)))
    }

    package var kind: TrainingUpdate.Averaging {
        switch self {
        case .lookahead: .lookAhead
        case .movingAverage: .movingAverage
        }
    }
}

/// The fraction of the way from the slow weights to the fast ones.
public enum LookaheadAlpha: Sendable, Equatable {
    case constant(Double)
    /// 1 - 0.95^5 * (t/T)³ after update t of T: nearly all of the way at first, a fifth at the end, as in airbench
    /// (Jordan 2024, arXiv:2404.00498).
    case cubic

    /// - Parameter progress: the fraction of the run's updates that is done.
    func value(progress: Double) -> Double {
        switch self {
        case .constant(let alpha): alpha
        case .cubic: 1 - pow(0.95, 5) * pow(progress, 3)
        }
    }
}
