import AnnealCompiler
import AnnealCore

/// Loss scaling: in float16 the gradients of the mean loss are multiplied by this factor on their way through the
/// network, so that small ones do not underflow. The gradients of parameters are divided by it again, which is exact,
/// since it is a power of two.
///
/// Micikevicius et al. 2018, "Mixed precision training" (arXiv:1710.03740), section 3.2.
public enum LossScaling: Sendable, Equatable {
    case constant(Int)
    /// As large as the gradients allow: a step with a gradient that is not finite is dropped and halves the scale;
    /// after 2000 steps without one, the scale is doubled.
    case dynamic

    static let largest = 1 << 24
    static let growthInterval = 2000

    /// - Throws: `AnnealError` for a constant that is not a power of two from 1 to 2^24.
    package func check() throws {
        guard case .constant(let scale) = self else { return }
        guard (1...Self.largest).contains(scale), scale.nonzeroBitCount == 1 else {
            throw AnnealError(
                "--loss-scale", "is \(scale)",
                suggestion: "give dynamic, or a power of two up to \(Self.largest), e.g. 1024")
        }
    }
}

/// The current scale of a run; part of the run's state.
struct LossScaler: Codable, Sendable, Equatable {
    private(set) var scale = 1 << 16
    /// Steps since the scale changed.
    private(set) var goodSteps = 0

    /// Whether the state is valid.
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

    /// Halves the scale after a step in which it may have caused an overflow.
    /// - Returns: false if it did not: the problem is not a gradient, or gradients are no longer scaled.
    mutating func lower(for problem: Check.Subject) -> Bool {
        guard case .gradient = problem, scale > 1 else { return false }
        scale /= 2
        goodSteps = 0
        return true
    }
}
