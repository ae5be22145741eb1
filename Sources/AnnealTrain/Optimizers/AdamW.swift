import AnnealCompiler
import AnnealCore
import Foundation

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101).
///
///     G = C(r*g)
///     m = beta1*m + (1-beta1)*G;  v = beta2*v + (1-beta2)*G²
///     w = w - l * (m/(1-beta1^t) / (sqrt(v/(1-beta2^t)) + eps) + d*w)
///
/// This is what AdamW means today (PyTorch's). MXNet 1.9.1 has no class for it, only an operator,
/// `contrib.adamw_update`, without bias correction and with the decay independent of the rate; that is `Form.operator`:
///
///     w = w - eta * (l*m/(sqrt(v) + eps) + d*w)
///
/// Defaults: learning rate 0.001, beta1 0.9, beta2 0.999, epsilon 1e-8. The option `eta` selects the operator's form.
public struct AdamW: OptimizerRule {
    public static let name = "adamw"
    public static let standardLearningRate: Double? = 0.001

    public enum Form: Sendable, Equatable {
        case corrected
        case `operator`(eta: Double)
    }

    public var beta1: Double
    public var beta2: Double
    public var epsilon: Double
    public var form: Form

    public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, form: Form = .corrected) {
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.form = form
    }

    public init(options: inout NamedOptions) throws {
        let eta = try options.optionalNumber("eta")
        self.init(
            beta1: try options.number("beta1", 0.9), beta2: try options.number("beta2", 0.999),
            epsilon: try options.number("epsilon", 1e-8), form: eta.map { .operator(eta: $0) } ?? .corrected)
    }

    public var stateCount: Int { 2 }

    /// constants: the factor of the root of v; the rate and the decay become w's own.
    public func prepare(_ step: inout StepContext, _ scalars: inout [Double]) {
        let t = Double(step.update)
        switch form {
        case .corrected:
            step.weightDecay *= step.learningRate
            step.learningRate /= 1 - pow(beta1, t)
            step.constants[0] = 1 / (1 - pow(beta2, t)).squareRoot()
        case .operator(let eta):
            step.weightDecay *= eta
            step.learningRate *= eta
            step.constants[0] = 1
        }
    }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let beta1 = N(beta1), beta2 = N(beta2), gradient = k.scaled(element.gradient)
        let m = beta1 * element.states[0] + (N(1) - beta1) * gradient
        let v = beta2 * element.states[1] + (N(1) - beta2) * (gradient * gradient)
        (element.states[0], element.states[1]) = (m, v)
        let change = k.rate * m / (N.root(v) * k.constants.0 + N(epsilon))
        element.weight = element.weight - (change + k.decay * element.weight)
    }
}
