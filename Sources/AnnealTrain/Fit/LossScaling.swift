import AnnealCompiler
import AnnealCore

/// What gradients of the mean loss are multiplied by in float16, on their way through the network, so that small ones are not
/// lost. The gradients of parameters are divided by it again, which changes no digit of them: it is a power of two.
///
/// Micikevicius et al. 2018, "Mixed precision training" (arXiv:1710.03740), section 3.2.
public enum LossScaling: Sendable, Equatable {
    case constant(Int)
    /// As large as gradients allow: a step in which one is not finite is dropped and halves the scale; after 2000 steps
    /// without, the scale is doubled.
    case dynamic

    static let largest = 1 << 24
    static let growthInterval = 2000

    /// - Throws: `AnnealError` for a constant that is no power of two from 1 to 2^24.
    package func check() throws {
        guard case .constant(let scale) = self else { return }
        guard (1...Self.largest).contains(scale), scale.nonzeroBitCount == 1 else {
            throw AnnealError(
                "--loss-scale", "is \(scale)",
                suggestion: "give dynamic, or a power of two up to \(Self.largest), e.g. 1024")
        }
    }
}

/// The scale of a run as it is now; a part of the run's state.
struct LossScaler: Codable, Sendable, Equatable {
    private(set) var scale = 1 << 16
    /// Steps since the scale changed.
    private(set) var goodSteps = 0

    /// Whether it is one that a run can have.
    var isPossible: Bool {
        (1...LossScaling.largest).contains(scale) && scale.nonzeroBitCount == 1
            && (0..<LossScaling.growthInterval).contains(goodSteps)
    }

    mutating func noteGoodStep() {
        goodSteps += 1
        guard goodSteps == LossScaling.growthInterval else { return }
        goodSteps = 0
        scale = min(LossScaling.largest, scale * 2)
    }

    /// Halves the scale after a step that it may have broken.
    /// - Returns: false if it did not: what is wrong is not a gradient, or gradients are not scaled any more.
    mutating func lower(for problem: Check.Subject) -> Bool {
        guard case .gradient = problem, scale > 1 else { return false }
        scale /= 2
        goodSteps = 0
        return true
    }
}
