import AnnealCompiler
import AnnealCore
import Foundation

/// Adam with the infinity norm (Kingma and Ba 2015, arXiv:1412.6980, section 7); MXNet's `adamax`.
///
///     G = C(r*g + d*w)
///     m = beta1*m + (1-beta1)*G;  u = max(beta2*u, |G|)
///     w = w - l/(1-beta1^t) * m/u
///
/// There is no eps: as long as all gradients of an element have been 0, MXNet divides 0 by 0 and the weight becomes
/// NaN. Here such an element does not change; all other values are MXNet's. Its defaults: learning rate 0.002, beta1
/// 0.9, beta2 0.999.
public struct Adamax: OptimizerRule {
    public static let name = "adamax"
    public static let clipsAtZero = true
    public static let standardLearningRate: Double? = 0.002

    public var beta1: Double
    public var beta2: Double

    public init(beta1: Double = 0.9, beta2: Double = 0.999) {
        self.beta1 = beta1
        self.beta2 = beta2
    }

    public init(options: inout NamedOptions) throws {
        self.init(beta1: try options.number("beta1", 0.9), beta2: try options.number("beta2", 0.999))
    }

    public var stateCount: Int { 2 }

    public func prepare(_ step: inout StepContext, _ scalars: inout [Double]) {
        step.learningRate /= 1 - pow(beta1, Double(step.update))
    }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let gradient = k.clip(k.scale * element.gradient + k.decay * element.weight)
        let m = N(beta1) * element.states[0] + N(1 - beta1) * gradient
        // The gradient comes first, so that a NaN propagates.
        let u = N.larger(N.magnitude(gradient), N(beta2) * element.states[1])
        (element.states[0], element.states[1]) = (m, u)
        let change = k.rate * m / u
        element.weight = element.weight - N.select(u, over: N(0), change, u)
    }
}
