import AnnealCompiler
import AnnealCore

/// RMSProp (Tieleman and Hinton 2012, lecture 6.5), or centered as in Graves 2013, arXiv:1308.0850; MXNet's `rmsprop`.
///
///     G = C(r*g + d*w)
///     n = (1-gamma1)*G² + gamma1*n
///     plain:     w = w - l*G / sqrt(n + eps)
///     centered:  a = (1-gamma1)*G + gamma1*a
///                D = gamma2*D - l*G / sqrt(n - a² + eps);  w = w + D
///     then w is clipped to ±clip_weights, where given (0 and less: off)
///
/// States: n, and centered a and D. MXNet's defaults: learning rate 0.001, gamma1 0.9, gamma2 0.9, epsilon 1e-8, plain.
public struct RMSProp: OptimizerRule {
    public static let name = "rmsprop"
    public static let standardLearningRate: Double? = 0.001

    public var gamma1: Double
    public var gamma2: Double
    public var epsilon: Double
    public var centered: Bool
    public var clipWeights: Double?

    public init(
        gamma1: Double = 0.9, gamma2: Double = 0.9, epsilon: Double = 1e-8, centered: Bool = false,
        clipWeights: Double? = nil
    ) {
        self.gamma1 = gamma1
        self.gamma2 = gamma2
        self.epsilon = epsilon
        self.centered = centered
        self.clipWeights = clipWeights
    }

    public init(options: inout NamedOptions) throws {
        self.init(
            gamma1: try options.number("gamma1", 0.9), gamma2: try options.number("gamma2", 0.9),
            epsilon: try options.number("epsilon", 1e-8), centered: try options.flag("centered", false),
            clipWeights: try options.optionalNumber("clip_weights"))
    }

    public var stateCount: Int { centered ? 3 : 1 }
    public var choices: (Bool, Bool) { (centered, clipWeights ?? 0 > 0) }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let gamma1 = N(gamma1), rest1 = N(1) - gamma1, w = element.weight
        let gradient = k.clip(k.scale * element.gradient + k.decay * w)
        let moved: N
        let (centered, clipsWeights) = k.choices
        if centered {
            let n = rest1 * gradient * gradient + gamma1 * element.states[0]
            let average = rest1 * gradient + gamma1 * element.states[1]
            let delta =
                N(gamma2) * element.states[2] - k.rate * gradient / N.root(n - average * average + N(epsilon))
            (element.states[0], element.states[1], element.states[2]) = (n, average, delta)
            moved = w + delta
        } else {
            let n = rest1 * (gradient * gradient) + gamma1 * element.states[0]
            element.states[0] = n
            moved = w - k.rate * (gradient / N.root(n + N(epsilon)))
        }
        element.weight = clipsWeights ? N.clip(moved, N(clipWeights ?? 0)) : moved
    }
}
