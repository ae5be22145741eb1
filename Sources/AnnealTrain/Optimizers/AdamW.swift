import AnnealCore
import Foundation

/// Adam with weight decay apart from the gradient (Loshchilov and Hutter 2019, arXiv:1711.05101).
///
///     G = C(r*g)
///     m = beta1*m + (1-beta1)*G;  v = beta2*v + (1-beta2)*G²
///     w = w - l * (m/(1-beta1^t) / (sqrt(v/(1-beta2^t)) + eps) + d*w)
///
/// This is what users write as AdamW today (PyTorch's). MXNet 1.9.1 has no class for it, only an operator,
/// `contrib.adamw_update`, without correction and with the decay apart from the rate; `Form.operator` is that:
///
///     w = w - eta * (l*m/(sqrt(v) + eps) + d*w)
///
/// Defaults: learning rate 0.001, beta1 0.9, beta2 0.999, epsilon 1e-8. The option `eta` asks for the operator's form.
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

    public func update(_ slice: ParameterSlice, _ step: StepContext) {
        let bound = step.bound, r = step.r, t = Double(step.update)
        // w -= rate * m / (sqrt(v / correction) + eps) + decay * w
        let rate, correction, decay: Double
        switch form {
        case .corrected:
            rate = step.learningRate / (1 - pow(beta1, t))
            correction = 1 - pow(beta2, t)
            decay = step.learningRate * step.weightDecay
        case .operator(let eta):
            rate = eta * step.learningRate
            correction = 1
            decay = eta * step.weightDecay
        }
        let l = Float(rate), scale = Float(1 / correction.squareRoot()), d = Float(decay), epsilon = Float(epsilon)
        let beta1 = Float(beta1), beta2 = Float(beta2), rest1 = 1 - beta1, rest2 = 1 - beta2
        slice.update { w, g, m, v in
            let gradient = clip(r * g, bound)
            m = beta1 * m + rest1 * gradient
            v = beta2 * v + rest2 * (gradient * gradient)
            w -= l * m / (root(v) * scale + epsilon) + d * w
        }
    }
}
