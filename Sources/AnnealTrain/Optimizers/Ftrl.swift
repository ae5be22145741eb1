import AnnealCompiler
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

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let lambda = N(lambda1), beta = N(beta), w = element.weight, n = element.states[1]
        let gradient = k.scaled(element.gradient), sum = n + gradient * gradient
        let z = element.states[0] + gradient - (N.root(sum) - N.root(n)) * w / k.rate
        let moved = (N.sign(z) * lambda - z) / ((beta + N.root(sum)) / k.rate + k.decay)
        element.states[0] = N.select(nonzero: k.rate, z, element.states[0])
        element.states[1] = N.select(nonzero: k.rate, sum, n)
        // Multiplied, so that a NaN in z propagates.
        let kept = moved * N.select(N.magnitude(z), over: lambda, N(1), N(0))
        element.weight = N.select(nonzero: k.rate, kept, w)
    }
}
