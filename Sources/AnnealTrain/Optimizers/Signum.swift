import AnnealCompiler
import AnnealCore

/// The sign of the momentum (Bernstein et al. 2018, signSGD, arXiv:1802.04434); MXNet's `signum`.
///
///     m = momentum*m - (1-momentum)*(d*w + C(r*g))
///     w = (1 - l*wd_lh)*w + l*sign(m)
///
/// Without momentum it is signSGD: w = (1 - l*(d + wd_lh))*w - l*sign(g); scaling and clipping do not change a sign.
/// (MXNet ignores wd_lh there.) MXNet's defaults: learning rate 0.01, momentum 0.9, wd_lh 0 (decoupled weight decay,
/// Loshchilov and Hutter 2019, arXiv:1711.05101).
public struct Signum: OptimizerRule {
    public static let name = "signum"
    public static let standardLearningRate: Double? = 0.01

    public var momentum: Double
    public var decoupledDecay: Double

    /// - Precondition: momentum is not negative.
    public init(momentum: Double = 0.9, decoupledDecay: Double = 0) {
        precondition(momentum >= 0, "momentum \(momentum) is negative")
        self.momentum = momentum
        self.decoupledDecay = decoupledDecay
    }

    public init(options: inout NamedOptions) throws {
        self.init(momentum: try options.momentum(0.9), decoupledDecay: try options.number("wd_lh", 0))
    }

    public var stateCount: Int { momentum == 0 ? 0 : 1 }
    public var choices: (Bool, Bool) { (momentum != 0, false) }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let w = element.weight
        guard k.choices.0 else {
            let keep = N(1) - k.rate * (k.decay + N(decoupledDecay))
            element.weight = keep * w - k.rate * N.sign(element.gradient)
            return
        }
        let rest = N(1) - N(momentum), keep = N(1) - k.rate * N(decoupledDecay)
        let m = N(momentum) * element.states[0] - rest * k.decay * w - rest * k.scaled(element.gradient)
        element.states[0] = m
        element.weight = keep * w + k.rate * N.sign(m)
    }
}
