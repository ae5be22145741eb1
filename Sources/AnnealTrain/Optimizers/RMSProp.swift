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

    public func update(_ slice: ParameterSlice, _ step: StepContext) {
        let bound = step.bound, l = step.l, d = step.d, r = step.r, epsilon = Float(epsilon)
        let gamma1 = Float(gamma1), rest1 = 1 - gamma1, gamma2 = Float(gamma2)
        let limit = clipWeights.map { $0 > 0 ? Float($0) : .infinity } ?? .infinity
        if centered {
            slice.update { w, g, n, average, delta in
                let gradient = clip(r * g + d * w, bound)
                n = rest1 * gradient * gradient + gamma1 * n
                average = rest1 * gradient + gamma1 * average
                delta = gamma2 * delta - l * gradient / root(n - average * average + epsilon)
                w = clip(w + delta, limit)
            }
        } else {
            slice.update { w, g, n in
                let gradient = clip(r * g + d * w, bound)
                n = rest1 * (gradient * gradient) + gamma1 * n
                w = clip(w - l * (gradient / root(n + epsilon)), limit)
            }
        }
    }
}
