import AnnealCompiler
import AnnealCore

/// ADADELTA (Zeiler 2012, arXiv:1212.5701); MXNet's `adadelta`.
///
///     G = C(r*g)
///     a = rho*a + (1-rho)*G²
///     D = sqrt(b+eps) / sqrt(a+eps) * G
///     b = rho*b + (1-rho)*D²
///     w = w - (D + d*w)
///
/// MXNet does not use the learning rate, not even for the weight decay: `wd` 1e-4 shrinks the weights by 1e-4 at each
/// update. That is the default; `useLearningRate` gives w = w - l*(D + d*w). MXNet's defaults: rho 0.9, epsilon 1e-5.
public struct AdaDelta: OptimizerRule {
    public static let name = "adadelta"
    public static let clipsAtZero = true

    public var rho: Double
    public var epsilon: Double
    public var useLearningRate: Bool

    public init(rho: Double = 0.9, epsilon: Double = 1e-5, useLearningRate: Bool = false) {
        self.rho = rho
        self.epsilon = epsilon
        self.useLearningRate = useLearningRate
    }

    public init(options: inout NamedOptions) throws {
        self.init(
            rho: try options.number("rho", 0.9), epsilon: try options.number("epsilon", 1e-5),
            useLearningRate: try options.flag("use_learning_rate", false))
    }

    public var stateCount: Int { 2 }

    public var remark: String? {
        useLearningRate
            ? nil : "adadelta ignores the learning rate and its schedule, as in MXNet, also for the weight decay"
    }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let rho = N(rho), rest = N(1 - self.rho), epsilon = N(epsilon), rate = useLearningRate ? k.rate : N(1)
        let gradient = k.scaled(element.gradient)
        let a = rho * element.states[0] + rest * gradient * gradient
        let delta = N.root(element.states[1] + epsilon) / N.root(a + epsilon) * gradient
        element.states[0] = a
        element.states[1] = rho * element.states[1] + rest * delta * delta
        element.weight = element.weight - rate * (delta + k.decay * element.weight)
    }
}
