import AnnealCompiler
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

    /// constants: (1-beta1^t)/l and 1-beta2^t.
    public func prepare(_ step: inout StepContext, _ scalars: inout [Double]) {
        let t = Float(step.update)
        step.constants[0] = Double((1 - pow(Float(beta1), t)) / Float(step.learningRate))
        step.constants[1] = Double(1 - pow(Float(beta2), t))
    }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let beta1 = N(beta1), beta2 = N(beta2), w = element.weight
        let gradient = k.clip(k.scale * element.gradient + k.decay * w)
        let v = beta2 * element.states[1] + (N(1) - beta2) * (gradient * gradient)
        let d = k.constants.0 * (N.root(v / k.constants.1) + N(epsilon))
        let z = beta1 * element.states[2] + (N(1) - beta1) * gradient - (d - beta1 * element.states[0]) * w
        element.states[0] = N.select(nonzero: k.rate, d, element.states[0])
        element.states[1] = N.select(nonzero: k.rate, v, element.states[1])
        element.states[2] = N.select(nonzero: k.rate, z, element.states[2])
        element.weight = N.select(nonzero: k.rate, -z / d, w)
    }
}
