import AnnealCompiler
import AnnealCore

/// Asynchronous SGD with delay compensation (Zheng et al. 2017, arXiv:1609.08326); MXNet's `dcasgd`.
///
///     G = C(r*g)
///     m = momentum*m - l*(G + d*w + lamda*G²*(w - w_previous))
///     w_previous = w;  w = w + m
///
/// In MXNet 1.9.1 a momentum other than 0 raises an error; here it follows the formula. MXNet's defaults: momentum 0,
/// lamda 0.04, learning rate 0.01.
public struct DCASGD: OptimizerRule {
    public static let name = "dcasgd"
    public static let clipsAtZero = true

    public var momentum: Double
    public var lambda: Double

    /// - Precondition: momentum is not negative.
    public init(momentum: Double = 0, lambda: Double = 0.04) {
        precondition(momentum >= 0, "momentum \(momentum) is negative")
        self.momentum = momentum
        self.lambda = lambda
    }

    public init(options: inout NamedOptions) throws {
        self.init(momentum: try options.momentum(), lambda: try options.number("lamda", 0.04))
    }

    /// The previous weight, then the momentum, if any.
    public var stateCount: Int { momentum == 0 ? 1 : 2 }
    public var choices: (Bool, Bool) { (momentum != 0, false) }
    public func stateStart(_ index: Int) -> StateStart { index == 0 ? .weight : .zeros }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let w = element.weight, gradient = k.scaled(element.gradient), previous = element.states[0]
        let change =
            k.rate * (gradient + k.decay * w + N(lambda) * gradient * gradient * (w - previous))
        element.states[0] = w
        if k.choices.0 {
            element.states[1] = N(momentum) * element.states[1] - change
            element.weight = w + element.states[1]
        } else {
            element.weight = w - change
        }
    }
}
