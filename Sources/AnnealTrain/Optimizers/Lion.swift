import AnnealCompiler
import AnnealCore

/// EvoLved Sign Momentum (Chen et al. 2023, arXiv:2302.06675). Not in MXNet.
///
///     G = C(r*g)
///     w = w - l*(sign(beta1*m + (1-beta1)*G) + d*w)
///     m = beta2*m + (1-beta2)*G
///
/// The paper's defaults: learning rate 1e-4, beta1 0.9, beta2 0.99.
public struct Lion: OptimizerRule {
    public static let name = "lion"
    public static let standardLearningRate: Double? = 1e-4

    public var beta1: Double
    public var beta2: Double

    public init(beta1: Double = 0.9, beta2: Double = 0.99) {
        self.beta1 = beta1
        self.beta2 = beta2
    }

    public init(options: inout NamedOptions) throws {
        self.init(beta1: try options.number("beta1", 0.9), beta2: try options.number("beta2", 0.99))
    }

    public var stateCount: Int { 1 }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let gradient = k.scaled(element.gradient), m = element.states[0]
        let direction = N.sign(N(beta1) * m + N(1 - beta1) * gradient)
        element.weight = element.weight - k.rate * (direction + k.decay * element.weight)
        element.states[0] = N(beta2) * m + N(1 - beta2) * gradient
    }
}
