import AnnealCompiler
import AnnealCore
import Foundation

/// Layer-wise adaptive moments (You et al. 2020, arXiv:1904.00962); MXNet's `lamb`.
///
///     G = C(r*g)
///     m = beta1*m + (1-beta1)*G;  v = beta2*v + (1-beta2)*G²
///     R = m' / (sqrt(v') + eps) + d*w      (m' = m/(1-beta1^t), v' = v/(1-beta2^t) with bias correction)
///     w = w - l * clamp(|w|)/|R| * R       (the ratio is 1 if a norm is 0)
///
/// clamp is to `lower_bound` ... `upper_bound`, if given. Every parameter gets a ratio, biases too. MXNet's
/// defaults: learning rate 0.001, beta1 0.9, beta2 0.999, epsilon 1e-6, no bounds, bias correction on.
public struct LAMB: OptimizerRule {
    public static let name = "lamb"
    public static let standardLearningRate: Double? = 0.001

    public var beta1: Double
    public var beta2: Double
    public var epsilon: Double
    public var lowerBound: Double?
    public var upperBound: Double?
    public var biasCorrection: Bool

    public init(
        beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-6, lowerBound: Double? = nil,
        upperBound: Double? = nil, biasCorrection: Bool = true
    ) {
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.lowerBound = lowerBound
        self.upperBound = upperBound
        self.biasCorrection = biasCorrection
    }

    public init(options: inout NamedOptions) throws {
        self.init(
            beta1: try options.number("beta1", 0.9), beta2: try options.number("beta2", 0.999),
            epsilon: try options.number("epsilon", 1e-6), lowerBound: try options.optionalNumber("lower_bound"),
            upperBound: try options.optionalNumber("upper_bound"),
            biasCorrection: try options.flag("bias_correction", true))
    }

    public var stateCount: Int { 2 }
    public var sums: RuleSums { .ofParameter }

    /// constants: the bias corrections of m and v.
    public func prepare(_ step: inout StepContext, _ scalars: inout [Double]) {
        // MXNet raises the float32 betas in double precision and rounds the powers.
        let power1 = Float(pow(Double(Float(beta1)), Double(step.update)))
        let power2 = Float(pow(Double(Float(beta2)), Double(step.update)))
        step.constants[0] = Double(biasCorrection ? 1 - power1 : 1)
        step.constants[1] = Double(biasCorrection ? 1 - power2 : 1)
    }

    /// The moments after this step, and R.
    @inline(__always)
    private func direction<N: RuleNumber>(_ element: RuleElement<N>, _ k: RuleNumbers<N>) -> (m: N, v: N, r: N) {
        let beta1 = N(beta1), beta2 = N(beta2), gradient = k.scaled(element.gradient)
        let m = beta1 * element.states[0] + (N(1) - beta1) * gradient
        let v = beta2 * element.states[1] + (N(1) - beta2) * gradient * gradient
        let r = (m / k.constants.0) / (N.root(v / k.constants.1) + N(epsilon)) + k.decay * element.weight
        return (m, v, r)
    }

    /// |w|² and |R|².
    public func terms<N: RuleNumber>(_ element: RuleElement<N>, _ k: RuleNumbers<N>) -> (N, N) {
        let change = direction(element, k).r
        return (element.weight * element.weight, change * change)
    }

    public func adapt<N: RuleNumber>(_ k: inout RuleNumbers<N>, to sums: (N, N)) {
        var weight = N.root(sums.0)
        if let lowerBound, lowerBound > 0 { weight = N.larger(weight, N(lowerBound)) }
        if let upperBound, upperBound > 0 { weight = N.select(weight, over: N(upperBound), N(upperBound), weight) }
        let change = N.root(sums.1)
        let ratio = N.select(nonzero: weight, N.select(nonzero: change, weight / change, N(1)), N(1))
        k.rate = k.rate * ratio
    }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let (m, v, r) = direction(element, k)
        (element.states[0], element.states[1]) = (m, v)
        element.weight = element.weight - k.rate * r
    }
}
