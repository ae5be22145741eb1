import AnnealCompiler
import AnnealCore

/// A part of a `RuleChain`: a formula that changes the gradient before the chain's rule, or the weight after it.
///
/// ```swift
/// /// Passes on only the gradient's sign.
/// struct SignOfGradient: ChainLink {
///     static let name = "sign"
///     func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
///         element.gradient = N.sign(element.gradient)
///     }
/// }
/// ```
public protocol ChainLink: Sendable {
    /// The link's name in saved states and messages.
    static var name: String { get }
    /// Arrays of the parameter's shape that the link keeps from one update to the next.
    var stateCount: Int { get }
    /// The initial value of a state.
    func stateStart(_ index: Int) -> StateStart
    /// Whether this link applies weight decay: then the rule gets none.
    var takesWeightDecay: Bool { get }
    /// The decay of a link that applies it, for one parameter in a step; by default the one in the optimizer's
    /// settings.
    func weightDecay(_ step: StepContext) -> Double

    /// Changes the element: its gradient, already multiplied by r and changed by earlier links; its weight, already
    /// changed by the rule if the link comes after it; and the link's states.
    ///
    /// In `k` only the rate and the decay have a meaning, the decay only in a link that applies it.
    func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>)

    /// For `RuleChain`: `update` for every element of a block, as a loop specialised to the link.
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

/// Clips the gradient to ±`bound` at its position in the chain; NaN stays NaN.
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

/// Adds decay * weight to the gradient, in place of the rule's own weight decay.
public struct WeightDecay: ChainLink {
    public static let name = "weight_decay"
    /// nil: the one in the optimizer's settings. Either is multiplied by the parameter's `wd_mult`.
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

/// Replaces the gradient by its moving average: m = keep*m + (1-keep)*g, starting at 0.
public struct AverageGradient: ChainLink {
    public static let name = "average_gradient"
    public var keep: Double

    /// - Precondition: `keep` is at least 0 and below 1.
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

/// Clips the weight to ±`bound`; placed after the rule, it keeps weights within the bound.
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
