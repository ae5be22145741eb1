import AnnealCompiler
import AnnealCore

/// A part of a `RuleChain`: a formula that changes the gradient before the chain's rule gets it, or the weight after it.
///
/// ```swift
/// /// Lets only the gradient's sign through.
/// struct SignOfGradient: ChainLink {
///     static let name = "sign"
///     func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
///         element.gradient = N.sign(element.gradient)
///     }
/// }
/// ```
public protocol ChainLink: Sendable {
    /// Saved states and messages name the link so.
    static var name: String { get }
    /// Arrays of the parameter's shape that the link keeps from one update to the next.
    var stateCount: Int { get }
    /// What a state holds before the first update.
    func stateStart(_ index: Int) -> StateStart
    /// Whether weight decay acts in this link: the rule gets none then.
    var takesWeightDecay: Bool { get }
    /// The decay of a link that takes it, for a parameter of a step; by default that of the optimizer's settings.
    func weightDecay(_ step: StepContext) -> Double

    /// Changes the element: its gradient, which is multiplied by r and was changed by the links before; its weight, which the
    /// rule has changed if the link follows it; and the link's states.
    ///
    /// Of `k` the rate and the decay have a meaning, the decay in a link that takes it only.
    func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>)

    /// For `RuleChain`: `update` of every element of a block, as a loop that is specialised to the link.
    func update(_ block: ChainBlock)
}

extension ChainLink {
    @inlinable
    public var stateCount: Int { 0 }
    public func stateStart(_ index: Int) -> StateStart { .zeros }
    public var takesWeightDecay: Bool { false }
    public func weightDecay(_ step: StepContext) -> Double { step.weightDecay }

    @inlinable
    public func update(_ block: ChainBlock) {
        switch stateCount {
        case 0: block.run(self, NoState.self)
        case 1: block.run(self, OneState.self)
        case 2: block.run(self, TwoStates.self)
        case 3: block.run(self, ThreeStates.self)
        default: block.run(self)
        }
    }
}

/// Clips the gradient to ±`bound` at its place in the chain; NaN stays NaN.
public struct ClipGradient: ChainLink {
    public static let name = "clip_gradient"
    public var bound: Double

    /// - Precondition: the bound is above 0.
    public init(_ bound: Double) {
        precondition(bound > 0, "a bound of \(bound)")
        self.bound = bound
    }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        element.gradient = N.clip(element.gradient, N(bound))
    }
}

/// Adds decay * weight to the gradient, in place of what the rule does with weight decay.
public struct WeightDecay: ChainLink {
    public static let name = "weight_decay"
    /// nil: that of the optimizer's settings. Either is multiplied by the parameter's `wd_mult`.
    public var decay: Double?

    public init(_ decay: Double? = nil) { self.decay = decay }

    public var takesWeightDecay: Bool { true }
    public func weightDecay(_ step: StepContext) -> Double {
        decay.map { $0 * step.decayMultiplier } ?? step.weightDecay
    }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        element.gradient = element.gradient + k.decay * element.weight
    }
}

/// Hands on a moving average of the gradients: m = keep*m + (1-keep)*g, from 0 on.
public struct AverageGradient: ChainLink {
    public static let name = "average_gradient"
    public var keep: Double

    /// - Precondition: `keep` is from 0 to below 1.
    public init(_ keep: Double) {
        precondition((0..<1).contains(keep), "an average that keeps \(keep)")
        self.keep = keep
    }

    public var stateCount: Int { 1 }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        element.states[0] = N(keep) * element.states[0] + N(1 - keep) * element.gradient
        element.gradient = element.states[0]
    }
}

/// Clips the weight to ±`bound`; after the rule, so that no weight grows beyond it.
public struct ClipWeight: ChainLink {
    public static let name = "clip_weight"
    public var bound: Double

    /// - Precondition: the bound is above 0.
    public init(_ bound: Double) {
        precondition(bound > 0, "a bound of \(bound)")
        self.bound = bound
    }

    public func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        element.weight = N.clip(element.weight, N(bound))
    }
}
