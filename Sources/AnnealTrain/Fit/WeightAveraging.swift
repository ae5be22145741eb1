import AnnealCompiler
import AnnealCore
import AnnealGraph
import Foundation

/// A second set of weights that follows those the optimizer moves.
public enum WeightAveraging: Sendable, Equatable {
    /// Lookahead (Zhang et al. 2019, arXiv:1907.08610): after every `every` updates the slow weights go a part of the way
    /// to the fast ones, which then go on from there: slow += alpha * (fast - slow), fast = slow. After the run's last
    /// epoch fast = slow, whatever its last update's number; a run that stops early keeps what was validated.
    case lookahead(every: Int, alpha: LookaheadAlpha)
    /// An exponential moving average (Polyak and Juditsky 1992; as in Tan and Le 2019, arXiv:1905.11946): after update t
    /// average = d * average + (1 - d) * weight, where d is the smaller of `decay` and (1 + t) / (10 + t), so that the first
    /// values are soon forgotten. It is the average that is validated and saved.
    case movingAverage(decay: Double)

    /// Whether the average is what is validated and saved.
    var replacesWeights: Bool {
        switch self {
        case .lookahead: false
        case .movingAverage: true
        }
    }
}

/// The part of the way from the slow weights to the fast ones.
public enum LookaheadAlpha: Sendable, Equatable {
    case constant(Double)
    /// 1 - 0.95^5 * (t/T)³ after update t of T: nearly all of the way at first, a fifth at the end, as in airbench (Jordan
    /// 2024, arXiv:2404.00498).
    case cubic

    /// - Parameter progress: the part of the run's updates that is done.
    func value(progress: Double) -> Double {
        switch self {
        case .constant(let alpha): alpha
        case .cubic: 1 - pow(0.95, 5) * pow(progress, 3)
        }
    }
}

/// The weights and moving statistics of a network beside those of its store, in the same layouts.
///
/// Owns its memory. Each operation is one parallel pass, element by element, so that the bits do not depend on the number
/// of threads; nothing is allocated.
package final class AveragedWeights {
    private let method: WeightAveraging
    private let parameters: ParameterStore
    private let names: [String]
    private let pairs: [Pair]
    private var hasBegun = false

    /// - Parameter except: values that never change.
    init(_ method: WeightAveraging, _ parameters: ParameterStore, except: Set<String>) throws {
        self.method = method
        self.parameters = parameters
        let entries = parameters.entries.filter { !except.contains($0.name) }
        names = entries.map(\.name)
        pairs = try entries.map { entry in
            let average = try allocateFloats(entry.elements, for: "averaged weights")
            return Pair(weight: entry.memory, average: average, count: entry.elements)
        }
    }

    deinit { for pair in pairs { free(pair.average) } }

    /// The average begins with the weights as they are when this is first called.
    package func begin() {
        guard !hasBegun else { return }
        hasBegun = true
        run { weight, average, range in for i in range { average[i] = weight[i] } }
    }

    /// Follows update number `update`, counted from 1, of a run of `last`.
    package func follow(update: Int, last: Int?) {
        switch method {
        case .lookahead(let interval, let alpha):
            if update % interval == 0 {
                lookAhead(Float(alpha.value(progress: last.map { Double(update) / Double($0) } ?? 0)))
            }
        case .movingAverage(let decay):
            let rest = Float(1 - min(decay, Double(1 + update) / Double(10 + update)))
            run { weight, average, range in
                for i in range { average[i] += rest * (weight[i] - average[i]) }
            }
        }
    }

    /// Follows no more: lookahead's fast weights become the slow ones.
    package func end() {
        if case .lookahead = method, hasBegun { lookAhead(0) }
    }

    /// slow += alpha * (fast - slow), fast = slow.
    private func lookAhead(_ alpha: Float) {
        run { fast, slow, range in
            for i in range {
                slow[i] += alpha * (fast[i] - slow[i])
                fast[i] = slow[i]
            }
        }
    }

    /// Runs `body` with the averages in the store, where they are what is validated and saved.
    func replacingWeights<Result>(_ body: () throws -> Result) rethrows -> Result {
        guard method.replacesWeights else { return try body() }
        begin()
        exchange()
        defer { exchange() }
        return try body()
    }

    /// Puts the averages in the store and what is there in their place.
    private func exchange() {
        run { weight, average, range in
            for i in range { (weight[i], average[i]) = (average[i], weight[i]) }
        }
        parameters.noteChange()
    }

    /// Calls `body` with (weights, averages, elements) for each thread's share of every pair.
    private func run(_ body: @Sendable (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, Range<Int>) -> Void) {
        let pairs = pairs
        Parallel.run { part, parts in
            for pair in pairs {
                body(pair.weight, pair.average, Parallel.slice(pair.count, part: part, parts: parts))
            }
        }
    }
}

/// What a run's state holds of it. A state is saved within `replacingWeights`: its parameters are those of the checkpoint,
/// and the trained ones stand here.
extension AveragedWeights: StateHolder {
    package var stateName: String {
        switch method {
        case .lookahead: "lookahead"
        case .movingAverage: "ema"
        }
    }

    /// Copies in plain layout: another processor may block its channels otherwise.
    package func stateArrays() throws -> [StoredArray] {
        begin()
        return try zip(names, pairs).map { name, pair in
            let values = UnsafeBufferPointer(start: pair.average, count: pair.count)
            return StoredArray(name: name, try parameters.plain(values, of: name))
        }
    }

    /// Goes back to what `stateArrays` gave; the store must have its values back before.
    /// - Throws: with nothing changed, if an array is missing or of another shape.
    package func restore(_ arrays: [StoredArray]) throws {
        let stored = Dictionary(arrays.map { ($0.name, $0) }) { $1 }
        let values = try names.map { name in
            guard let array = stored[name] else {
                throw AnnealError("average of \(name)", "is not in the state", code: .mismatch)
            }
            return try parameters.packed(array.tensor(), of: name)
        }
        for (pair, values) in zip(pairs, values) { pair.average.update(from: values, count: pair.count) }
        hasBegun = true
        if method.replacesWeights { exchange() }
    }
}

/// A parameter or statistic and its average. Threads share it: each writes its own elements.
private struct Pair: @unchecked Sendable {
    let weight: UnsafeMutablePointer<Float>
    let average: UnsafeMutablePointer<Float>
    let count: Int
}
