import AnnealCompiler
import AnnealCore

/// AdaGrad (Duchi, Hazan and Singer 2011, JMLR 12); MXNet's `adagrad`.
///
///     G = C(r*g)
///     h = h + G²
///     w = w - l*(G / sqrt(h + eps) + d*w)
///
/// MXNet's defaults: eps 1e-7, learning rate 0.01.
public struct AdaGrad: OptimizerRule {
    public static let name = "adagrad"
    public static let clipsAtZero = true

    public var epsilon: Double

    public init(epsilon: Double = 1e-7) { self.epsilon = epsilon }

    public init(options: inout NamedOptions) throws { self.init(epsilon: try options.number("eps", 1e-7)) }

    public var stateCount: Int { 1 }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let gradient = k.scaled(element.gradient), h = element.states[0] + gradient * gradient
        element.states[0] = h
        element.weight =
            element.weight - k.rate * (gradient / N.root(h + N(epsilon)) + k.decay * element.weight)
    }
}
