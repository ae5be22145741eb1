import AnnealCompiler
import AnnealCore

/// AdaGrad with one rate for each row of a parameter (Duchi, Hazan and Singer 2011, JMLR 12); MXNet's `groupadagrad`.
///
///     G = C(r*g)
///     h = h + mean over the row of G²
///     w = w - l*G / sqrt(h + eps)
///
/// It has no weight decay. MXNet accepts matrices only; here a row is everything after the first axis. The state holds
/// a row's h in each of its elements. MXNet's defaults: eps 1e-5, learning rate 0.01.
public struct GroupAdaGrad: OptimizerRule {
    public static let name = "groupadagrad"
    public static let clipsAtZero = true

    public var epsilon: Double

    public init(epsilon: Double = 1e-5) { self.epsilon = epsilon }

    public init(options: inout NamedOptions) throws { self.init(epsilon: try options.number("eps", 1e-5)) }

    public var stateCount: Int { 1 }
    public var sums: RuleSums { .ofRows }
    public static var takesWeightDecay: Bool { false }

    public func check(_ name: String, shape: Shape, weightDecay: Double) throws {
        guard weightDecay == 0 else {
            throw AnnealError(
                "parameter \(name)", "has weight decay, which groupadagrad does not support",
                suggestion: "set wd to 0 (--wd 0)")
        }
    }

    /// constants: `adapt` sets the first to the row's mean of G². The second is the number of elements.
    public func terms<N: RuleNumber>(_ element: RuleElement<N>, _ k: RuleNumbers<N>) -> (N, N) {
        let gradient = k.scaled(element.gradient)
        return (gradient * gradient, N(1))
    }

    public func adapt<N: RuleNumber>(_ k: inout RuleNumbers<N>, to sums: (N, N)) { k.constants.0 = sums.0 / sums.1 }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        element.states[0] = element.states[0] + k.constants.0
        element.weight =
            element.weight - k.rate * k.scaled(element.gradient) / N.root(element.states[0] + N(epsilon))
    }
}
