import AnnealCompiler
import AnnealCore

/// Nesterov's accelerated gradient (Nesterov 1983, Sutskever et al. 2013); MXNet's `nag`.
///
///     G = C(r*g) + d*w
///     m = momentum*m
///     w = w - m + (1+momentum)*(m - l*G)
///     m = m - l*(C(r*g) + d*w)      (with the new w, as MXNet's CPU operator does)
///
/// Without momentum it is plain SGD. MXNet's defaults: momentum 0, learning rate 0.01. `SGD(nesterov: true)` is the
/// same except for the new w in the last line.
public struct NAG: OptimizerRule {
    public static let name = "nag"

    public var momentum: Double

    /// - Precondition: momentum is not negative.
    public init(momentum: Double = 0) {
        precondition(momentum >= 0, "momentum \(momentum) is negative")
        self.momentum = momentum
    }

    public init(options: inout NamedOptions) throws { self.init(momentum: try options.momentum()) }

    public var stateCount: Int { momentum == 0 ? 0 : 1 }
    public var choices: (Bool, Bool) { (momentum != 0, false) }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let momentum = N(momentum), gradient = k.scaled(element.gradient)
        guard k.choices.0 else { return SGD.update(&element, k, by: gradient, momentum: nil) }
        let w = element.weight, m = momentum * element.states[0]
        let moved = w - m + (momentum + N(1)) * (m - k.rate * (gradient + k.decay * w))
        element.weight = moved
        element.states[0] = m - k.rate * (gradient + k.decay * moved)
    }
}
