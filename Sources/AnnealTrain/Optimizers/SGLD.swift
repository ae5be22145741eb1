import AnnealCore

/// Stochastic gradient Langevin dynamics (Welling and Teh 2011; MXNet cites Patterson and Teh 2013); MXNet's `sgld`.
///
///     w = w - l/2 * (C(r*g) + d*w) + normal(0, sqrt(l))
///
/// The noise is a function of the seed, the parameter's name, the update and the element's place in memory, so threads
/// and resumption do not change it. An element whose weight and gradient are both 0 gets none: that is what the filling
/// of layouts looks like, which has to stay 0. MXNet's default: learning rate 0.01.
public struct SGLD: OptimizerRule {
    public static let name = "sgld"

    public init() {}
    public init(options: inout NamedOptions) throws {}

    public var stateCount: Int { 0 }

    public func update(_ slice: ParameterSlice, _ step: StepContext) {
        let bound = step.pythonBound, r = step.r, d = step.d
        let half = Float(step.learningRate / 2), deviation = Float(step.learningRate.squareRoot())
        // A stream for each chunk: the multiplier spreads neighbours over all indices.
        let chunk = UInt32(truncatingIfNeeded: step.offset / Optimizer.chunkSize)
        var random = Random(
            seed: step.seed, purpose: .noise, epoch: step.update, index: Int(step.stream ^ (chunk &* 0x9E37_79B1)))
        slice.update { w, g in
            let noise = random.normal()
            if w == 0, g == 0 { return }
            w -= half * (clip(r * g, bound) + d * w)
            w += deviation * noise
        }
    }
}
