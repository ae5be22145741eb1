import AnnealCompiler
import AnnealCore
import Foundation

/// Adam with Nesterov's momentum (Dozat 2016, "Incorporating Nesterov momentum into Adam"); MXNet's `nadam`.
///
///     G = C(r*g + d*w)
///     m0 = beta1*(1 - 0.5*0.96^(t*schedule_decay)), m1 the same with t+1
///     S = S*m0
///     m = beta1*m + (1-beta1)*G;  v = beta2*v + (1-beta2)*G²
///     w = w - l * ((1-m0)*G/(1-S) + m1*m/(1-S*m1)) / (sqrt(v/(1-beta2^t)) + eps)
///
/// S is one number for the whole optimizer in MXNet: it shrinks at every update of every parameter, so their order and
/// number matter. MXNet's defaults: learning rate 0.001, beta1 0.9, beta2 0.999, epsilon 1e-8, schedule_decay 0.004.
public struct Nadam: OptimizerRule {
    public static let name = "nadam"
    public static let clipsAtZero = true
    public static let standardLearningRate: Double? = 0.001

    public var beta1: Double
    public var beta2: Double
    public var epsilon: Double
    public var scheduleDecay: Double

    public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, scheduleDecay: Double = 0.004) {
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.scheduleDecay = scheduleDecay
    }

    public init(options: inout NamedOptions) throws {
        self.init(
            beta1: try options.number("beta1", 0.9), beta2: try options.number("beta2", 0.999),
            epsilon: try options.number("epsilon", 1e-8), scheduleDecay: try options.number("schedule_decay", 0.004))
    }

    public var stateCount: Int { 2 }
    /// S.
    public var startScalars: [Double] { [1] }

    private func momentum(_ t: Int) -> Double { beta1 * (1 - 0.5 * pow(0.96, Double(t) * scheduleDecay)) }

    /// constants: the factors of G and m, (1-m0)/(1-S) and m1/(1-S*m1), and 1-beta2^t.
    public func prepare(_ step: inout StepContext, _ scalars: inout [Double]) {
        let now = momentum(step.update), next = momentum(step.update + 1)
        scalars[0] *= now
        step.constants = SIMD4(
            (1 - now) / (1 - scalars[0]), next / (1 - scalars[0] * next), 1 - pow(beta2, Double(step.update)), 0)
    }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let gradient = k.clip(k.scale * element.gradient + k.decay * element.weight)
        let m = N(beta1) * element.states[0] + N(1 - beta1) * gradient
        let v = N(beta2) * element.states[1] + N(1 - beta2) * gradient * gradient
        (element.states[0], element.states[1]) = (m, v)
        let direction = k.constants.0 * gradient + k.constants.1 * m
        element.weight = element.weight - k.rate * direction / (N.root(v / k.constants.2) + N(epsilon))
    }
}
