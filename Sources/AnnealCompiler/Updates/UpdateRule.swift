import AnnealCore

/// An optimizer's rule as engines see it: formulas for one element of a parameter, generic over the number type.
/// Engines that loop over host memory call `update` and `sums` of a `RuleSlice`, which are specialised to the rule;
/// others evaluate the formulas on their own number types.
///
/// Formulas are pure: an engine may evaluate one twice, and in any order of elements.
public protocol UpdateRule: Sendable {
    /// Arrays of the parameter's shape that are stored from one update to the next.
    var stateCount: Int { get }
    /// The initial value of a state.
    func stateStart(_ index: Int) -> StateStart
    /// The elements that `terms` are summed over.
    var sums: RuleSums { get }
    /// Whether elements get `noise`. Such parameters are stored in plain order, so that it is the same on every engine.
    var drawsNoise: Bool { get }
    /// Settings that determine which operations a formula has, e.g. whether there is momentum. Formulas read them from
    /// `RuleNumbers.choices`, at no cost: each combination has its own loops.
    var choices: (Bool, Bool) { get }

    /// Two numbers that are summed over the parameter or each of its rows before the update.
    func terms<N: RuleNumber>(_ element: RuleElement<N>, _ k: RuleNumbers<N>) -> (N, N)
    /// Receives the sums of `terms`, and adapts the step's numbers.
    func adapt<N: RuleNumber>(_ k: inout RuleNumbers<N>, to sums: (N, N))
    /// The weight and the states after the update.
    func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>)

    /// For engines: `update` of every element of a slice.
    func update(_ slice: RuleSlice)
    /// For engines: whether `update` would give every element of a slice a finite weight and finite states; changes nothing.
    func staysFinite(_ slice: RuleSlice) -> Bool
    /// For engines: the sums of `terms` over a slice.
    func sums(over slice: RuleSlice) -> (Double, Double)
}

extension UpdateRule {
    /// Whether the parameters must be in plain order, because rows or indices matter.
    public var needsPlainOrder: Bool { sums == .ofRows || drawsNoise }
}

/// The initial value of a state array.
public enum StateStart: Sendable {
    case zeros
    /// A copy of the weight.
    case weight
}

/// The elements that a rule's `terms` are summed over.
public enum RuleSums: Sendable {
    case none
    /// All elements of a parameter.
    case ofParameter
    /// Each row of a parameter: everything after its first axis.
    case ofRows
}

/// The numbers of a parameter's update that are the same for all its elements.
public struct RuleNumbers<N: RuleNumber> {
    /// r: gradients are multiplied by it first, e.g. 1 / batch size.
    public var scale: N
    /// l: the learning rate of this parameter in this step.
    public var rate: N
    /// d: the weight decay of this parameter.
    public var decay: N
    /// The bound of `clip`; infinite without clipping.
    public var bound: N
    /// Set by the rule's `prepare` for its formulas.
    public var constants: (N, N, N, N)
    /// The rule's `choices`.
    public let choices: (Bool, Bool)
    @usableFromInline let clips: Bool

    /// C: `x` clipped to ±`bound`; NaN stays NaN.
    @inlinable @inline(__always)
    public func clip(_ x: N) -> N { clips ? N.clip(x, bound) : x }

    /// C(r*g): a gradient scaled and then clipped.
    @inlinable @inline(__always)
    public func scaled(_ gradient: N) -> N { clip(scale * gradient) }

    @inlinable @inline(__always)
    public init(scale: N, rate: N, decay: N, bound: N, constants: (N, N, N, N), choices: (Bool, Bool), clips: Bool) {
        self.scale = scale
        self.rate = rate
        self.decay = decay
        self.bound = bound
        self.constants = constants
        self.choices = choices
        self.clips = clips
    }
}

/// A parameter's numbers in a step, as inputs of a program: scale, rate, decay, bound, and the rule's four constants.
public typealias StepNumbers = SIMD8<Float>

extension RuleNumbers {
    /// - Parameters:
    ///   - choices: the rule's.
    ///   - clips: whether gradients are clipped, if known in advance; clipping to infinity changes nothing.
    @inlinable @inline(__always)
    public init(_ numbers: StepNumbers, choices: (Bool, Bool), clips: Bool? = nil, _ convert: (Float) -> N) {
        self.init(
            scale: convert(numbers[0]), rate: convert(numbers[1]), decay: convert(numbers[2]),
            bound: convert(numbers[3]),
            constants: (convert(numbers[4]), convert(numbers[5]), convert(numbers[6]), convert(numbers[7])),
            choices: choices, clips: clips ?? (numbers[3] != .infinity))
    }
}

extension UpdateRule {
    /// The numbers of a step once sums of the parameter are known.
    public func adapted(_ numbers: StepNumbers, to sums: (Double, Double)) -> StepNumbers {
        var k = RuleNumbers<Double>(numbers, choices: choices) { Double($0) }
        adapt(&k, to: sums)
        let constants = k.constants
        return StepNumbers(
            Float(k.scale), Float(k.rate), Float(k.decay), Float(k.bound), Float(constants.0), Float(constants.1),
            Float(constants.2), Float(constants.3))
    }
}
