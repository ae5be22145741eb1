import AnnealCompiler
import AnnealCore
import AnnealGraph

/// How a weight follows from its gradient: one of MXNet's optimizers, without its state.
///
/// A rule consists of hyperparameters and a formula for one element (`update`), which every engine runs: on the CPU as
/// a loop specialised to the rule. `Optimizer` counts updates, asks the schedule and prepares the numbers of a step;
/// states are arrays of the network's store.
///
/// In the formulas of the rules, `l` is the learning rate and `d` the weight decay, both with the parameter's
/// multipliers, `r` is `rescale_grad`, `C` clips to ±`clip_gradient`, `g` is the gradient, `t` counts the parameter's
/// updates from 1. Where MXNet rounds a constant to float32, the rules round it too: 1 - 0.999 is not 0.001 there.
///
/// A custom rule is a struct with at least a name, `stateCount` and `update`, passed to `Optimizer(_:settings:)`:
///
/// ```swift
/// struct SignDescent: OptimizerRule {
///     static let name = "sign-descent"
///     init() {}
///     init(options: inout NamedOptions) throws {}
///     var stateCount: Int { 0 }
///     func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
///         element.weight = element.weight - k.rate * N.sign(k.scaled(element.gradient))
///     }
/// }
/// ```
public protocol OptimizerRule: UpdateRule {
    /// MXNet's registered name, e.g. `sgd`.
    static var name: String { get }
    /// The learning rate that MXNet's class sets by default; nil if it leaves that to the schedule (0.01 without one).
    static var standardLearningRate: Double? { get }
    /// Whether the optimizer's own rate replaces the schedule's base; only Ftrl's does not.
    static var replacesScheduleRate: Bool { get }
    /// Whether the rule supports weight decay; only GroupAdaGrad does not.
    static var takesWeightDecay: Bool { get }
    /// Whether a `clip_gradient` of 0 clips everything to 0, as in MXNet's Python optimizers; in those implemented as
    /// operators 0 and less mean off.
    static var clipsAtZero: Bool { get }

    /// The rule that the settings above are taken from: for a chain, its rule.
    var kind: any OptimizerRule.Type { get }
    /// The label in saved states and messages: the name, for a chain with its parts' names.
    var label: String { get }
    /// The weight averaging that a trainer uses by default: that of a chain, if it has one.
    var averaging: WeightAveraging? { get }

    /// Reads the rule's own options by MXNet's names.
    init(options: inout NamedOptions) throws

    /// The initial values of numbers that all parameters share, e.g. Nadam's product.
    var startScalars: [Double] { get }

    /// Whether a parameter of that name decays unless the symbol or the user says otherwise.
    func decays(_ name: String) -> Bool
    /// Whether the rule treats a parameter of that name as a weight, where that matters (LARS).
    func adapts(_ name: String) -> Bool
    /// Throws if the rule cannot update the parameter, e.g. because of weight decay.
    func check(_ name: String, shape: Shape, weightDecay: Double) throws

    /// Whether the schedule is asked before the update is counted (LBSGD).
    var asksBeforeCounting: Bool { get }
    /// A note for the start of a run, e.g. that the learning rate is not used.
    var remark: String? { get }

    /// Called for each parameter of a step, in order, before anything is updated: values that the formula needs and
    /// that are the same for all elements go into `step`.
    func prepare(_ step: inout StepContext, _ scalars: inout [Double])
}

extension OptimizerRule {
    public static var standardLearningRate: Double? { nil }
    public static var replacesScheduleRate: Bool { true }
    public static var takesWeightDecay: Bool { true }
    public static var clipsAtZero: Bool { false }
    public var kind: any OptimizerRule.Type { Self.self }
    public var label: String { Self.name }
    public var averaging: WeightAveraging? { nil }
    public func stateStart(_ index: Int) -> StateStart { .zeros }
    public var startScalars: [Double] { [] }
    public var sums: RuleSums { .none }
    public var drawsNoise: Bool { false }
    @inlinable
    public var choices: (Bool, Bool) { (false, false) }
    /// MXNet: parameters with names that do not end in `_weight` or `_gamma` have a weight decay multiplier of 0.
    public func decays(_ name: String) -> Bool { name.hasSuffix("_weight") || name.hasSuffix("_gamma") }
    public func adapts(_ name: String) -> Bool { true }
    public func check(_ name: String, shape: Shape, weightDecay: Double) throws {}
    public var asksBeforeCounting: Bool { false }
    public var remark: String? { nil }
    public func prepare(_ step: inout StepContext, _ scalars: inout [Double]) {}
    @inlinable
    public func terms<N: RuleNumber>(_ element: RuleElement<N>, _ k: RuleNumbers<N>) -> (N, N) { (N(0), N(0)) }
    @inlinable
    public func adapt<N: RuleNumber>(_ k: inout RuleNumbers<N>, to sums: (N, N)) {}
}

/// The values of one parameter's update that a rule receives.
public struct StepContext: Sendable {
    /// l: the schedule's rate times the parameter's `lr_mult`.
    public var learningRate: Double
    /// The schedule's rate, without the multiplier.
    public var baseRate: Double
    /// d: the weight decay times the parameter's `wd_mult`.
    public var weightDecay: Double
    /// The parameter's `wd_mult`.
    public let decayMultiplier: Double
    /// r: the gradient is multiplied by it first, e.g. 1 / batch size.
    public var rescale: Double
    /// `clip_gradient`; nil: off.
    public var clipGradient: Double?
    /// t: updates of this parameter, including this one.
    public var update: Int
    /// As `update`, without those counted by `begin_num_update`.
    public var ownUpdate: Int
    /// The parameter's index in the step, from 0.
    public var index: Int
    /// The number of parameters in the step.
    public var parameters: Int
    /// The rule's `adapts` for the parameter's name.
    public var adapts: Bool
    /// The rule's formulas read these as `RuleNumbers.constants`.
    public var constants = SIMD4<Double>(repeating: 0)

    /// The numbers for the formulas, in float32 like the weights.
    func numbers(clipsAtZero: Bool) -> StepNumbers {
        let isOff = clipGradient.map { $0 < 0 || $0 == 0 && !clipsAtZero } ?? true
        return StepNumbers(
            Float(rescale), Float(learningRate), Float(weightDecay), isOff ? .infinity : Float(clipGradient ?? 0),
            Float(constants[0]), Float(constants[1]), Float(constants[2]), Float(constants[3]))
    }
}
