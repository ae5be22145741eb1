import AnnealCore
import CAnnealKernels

/// How a weight follows from its gradient: one of MXNet's optimizers, without its state.
///
/// A rule is a value of hyperparameters; `Optimizer` holds the state arrays, counts updates and calls it. In a step
/// each parameter is prepared in order, then, if the rule `reduces`, summed up in fixed chunks, and then updated in
/// slices, on several threads at once.
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
///     func update(_ slice: ParameterSlice, _ step: StepContext) {
///         slice.update { w, g in w -= step.l * (step.scaled(g) > 0 ? 1 : -1) }
///     }
/// }
/// ```
public protocol OptimizerRule: Sendable {
    /// MXNet's registered name, e.g. `sgd`.
    static var name: String { get }
    /// The learning rate that MXNet's class sets unless one is given; nil where it leaves that to the schedule (and
    /// without one takes 0.01).
    static var standardLearningRate: Double? { get }
    /// Whether the optimizer's own rate replaces the schedule's base; only Ftrl's does not.
    static var replacesScheduleRate: Bool { get }
    /// Whether the rule can let weights decay; only GroupAdaGrad cannot.
    static var takesWeightDecay: Bool { get }

    /// Reads the rule's own options by MXNet's names.
    init(options: inout NamedOptions) throws

    /// Arrays of the weight's size that are kept for each parameter: 0 to 3.
    var stateCount: Int { get }
    /// What a state array holds before the first update.
    func stateStart(_ index: Int) -> StateStart
    /// The rule's numbers that belong to no parameter, as they are before the first update, e.g. Nadam's product.
    var startScalars: [Double] { get }

    /// Whether a parameter of that name decays when neither the symbol nor the user says so.
    func decays(_ name: String) -> Bool
    /// Whether the rule treats a parameter of that name as a weight, where it makes a difference (LARS).
    func adapts(_ name: String) -> Bool
    /// Throws if the rule cannot update the parameter, e.g. one without rows or with weight decay.
    func check(_ parameter: OptimizedParameter, weightDecay: Double) throws

    /// Whether the schedule is asked before the update is counted (LBSGD).
    var asksBeforeCounting: Bool { get }
    /// Whether slices must be whole rows of the parameter (GroupAdaGrad).
    var wantsRows: Bool { get }
    /// Whether `reduce` and `finish` are called.
    var reduces: Bool { get }
    /// A remark for the start of a run, e.g. that the learning rate is not used.
    var remark: String? { get }

    /// Called for each parameter of a step, in order, before anything is updated.
    func prepare(_ step: inout StepContext, _ scalars: inout [Double])
    /// Two sums over a slice, taken before the update; may change the states.
    func reduce(_ slice: ParameterSlice, _ step: StepContext) -> (Double, Double)
    /// Gets the parameter's sums and keeps what the update needs in `step.constants`.
    func finish(_ step: inout StepContext, _ sums: (Double, Double))
    /// Updates a slice: element by element, so that slices can be updated in any order.
    func update(_ slice: ParameterSlice, _ step: StepContext)
}

/// What a state array holds before the first update.
public enum StateStart: Sendable {
    case zeros
    /// A copy of the weight.
    case weight
}

extension OptimizerRule {
    public static var standardLearningRate: Double? { nil }
    public static var replacesScheduleRate: Bool { true }
    public static var takesWeightDecay: Bool { true }
    public func stateStart(_ index: Int) -> StateStart { .zeros }
    public var startScalars: [Double] { [] }
    /// MXNet: parameters whose names do not end in `_weight` or `_gamma` have a weight decay multiplier of 0.
    public func decays(_ name: String) -> Bool { name.hasSuffix("_weight") || name.hasSuffix("_gamma") }
    public func adapts(_ name: String) -> Bool { true }
    public func check(_ parameter: OptimizedParameter, weightDecay: Double) throws {}
    public var asksBeforeCounting: Bool { false }
    public var wantsRows: Bool { false }
    public var reduces: Bool { false }
    public var remark: String? { nil }
    public func prepare(_ step: inout StepContext, _ scalars: inout [Double]) {}
    public func reduce(_ slice: ParameterSlice, _ step: StepContext) -> (Double, Double) { (0, 0) }
    public func finish(_ step: inout StepContext, _ sums: (Double, Double)) {}
}

/// What a rule is told of a step of one parameter.
public struct StepContext: Sendable {
    /// l: the schedule's rate times the parameter's `lr_mult`.
    public var learningRate: Double
    /// The schedule's rate, without the multiplier.
    public var baseRate: Double
    /// d: the weight decay times the parameter's `wd_mult`.
    public var weightDecay: Double
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
    /// Elements of a row, 0 if unknown.
    public var rowLength: Int
    /// Of rules that draw random numbers: the run's seed and the parameter's own stream.
    public var seed: UInt64
    /// A number that follows from the parameter's name.
    public var stream: UInt32
    /// The slice's first element in the parameter; set for each slice.
    public var offset = 0
    /// Numbers that `prepare` and `finish` hand to `update`.
    public var constants = SIMD4<Double>(repeating: 0)

    // The letters of the formulas, as float32, which the weights are.

    /// l, `learningRate` as float32.
    @inlinable
    public var l: Float { Float(learningRate) }
    /// d, `weightDecay` as float32.
    @inlinable
    public var d: Float { Float(weightDecay) }
    /// r, `rescale` as float32.
    @inlinable
    public var r: Float { Float(rescale) }
    /// The bound of C, infinite where nothing is clipped, in rules that MXNet implements as operators: 0 and less mean off.
    @inlinable
    public var bound: Float { clipGradient.map { $0 > 0 ? Float($0) : .infinity } ?? .infinity }
    /// The bound of C in rules that MXNet writes in Python (adagrad, adadelta, adamax, nadam, dcasgd, sgld): there 0
    /// clips everything to 0.
    @inlinable
    public var pythonBound: Float { clipGradient.map { $0 >= 0 ? Float($0) : .infinity } ?? .infinity }

    /// C(r*g): a gradient as the formulas use it, rescaled and then clipped to ±`bound`; NaN stays NaN.
    @inlinable
    public func scaled(_ gradient: Float) -> Float { min(max(r * gradient, -bound), bound) }
}

/// `x` clipped to ±`bound`; NaN stays NaN, so that a broken gradient is seen.
@inline(__always)
func clip(_ x: Float, _ bound: Float) -> Float { min(max(x, -bound), bound) }

/// -1, 0 or 1.
@inline(__always)
func sign(_ x: Float) -> Float { x > 0 ? 1 : (x < 0 ? -1 : 0) }

/// The square root, in a form that loops are vectorised with.
@inline(__always)
func root(_ x: Float) -> Float { ank_sqrt(x) }
