import AnnealCompiler
import AnnealCore
import Foundation

/// Adam (Kingma and Ba 2015, arXiv:1412.6980); MXNet's `adam`.
///
///     G = C(r*g + d*w)
///     m = beta1*m + (1-beta1)*G;  v = beta2*v + (1-beta2)*G²
///     w = w - l * sqrt(1-beta2^t)/(1-beta1^t) * m / (sqrt(v) + eps)
///
/// eps is added to the uncorrected root, as in MXNet (not as in the paper's Algorithm 1). MXNet's defaults: learning
/// rate 0.001, beta1 0.9, beta2 0.999, epsilon 1e-8.
public struct Adam: OptimizerRule {
    public static let name = "adam"
    public static let standardLearningRate: Double? = 0.001

    public var beta1: Double
    public var beta2: Double
    public var epsilon: Double

    public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8) {
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
    }

    public init(options: inout NamedOptions) throws {
        options.ignore("lazy_update")
        self.init(
            beta1: try options.number("beta1", 0.9), beta2: try options.number("beta2", 0.999),
            epsilon: try options.number("epsilon", 1e-8))
    }

    public var stateCount: Int { 2 }

    public func prepare(_ step: inout StepContext, _ scalars: inout [Double]) {
        step.learningRate = Adam.rate(step, beta1, beta2)
    }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let beta1 = N(beta1), beta2 = N(beta2)
        let gradient = k.clip(k.scale * element.gradient + k.decay * element.weight)
        let m = beta1 * element.states[0] + (N(1) - beta1) * gradient
        let v = beta2 * element.states[1] + (N(1) - beta2) * gradient * gradient
        (element.states[0], element.states[1]) = (m, v)
        element.weight = element.weight - k.rate * m / (N.root(v) + N(epsilon))
    }

    /// The rate with both corrections.
    static func rate(_ step: StepContext, _ beta1: Double, _ beta2: Double) -> Double {
        let t = Double(step.update)
        return step.learningRate * ((1 - pow(beta2, t)).squareRoot() / (1 - pow(beta1, t)))
    }
}
