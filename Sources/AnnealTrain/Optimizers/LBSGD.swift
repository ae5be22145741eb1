import AnnealCompiler
import AnnealCore

/// SGD for large batches accumulated from small ones, with its own warm-up; MXNet's `lbsgd`.
///
///     c = c + g;  at every batch_scale-th update, with g = c/batch_scale and l' = l*mult: as SGD with momentum; c = 0
///
/// mult rises from 1 to batch_scale over N = warmup_epochs * updates_per_epoch updates n: 1 + (batch_scale-1)*x with
/// x = n/N (linear), its square (power2) or root (sqrt); after N it is batch_scale. The strategy `lars` takes
/// sqrt(|w|² / (|g|² + d*|w|² + 1e-18)) within 0.01 ... 100 instead. Goyal et al. 2017, arXiv:1706.02677; You, Gitman
/// and Ginsburg 2017, arXiv:1708.03888.
///
/// MXNet asks the schedule before it counts the update, so that the first parameter is one update late. Its defaults:
/// momentum 0, linear, warmup_epochs 5, batch_scale 1, updates_per_epoch 32, begin_epoch 0.
public struct LBSGD: OptimizerRule {
    public static let name = "lbsgd"

    /// How the learning rate is scaled for the large batch.
    public enum Strategy: String, Sendable, CaseIterable { case linear, power2, sqrt, lars }

    public var momentum: Double
    public var strategy: Strategy
    public var warmUpEpochs: Int
    public var batchScale: Int
    public var updatesPerEpoch: Int
    public var beginEpoch: Int

    /// - Precondition: momentum is not negative, and the batch scale at least 1.
    public init(
        momentum: Double = 0, strategy: Strategy = .linear, warmUpEpochs: Int = 5, batchScale: Int = 1,
        updatesPerEpoch: Int = 32, beginEpoch: Int = 0
    ) {
        precondition(momentum >= 0, "momentum \(momentum) is negative")
        precondition(batchScale >= 1, "a batch scale of \(batchScale)")
        self.momentum = momentum
        self.strategy = strategy
        self.warmUpEpochs = warmUpEpochs
        self.batchScale = batchScale
        self.updatesPerEpoch = updatesPerEpoch
        self.beginEpoch = beginEpoch
    }

    public init(options: inout NamedOptions) throws {
        // MXNet stores num_epochs but never uses it.
        options.ignore("num_epochs")
        let scale = try options.integer("batch_scale", 1)
        guard scale >= 1 else {
            throw AnnealError("\(options.place), batch_scale", "is \(scale)", suggestion: "give 1 or more")
        }
        self.init(
            momentum: try options.momentum(), strategy: try options.choice("warmup_strategy", .linear),
            warmUpEpochs: try options.integer("warmup_epochs", 5), batchScale: scale,
            updatesPerEpoch: try options.integer("updates_per_epoch", 32),
            beginEpoch: try options.integer("begin_epoch", 0))
    }

    /// The momentum, if any, then the sum of gradients, if any.
    public var stateCount: Int { (momentum == 0 ? 0 : 1) + (batchScale == 1 ? 0 : 1) }
    public var choices: (Bool, Bool) { (momentum != 0, batchScale > 1) }
    public var asksBeforeCounting: Bool { true }
    public var sums: RuleSums { strategy == .lars ? .ofParameter : .none }

    /// constants: 1 if this update completes the large batch.
    public func prepare(_ step: inout StepContext, _ scalars: inout [Double]) {
        let done = beginEpoch * updatesPerEpoch + step.ownUpdate
        step.constants[0] = done % batchScale == 0 ? 1 : 0
        if strategy != .lars { step.learningRate *= multiplier(after: done) }
    }

    /// The warm-up's multiplier for update `n`.
    func multiplier(after n: Int) -> Double {
        let end = warmUpEpochs * updatesPerEpoch
        if n >= end { return Double(batchScale) }
        if end <= 1 { return 1 }
        let share = Double(n) / Double(end)
        return switch strategy {
        case .linear: 1 + Double(batchScale - 1) * share
        case .power2: 1 + Double(batchScale - 1) * (share * share)
        case .sqrt: 1 + Double(batchScale - 1) * share.squareRoot()
        case .lars: 1
        }
    }

    /// The mean gradient of the large batch so far, including this one.
    @inline(__always)
    private func mean<N: RuleNumber>(_ element: RuleElement<N>, _ k: RuleNumbers<N>) -> N {
        let (hasMomentum, gathers) = k.choices
        return gathers
            ? (element.states[hasMomentum ? 1 : 0] + element.gradient) / N(Double(batchScale)) : element.gradient
    }

    public func terms<N: RuleNumber>(_ element: RuleElement<N>, _ k: RuleNumbers<N>) -> (N, N) {
        let mean = mean(element, k)
        return (element.weight * element.weight, mean * mean)
    }

    public func adapt<N: RuleNumber>(_ k: inout RuleNumbers<N>, to sums: (N, N)) {
        let ratio = N.root(sums.0 / (sums.1 + k.decay * sums.0 + N(1e-18)))
        let low = N(0.01), high = N(100)
        k.rate = k.rate * N.select(low, over: ratio, low, N.select(ratio, over: high, high, ratio))
    }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        let (hasMomentum, gathers) = k.choices
        var updated = element
        SGD.update(&updated, k, by: k.scaled(mean(element, k)), momentum: hasMomentum ? N(momentum) : nil)
        guard gathers else {
            element = updated
            return
        }
        let completes = k.constants.0, sum = hasMomentum ? 1 : 0
        element.weight = N.select(completes, over: N(0), updated.weight, element.weight)
        if hasMomentum {
            element.states[0] = N.select(completes, over: N(0), updated.states[0], element.states[0])
        }
        element.states[sum] = N.select(completes, over: N(0), N(0), element.states[sum] + element.gradient)
    }
}
