import AnnealCore
import Foundation

/// Follow the moving leader (Zheng and Kwok 2017, PMLR 70); MXNet's `ftml`.
///
///     G = C(r*g + d*w)
///     v = beta2*v + (1-beta2)*G²
///     D' = (1-beta1^t)/l * (sqrt(v/(1-beta2^t)) + eps)
///     z = beta1*z + (1-beta1)*G - (D' - beta1*D)*w
///     w = -z/D',  D = D'
///
/// States: D, v, z. A rate of 0, by which MXNet divides, changes nothing. MXNet's defaults: learning rate 0.01,
/// beta1 0.6, beta2 0.999, epsilon 1e-8.
public struct FTML: OptimizerRule {
    public static let name = "ftml"

    public var beta1: Double
    public var beta2: Double
    public var epsilon: Double

    public init(beta1: Double = 0.6, beta2: Double = 0.999, epsilon: Double = 1e-8) {
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
    }

    public init(options: inout NamedOptions) throws {
        self.init(
            beta1: try options.number("beta1", 0.6), beta2: try options.number("beta2", 0.999),
            epsilon: try options.number("epsilon", 1e-8))
    }

    public var stateCount: Int { 3 }

    public func update(_ slice: ParameterSlice, _ step: StepContext) {
        let bound = step.bound, d = step.d, r = step.r
        let beta1 = Float(beta1), beta2 = Float(beta2), epsilon = Float(epsilon)
        let rest1 = 1 - beta1, rest2 = 1 - beta2
        guard step.learningRate != 0 else { return }
        let factor = (1 - pow(beta1, Float(step.update))) / step.l, correction = 1 - pow(beta2, Float(step.update))
        slice.update { w, g, dOld, v, z in
            let gradient = clip(r * g + d * w, bound)
            v = beta2 * v + rest2 * (gradient * gradient)
            let dNew = factor * (root(v / correction) + epsilon)
            z = beta1 * z + rest1 * gradient - (dNew - beta1 * dOld) * w
            dOld = dNew
            w = -z / dNew
        }
    }
}
