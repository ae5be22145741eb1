import AnnealCompiler
import AnnealCore
import AnnealGraph

/// How a weight follows from its gradient: one of MXNet's optimizers, without its state.
///
/// A rule is a value of hyperparameters and a formula for one element (`update`), which every engine runs: on the CPU as a
/// loop that is specialised to the rule. `Optimizer` counts updates, asks the schedule and prepares the numbers of a step;
/// states are arrays of the network's store.
///
/// In the formulas of the rules, `l` is the learning rate and `d` the weight decay with the parameter's multipliers,
/// `r` is `rescale_grad`, `C` clips to ±`clip_gradient`, `g` is the gradient, `t` counts the parameter's updates from
/// 1. Where MXNet rounds a constant to float32, the rules round it too: 1 - 0.999 is not 0.001 there.
///
/// A rule of one's own is a struct with at least a name, `stateCount` and `update`, given to `Optimizer(_:settings:)`:
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
    /// The learning rate that MXNet's class sets unless one is given; nil where it leaves that to the schedule (and
    /// without one takes 0.01).
    static var standardLearningRate: Double? { get }
    /// Whether the optimizer's own rate replaces the schedule's base; only Ftrl's does not.
    static var replacesScheduleRate: Bool { get }
    /// Whether the rule can let weights decay; only GroupAdaGrad cannot.
    static var takesWeightDecay: Bool { get }
    /// Whether a `clip_gradient` of 0 clips everything to 0, as in the rules that MXNet writes in Python; in those that it
    /// implements as operators 0 and less mean off.
    static var clipsAtZero: Bool { get }

    /// The rule whose standard settings above count: of a chain that of its rule.
    var kind: any OptimizerRule.Type { get }
    /// What saved states and messages call it: the name, and of a chain its parts' names.
    var label: String { get }
    /// What a trainer keeps of the weights in addition, unless it is told otherwise: of a chain that has an average.
    var averaging: WeightAveraging? { get }

    /// Reads the rule's own options by MXNet's names.
    init(options: inout NamedOptions) throws

    /// The rule's numbers that belong to no parameter, as they are before the first update, e.g. Nadam's product.
    var startScalars: [Double] { get }

    /// Whether a parameter of that name decays when neither the symbol nor the user says so.
    func decays(_ name: String) -> Bool
    /// Whether the rule treats a parameter of that name as a weight, where it makes a difference (LARS).
    func adapts(_ name: String) -> Bool
    /// Throws if the rule cannot update the parameter, e.g. one with weight decay.
    func check(_ name: String, shape: Shape, weightDecay: Double) throws

    /// Whether the schedule is asked before the update is counted (LBSGD).
    var asksBeforeCounting: Bool { get }
    /// A remark for the start of a run, e.g. that the learning rate is not used.
    var remark: String? { get }

    /// Called for each parameter of a step, in order, before anything is updated: what the formula needs of the step and is
    /// the same for all elements goes into `step`.
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
    /// MXNet: parameters whose names do not end in `_weight` or `_gamma` have a weight decay multiplier of 0.
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

/// What a rule is told of a step of one parameter.
public struct StepContext: Sendable {
    /// l: the schedule's rate times the parameter's `lr_mult`.
    public var learningRate: Double
    /// The schedule's rate, without the multiplier.
    public var baseRate: Double
    /// d: the weight decay times the parameter's `wd_mult`.
    public var weightDecay: Double
    /// The parameter's `wd_mult`.
    public let decayMultiplier: Double
    /// r: what the gradient is multiplied with first, e.g. 1 / batch size.
    public var rescale: Double
    /// `clip_gradient`; nil: off.
    public var clipGradient: Double?
    /// t: updates of this parameter, this one included.
    public var update: Int
    /// As `update`, without those that `begin_num_update` claims.
    public var ownUpdate: Int
    /// The parameter's place in the step, from 0, and the number of parameters.
    public var index: Int
    /// The number of parameters in the step.
    public var parameters: Int
    /// The rule's `adapts` for the parameter's name.
    public var adapts: Bool
    /// What the rule's formulas find as `RuleNumbers.constants`.
    public var constants = SIMD4<Double>(repeating: 0)

    /// The numbers as the formulas get them, in float32, which the weights are.
    func numbers(clipsAtZero: Bool) -> StepNumbers {
        let isOff = clipGradient.map { $0 < 0 || $0 == 0 && !clipsAtZero } ?? true
        return StepNumbers(
            Float(rescale), Float(learningRate), Float(weightDecay), isOff ? .infinity : Float(clipGradient ?? 0),
            Float(constants[0]), Float(constants[1]), Float(constants[2]), Float(constants[3]))
    }
}
