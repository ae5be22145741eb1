import AnnealCore

/// An optimizer's rule as engines see it: formulas for one element of a parameter, generic over the number that they compute
/// with. Engines that loop over host memory call `update` and `sums` of a `RuleSlice`, which are specialised to the rule;
/// others run the formulas on numbers of their own.
///
/// Formulas are pure: an engine may compute one twice, and in any order of elements.
public protocol UpdateRule: Sendable {
    /// Arrays of the parameter's shape that are kept from one update to the next.
    var stateCount: Int { get }
    /// What a state holds before the first update.
    func stateStart(_ index: Int) -> StateStart
    /// What `terms` are summed over.
    var sums: RuleSums { get }
    /// Whether elements get `noise`. Their parameters are kept in plain order, so that it is the same on every engine.
    var drawsNoise: Bool { get }
    /// Settings that decide which operations a formula has, e.g. whether there is a momentum. Formulas ask `RuleNumbers.choices`
    /// for them, at no cost: each combination has loops of its own.
    var choices: (Bool, Bool) { get }

    /// Two numbers that are summed over the parameter or each of its rows before the update.
    func terms<N: RuleNumber>(_ element: RuleElement<N>, _ k: RuleNumbers<N>) -> (N, N)
    /// Gets the sums of `terms`, and changes the step's numbers by them.
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
    /// Whether the parameters must be in plain order, since rows or places count.
    public var needsPlainOrder: Bool { sums == .ofRows || drawsNoise }
}

/// What a state array holds before the first update.
public enum StateStart: Sendable {
    case zeros
    /// A copy of the weight.
    case weight
}

/// What a rule's `terms` are summed over.
public enum RuleSums: Sendable {
    case none
    /// All elements of a parameter.
    case ofParameter
    /// Each row of a parameter: everything after its first axis.
    case ofRows
}

/// An element of a parameter in an update.
public struct RuleElement<N: RuleNumber> {
    public var weight: N
    /// g, neither scaled nor clipped.
    public var gradient: N
    public var states: RuleStates<N>
    /// A draw from the normal distribution of mean 0 and variance 1, for rules that draw; else 0.
    public let noise: N

    @inlinable @inline(__always)
    public init(weight: N, gradient: N, states: RuleStates<N>, noise: N) {
        self.weight = weight
        self.gradient = gradient
        self.states = states
        self.noise = noise
    }
}

/// An element's states, by their numbers.
public struct RuleStates<N: RuleNumber> {
    // The first three are named, so that loops over them become vector instructions.
    public var first: N
    public var second: N
    public var third: N
    /// What follows them; the caller's memory, which outlives the element.
    @usableFromInline let others: UnsafeMutablePointer<N>?

    @inlinable @inline(__always)
    public init(_ first: N, _ second: N, _ third: N, others: UnsafeMutablePointer<N>? = nil) {
        self.first = first
        self.second = second
        self.third = third
        self.others = others
    }

    @inlinable
    public subscript(index: Int) -> N {
        @inline(__always) get {
            switch index {
            case 0: first
            case 1: second
            case 2: third
            default: other(index)[index - 3]
            }
        }
        @inline(__always) set {
            switch index {
            case 0: first = newValue
            case 1: second = newValue
            case 2: third = newValue
            default: other(index)[index - 3] = newValue
            }
        }
    }

    /// `count` states from number `first` on, as the states of a part of the rule. Those after its first three are in the same
    /// memory; `replace` gives the others back.
    @inlinable
    public func part(from first: Int, count: Int) -> RuleStates {
        func state(_ index: Int) -> N { index < count ? self[first + index] : N(0) }
        return RuleStates(state(0), state(1), state(2), others: others.map { $0 + first })
    }

    /// Takes over what a part's formula has made of its states.
    @inlinable
    public mutating func replace(from first: Int, count: Int, with part: RuleStates) {
        for index in 0..<min(count, 3) { self[first + index] = part[index] }
    }

