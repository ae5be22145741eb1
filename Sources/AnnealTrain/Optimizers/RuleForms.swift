import AnnealCompiler

/// The form of a loop over a rule's elements, as a type, so that the compiler specialises it: the number of states, the
/// rule's choices, and whether gradients are clipped.
@usableFromInline
protocol RuleForm {
    associatedtype States: LoopStates
    /// Values shared by all elements of a slice.
    static func numbers(_ slice: RuleSlice) -> RuleNumbers<HostFloat>
}

@usableFromInline
enum LoopForm<States: LoopStates, First: LoopChoice, Second: LoopChoice, Clips: LoopChoice>: RuleForm {
    @inlinable @inline(__always)
    static func numbers(_ slice: RuleSlice) -> RuleNumbers<HostFloat> {
        RuleNumbers(slice.numbers, choices: (First.isYes, Second.isYes), clips: Clips.isYes) { HostFloat(value: $0) }
    }
}

/// The arrays of a slice in one form; missing states are replaced by the weights.
@usableFromInline
struct LoopArrays<States: LoopStates> {
    @usableFromInline let weight: UnsafeMutablePointer<Float>
    @usableFromInline let gradient: UnsafePointer<Float>
    @usableFromInline let first: UnsafeMutablePointer<Float>
    @usableFromInline let second: UnsafeMutablePointer<Float>
    @usableFromInline let third: UnsafeMutablePointer<Float>

    @inlinable @inline(__always)
    init(_ slice: RuleSlice) {
        weight = slice.weight
        gradient = slice.gradient
        first = States.count > 0 ? slice.states[0] : slice.weight
        second = States.count > 1 ? slice.states[1] : slice.weight
        third = States.count > 2 ? slice.states[2] : slice.weight
    }

    @inlinable
    subscript(i: Int) -> RuleElement<HostFloat> {
        @inline(__always) get {
            let zero = HostFloat(0)
            return RuleElement(
                weight: HostFloat(value: weight[i]), gradient: HostFloat(value: gradient[i]),
                states: RuleStates(
                    States.count > 0 ? HostFloat(value: first[i]) : zero,
                    States.count > 1 ? HostFloat(value: second[i]) : zero,
                    States.count > 2 ? HostFloat(value: third[i]) : zero),
                noise: zero)
        }
        @inline(__always) nonmutating set {
            weight[i] = newValue.weight.value
            if States.count > 0 { first[i] = newValue.states.first.value }
            if States.count > 1 { second[i] = newValue.states.second.value }
            if States.count > 2 { third[i] = newValue.states.third.value }
        }
    }
}

@usableFromInline
protocol LoopChoice { static var isYes: Bool { get } }
@usableFromInline
enum Yes: LoopChoice {
    @inlinable
    static var isYes: Bool { true }
}
@usableFromInline
enum No: LoopChoice {
    @inlinable
    static var isYes: Bool { false }
}

@usableFromInline
protocol LoopStates { static var count: Int { get } }
@usableFromInline
enum NoState: LoopStates {
    @inlinable
    static var count: Int { 0 }
}
@usableFromInline
enum OneState: LoopStates {
    @inlinable
    static var count: Int { 1 }
}
@usableFromInline
enum TwoStates: LoopStates {
    @inlinable
    static var count: Int { 2 }
}
@usableFromInline
enum ThreeStates: LoopStates {
    @inlinable
    static var count: Int { 3 }
}

/// An operation on all elements of a slice.
@usableFromInline
protocol RuleLoop {
    associatedtype Result
    func run<Rule: OptimizerRule, Form: RuleForm>(_ rule: Rule, _ slice: RuleSlice, _ form: Form.Type) -> Result
    /// For a rule with noise or more states than the forms have.
    func run<Rule: OptimizerRule>(_ rule: Rule, _ slice: RuleSlice) -> Result
}

// Never inlined: each loop is a separate function, small enough for the compiler to inline the formula.

@usableFromInline
struct UpdateLoop: RuleLoop {
    @inlinable
    init() {}

    @inlinable @inline(never)
    func run<Rule: OptimizerRule, Form: RuleForm>(_ rule: Rule, _ slice: RuleSlice, _ form: Form.Type) {
        let arrays = LoopArrays<Form.States>(slice), k = form.numbers(slice)
        for i in slice.start..<slice.start + slice.count {
            var element = arrays[i]
            rule.update(&element, k)
            arrays[i] = element
        }
    }

    @inlinable @inline(never)
    func run<Rule: OptimizerRule>(_ rule: Rule, _ slice: RuleSlice) {
        rule.forEachElement(slice) { i, element in
            slice.weight[i] = element.weight.value
            for state in 0..<rule.stateCount { slice.states[state][i] = element.states[state].value }
        }
    }
}

@usableFromInline
struct FiniteLoop: RuleLoop {
    @inlinable
    init() {}

    @inlinable @inline(never)
    func run<Rule: OptimizerRule, Form: RuleForm>(_ rule: Rule, _ slice: RuleSlice, _ form: Form.Type) -> Bool {
        let arrays = LoopArrays<Form.States>(slice), k = form.numbers(slice)
        var bits: UInt32 = 0
        for i in slice.start..<slice.start + slice.count {
            var element = arrays[i]
            rule.update(&element, k)
            bits |= element.weight.overflow
            if Form.States.count > 0 { bits |= element.states.first.overflow }
            if Form.States.count > 1 { bits |= element.states.second.overflow }
            if Form.States.count > 2 { bits |= element.states.third.overflow }
        }
        return bits >> 31 == 0
    }

    @inlinable @inline(never)
    func run<Rule: OptimizerRule>(_ rule: Rule, _ slice: RuleSlice) -> Bool {
        var bits: UInt32 = 0
        rule.forEachElement(slice) { _, element in
            bits |= element.weight.overflow
            for state in 0..<rule.stateCount { bits |= element.states[state].overflow }
        }
        return bits >> 31 == 0
    }
}

extension HostFloat {
    /// The highest bit is set for a NaN or an infinity: their exponents are all ones, so that adding one carries.
    @inlinable @inline(__always)
    var overflow: UInt32 { (value.bitPattern & 0x7f80_0000) &+ 0x0080_0000 }
}
