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
/// S is one number of the whole optimizer in MXNet: it shrinks at every update of every parameter, so their order
/// and number matter. MXNet's defaults: learning rate 0.001, beta1 0.9, beta2 0.999, epsilon 1e-8, schedule_decay
/// 0.004.
public struct Nadam: OptimizerRule {
    public static let name = "nadam"
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

    /// constants: what G and m are multiplied with: (1-m0), 1-S, m1, 1-S*m1.
    public func prepare(_ step: inout StepContext, _ scalars: inout [Double]) {
        let now = momentum(step.update), next = momentum(step.update + 1)
        scalars[0] *= now
        step.constants = SIMD4(1 - now, 1 - scalars[0], next, 1 - scalars[0] * next)
    }

    public func update(_ slice: ParameterSlice, _ step: StepContext) {
        let bound = step.pythonBound, l = step.l, d = step.d, r = step.r, epsilon = Float(epsilon)
        let correction = Float(1 - pow(beta2, Double(step.update)))
        let ofGradient = Float(step.constants[0] / step.constants[1])
        let ofMomentum = Float(step.constants[2] / step.constants[3])
        let beta1 = Float(beta1), rest1 = Float(1 - self.beta1), beta2 = Float(beta2), rest2 = Float(1 - self.beta2)
        slice.update { w, g, m, v in
            let gradient = clip(r * g + d * w, bound)
            m = beta1 * m + rest1 * gradient
            v = beta2 * v + rest2 * gradient * gradient
            w -= l * (ofGradient * gradient + ofMomentum * m) / (root(v / correction) + epsilon)
        }
    }
}