    @inlinable
    func other(_ index: Int) -> UnsafeMutablePointer<N> {
        guard let others else { preconditionFailure("the rule keeps no state \(index)") }
        return others
    }
}

/// The numbers of a parameter's update that are the same for all its elements.
public struct RuleNumbers<N: RuleNumber> {
    /// r: what gradients are multiplied by first, e.g. 1 / batch size.
    public var scale: N
    /// l: the learning rate of this parameter in this step.
    public var rate: N
    /// d: the weight decay of this parameter.
    public var decay: N
    /// The bound of `clip`; infinite where nothing is clipped.
    public var bound: N
    /// What the rule's `prepare` leaves for its formulas.
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

/// A parameter's numbers in a step, as a program gets them: scale, rate, decay, bound, and the rule's four constants.
public typealias StepNumbers = SIMD8<Float>

extension RuleNumbers {
    /// - Parameters:
    ///   - choices: the rule's.
    ///   - clips: whether gradients are clipped, where that is known beforehand; what is clipped to infinity stays the same.
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

/// Elements of a parameter in host memory, with their gradients and states.
///
/// The engine keeps the memory alive and untouched by others while a rule works on it.
public struct RuleSlice {
    /// Of the parameter in this step, adapted to its sums.
    public let numbers: StepNumbers
    public let start: Int
    public let count: Int
    /// All of the parameter, of its gradient and of its states: the slice is `start..<start + count` of each.
    public let weight: UnsafeMutablePointer<Float>
    public let gradient: UnsafePointer<Float>
    public let states: UnsafeBufferPointer<UnsafeMutablePointer<Float>>
    /// Normal draws for the slice's elements, from its first on, for rules that draw.
    public let noise: UnsafePointer<Float>?

    public init(
        numbers: StepNumbers, start: Int, count: Int, weight: UnsafeMutablePointer<Float>,
        gradient: UnsafePointer<Float>, states: UnsafeBufferPointer<UnsafeMutablePointer<Float>>,
        noise: UnsafePointer<Float>? = nil
    ) {
        self.numbers = numbers
        self.start = start
        self.count = count
        self.weight = weight
        self.gradient = gradient
        self.states = states
        self.noise = noise
    }

    /// The same with other numbers.
    public func with(_ numbers: StepNumbers) -> RuleSlice {
        RuleSlice(
            numbers: numbers, start: start, count: count, weight: weight, gradient: gradient, states: states,
            noise: noise)
    }
}

/// The noise of rules that draw: a function of the seed, the parameter's name, its update and the element's place in plain
/// order, the same on every engine.
public enum RuleNoise {
    /// Elements that share a random stream.
    public static let chunk = 8192

    /// The draws for all elements of a parameter, in plain order.
    public static func draws(_ count: Int, parameter: String, update: Int, seed: UInt64) -> [Float] {
        var draws = [Float](repeating: 0, count: count)
        draws.withUnsafeMutableBufferPointer { draws in
            for start in stride(from: 0, to: count, by: chunk) {
                fill(
                    UnsafeMutableBufferPointer(rebasing: draws[start..<min(start + chunk, count)]),
                    chunk: start / chunk,
                    parameter: parameter, update: update, seed: seed)
            }
        }
        return draws
    }

    /// Fills in the draws for elements of one chunk, from its first on.
    public static func fill(
        _ draws: UnsafeMutableBufferPointer<Float>, chunk: Int, parameter: String, update: Int, seed: UInt64
    ) {
        // FNV-1a; the multiplier spreads neighbours over all indices.
        let stream = parameter.utf8.reduce(0x811c_9dc5 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
        let index = stream ^ (UInt32(truncatingIfNeeded: chunk) &* 0x9E37_79B1)
        var random = Random(seed: seed, purpose: .noise, epoch: update, index: Int(index))
        for element in draws.indices { draws[element] = random.normal() }
    }
}
