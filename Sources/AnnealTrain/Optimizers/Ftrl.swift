import AnnealCore

/// Follow the regularised leader (McMahan et al. 2013, "Ad click prediction: a view from the trenches"); MXNet's
/// `ftrl`.
///
///     G = C(r*g)
///     z = z + G - (sqrt(n + G²) - sqrt(n))*w/l
///     n = n + G²
///     w = (sign(z)*lamda1 - z) / ((beta + sqrt(n))/l + d)   where |z| > lamda1, else 0
///
/// States: z, n. A rate of 0, by which MXNet divides, changes nothing. MXNet's defaults: lamda1 0.01, learning rate
/// 0.1, beta 1. Its rate does not replace a schedule's base.
public struct Ftrl: OptimizerRule {
    public static let name = "ftrl"
    public static let standardLearningRate: Double? = 0.1
    public static let replacesScheduleRate = false

    public var lambda1: Double
    public var beta: Double

    public init(lambda1: Double = 0.01, beta: Double = 1) {
        self.lambda1 = lambda1
        self.beta = beta
    }

    public init(options: inout NamedOptions) throws {
        self.init(lambda1: try options.number("lamda1", 0.01), beta: try options.number("beta", 1))
    }

    public var stateCount: Int { 2 }

    public func update(_ slice: ParameterSlice, _ step: StepContext) {
        let bound = step.bound, l = step.l, d = step.d, r = step.r, lambda1 = Float(lambda1), beta = Float(beta)
        guard l != 0 else { return }
        slice.update { w, g, z, n in
            let gradient = clip(r * g, bound)
            let sum = n + gradient * gradient
            z += gradient - (root(sum) - root(n)) * w / l
            n = sum
            let moved = (sign(z) * lambda1 - z) / ((beta + root(n)) / l + d)
            // Multiplied, so that a NaN in z shows.
            w = moved * (abs(z) > lambda1 ? 1 : 0)
        }
    }
}
