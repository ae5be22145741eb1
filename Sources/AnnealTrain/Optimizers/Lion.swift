import AnnealCore

/// Evolved sign momentum (Chen et al. 2023, arXiv:2302.06675). Not in MXNet.
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

    public func update(_ slice: ParameterSlice, _ step: StepContext) {
        let bound = step.bound, l = step.l, d = step.d, r = step.r
        let beta1 = Float(beta1), rest1 = Float(1 - self.beta1), beta2 = Float(beta2), rest2 = Float(1 - self.beta2)
        slice.update { w, g, m in
            let gradient = clip(r * g, bound)
            w -= l * (sign(beta1 * m + rest1 * gradient) + d * w)
            m = beta2 * m + rest2 * gradient
        }
    }
}
