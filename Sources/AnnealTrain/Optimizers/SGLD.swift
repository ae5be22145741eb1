import AnnealCompiler
import AnnealCore

/// Stochastic gradient Langevin dynamics (Welling and Teh 2011; MXNet cites Patterson and Teh 2013); MXNet's `sgld`.
///
///     w = w - l/2 * (C(r*g) + d*w) + normal(0, sqrt(l))
///
/// The noise is a function of the seed, the parameter's name, the update and the element's index (`RuleNoise`), so it
/// does not depend on engines, threads or resuming. MXNet's default: learning rate 0.01.
public struct SGLD: OptimizerRule {
    public static let name = "sgld"
    public static let clipsAtZero = true

    public init() {}
    public init(options: inout NamedOptions) throws {}

    public var stateCount: Int { 0 }

    public var drawsNoise: Bool { true }

    /// constants: l/2 and the root of l.
    public func prepare(_ step: inout StepContext, _ scalars: inout [Double]) {
        step.constants = SIMD4(step.learningRate / 2, step.learningRate.squareRoot(), 0, 0)
    }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let w = element.weight
        element.weight =
            w - k.constants.0 * (k.scaled(element.gradient) + k.decay * w) + k.constants.1 * element.noise
    }
}
