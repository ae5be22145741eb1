import AnnealCore
import Foundation

/// Layer-wise adaptive moments (You et al. 2020, arXiv:1904.00962); MXNet's `lamb`.
///
///     G = C(r*g)
///     m = beta1*m + (1-beta1)*G;  v = beta2*v + (1-beta2)*G²
///     R = m' / (sqrt(v') + eps) + d*w      (m' = m/(1-beta1^t), v' = v/(1-beta2^t) with bias correction)
///     w = w - l * clamp(|w|)/|R| * R       (the ratio is 1 if a norm is 0)
///
/// clamp is to `lower_bound` ... `upper_bound`, where given. Every parameter gets a ratio, biases too. MXNet's
/// defaults: learning rate 0.001, beta1 0.9, beta2 0.999, epsilon 1e-6, no bounds, bias correction on.
public struct LAMB: OptimizerRule {
    public static let name = "lamb"
    public static let standardLearningRate: Double? = 0.001

    public var beta1: Double
    public var beta2: Double
    public var epsilon: Double
    public var lowerBound: Double?
    public var upperBound: Double?
    public var biasCorrection: Bool

    public init(
        beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-6, lowerBound: Double? = nil,
        upperBound: Double? = nil, biasCorrection: Bool = true
    ) {
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.lowerBound = lowerBound
        self.upperBound = upperBound
        self.biasCorrection = biasCorrection
    }

    public init(options: inout NamedOptions) throws {
        self.init(
            beta1: try options.number("beta1", 0.9), beta2: try options.number("beta2", 0.999),
            epsilon: try options.number("epsilon", 1e-6), lowerBound: try options.optionalNumber("lower_bound"),
            upperBound: try options.optionalNumber("upper_bound"),
            biasCorrection: try options.flag("bias_correction", true))
    }

    public var stateCount: Int { 2 }
    public var reduces: Bool { true }

    /// R from the moments.
    private struct Direction {
        let correction1: Float
        let correction2: Float
        let epsilon: Float
        let d: Float

        @inline(__always)
        func callAsFunction(_ w: Float, _ m: Float, _ v: Float) -> Float {
            (m / correction1) / (root(v / correction2) + epsilon) + d * w
        }
    }

    private func direction(_ step: StepContext) -> Direction {
        // MXNet raises the float32 betas in double precision and rounds the powers.
        let power1 = Float(pow(Double(Float(beta1)), Double(step.update)))
        let power2 = Float(pow(Double(Float(beta2)), Double(step.update)))
        return Direction(
            correction1: biasCorrection ? 1 - power1 : 1, correction2: biasCorrection ? 1 - power2 : 1,
            epsilon: Float(epsilon), d: step.d)
    }

    /// The moments are updated on the way: |w|² and |R|².
    public func reduce(_ slice: ParameterSlice, _ step: StepContext) -> (Double, Double) {
        let bound = step.bound, r = step.r
        let beta1 = Float(beta1), beta2 = Float(beta2), rest1 = 1 - beta1, rest2 = 1 - beta2
        let direction = direction(step)
        return slice.sums { w, g, m, v in
            let gradient = clip(r * g, bound)
            m = beta1 * m + rest1 * gradient
            v = beta2 * v + rest2 * gradient * gradient
            let change = direction(w, m, v)
            return (w * w, change * change)
        }
    }

    public func finish(_ step: inout StepContext, _ sums: (Double, Double)) {
        var weight = sums.0.squareRoot()
        if let lowerBound, lowerBound > 0 { weight = max(weight, lowerBound) }
        if let upperBound, upperBound > 0 { weight = min(weight, upperBound) }
        let change = sums.1.squareRoot()
        if weight != 0, change != 0 { step.learningRate *= weight / change }
    }

    public func update(_ slice: ParameterSlice, _ step: StepContext) {
        let l = step.l, direction = direction(step)
        slice.update { w, _, m, v in w -= l * direction(w, m, v) }
    }
}
