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

    public var epsilon: Double

    public init(epsilon: Double = 1e-7) { self.epsilon = epsilon }

    public init(options: inout NamedOptions) throws { self.init(epsilon: try options.number("eps", 1e-7)) }

    public var stateCount: Int { 1 }

    public func update(_ slice: ParameterSlice, _ step: StepContext) {
        let bound = step.pythonBound, l = step.l, d = step.d, r = step.r, epsilon = Float(epsilon)
        slice.update { w, g, h in
            let gradient = clip(r * g, bound)
            h += gradient * gradient
            w -= l * (gradient / root(h + epsilon) + d * w)
        }
    }
}
