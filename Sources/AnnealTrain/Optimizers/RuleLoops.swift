import AnnealCompiler
import CAnnealMath

/// A float in a loop over host memory. Its square root is in a form that vectorises.
@frozen
public struct HostFloat: RuleNumber {
    @usableFromInline var value: Float

    @inlinable @inline(__always)
    init(value: Float) { self.value = value }
    @inlinable @inline(__always)
    public init(_ constant: Double) { value = Float(constant) }
    @inlinable @inline(__always)
    public static func + (a: HostFloat, b: HostFloat) -> HostFloat { HostFloat(value: a.value + b.value) }
    @inlinable @inline(__always)
    public static func - (a: HostFloat, b: HostFloat) -> HostFloat { HostFloat(value: a.value - b.value) }
    @inlinable @inline(__always)
    public static func * (a: HostFloat, b: HostFloat) -> HostFloat { HostFloat(value: a.value * b.value) }
    @inlinable @inline(__always)
    public static func / (a: HostFloat, b: HostFloat) -> HostFloat { HostFloat(value: a.value / b.value) }
    @inlinable @inline(__always)
    public static func root(_ x: HostFloat) -> HostFloat { HostFloat(value: anneal_sqrt(x.value)) }
    @inlinable @inline(__always)
    public static func select(_ a: HostFloat, over b: HostFloat, _ yes: HostFloat, _ no: HostFloat) -> HostFloat {
        HostFloat(value: a.value > b.value ? yes.value : no.value)
    }
}

/// The loops of rules over slices. One is compiled for each rule in each of its forms (`LoopForm`): the formula is
/// inlined without the parts that the form lacks, and the loop is vectorised.
extension OptimizerRule {
    @inlinable
    public func update(_ slice: RuleSlice) { inForm(UpdateLoop(), slice) }

    @inlinable
    public func staysFinite(_ slice: RuleSlice) -> Bool { inForm(FiniteLoop(), slice) }

    @inlinable @inline(__always)
    func inForm<Loop: RuleLoop>(_ loop: Loop, _ slice: RuleSlice) -> Loop.Result {
        switch (stateCount, slice.noise) {
        case (0, nil): inForm(loop, slice, NoState.self)
        case (1, nil): inForm(loop, slice, OneState.self)
        case (2, nil): inForm(loop, slice, TwoStates.self)
        case (3, nil): inForm(loop, slice, ThreeStates.self)
        default: loop.run(self, slice)
        }
    }

    @inlinable @inline(__always)
    func inForm<Loop: RuleLoop, States: LoopStates>(_ loop: Loop, _ slice: RuleSlice, _ states: States.Type)
        -> Loop.Result
    {
        switch (choices.0, choices.1, slice.clips) {
        case (false, false, false): loop.run(self, slice, LoopForm<States, No, No, No>.self)
        case (true, false, false): loop.run(self, slice, LoopForm<States, Yes, No, No>.self)
        case (false, true, false): loop.run(self, slice, LoopForm<States, No, Yes, No>.self)
        case (true, true, false): loop.run(self, slice, LoopForm<States, Yes, Yes, No>.self)
        case (false, false, true): loop.run(self, slice, LoopForm<States, No, No, Yes>.self)
        case (true, false, true): loop.run(self, slice, LoopForm<States, Yes, No, Yes>.self)
        case (false, true, true): loop.run(self, slice, LoopForm<States, No, Yes, Yes>.self)
        case (true, true, true): loop.run(self, slice, LoopForm<States, Yes, Yes, Yes>.self)
        }
    }

    @inlinable
    public func sums(over slice: RuleSlice) -> (Double, Double) { inForm(SumsLoop(), slice) }

    /// Any number of states, with or without noise.
    @inlinable @inline(__always)
    func forEachElement(_ slice: RuleSlice, _ body: (Int, inout RuleElement<HostFloat>) -> Void) {
        let k = slice.hostNumbers(choices)
        withOthers { others in
            for i in slice.start..<slice.start + slice.count {
                var element = element(slice, i, others)
                update(&element, k)
                body(i, &element)
            }
        }
    }

    /// Memory for the states of an element after its first three.
    @inlinable @inline(__always)
    func withOthers<Result>(_ body: (UnsafeMutablePointer<HostFloat>?) -> Result) -> Result {
        withUnsafeTemporaryAllocation(of: HostFloat.self, capacity: max(1, stateCount - 3)) { body($0.baseAddress) }
    }

    @inlinable @inline(__always)
    func element(_ slice: RuleSlice, _ i: Int, _ others: UnsafeMutablePointer<HostFloat>?) -> RuleElement<HostFloat> {
        let count = stateCount, states = slice.states, zero = HostFloat(0)
        if count > 3, let others { for state in 3..<count { others[state - 3] = HostFloat(value: states[state][i]) } }
        return RuleElement(
            weight: HostFloat(value: slice.weight[i]), gradient: HostFloat(value: slice.gradient[i]),
            states: RuleStates(
                count > 0 ? HostFloat(value: states[0][i]) : zero, count > 1 ? HostFloat(value: states[1][i]) : zero,
                count > 2 ? HostFloat(value: states[2][i]) : zero, others: others),
            noise: slice.noise.map { HostFloat(value: $0[i - slice.start]) } ?? zero)
    }
}

extension RuleSlice {
    @inlinable
    func hostNumbers(_ choices: (Bool, Bool)) -> RuleNumbers<HostFloat> {
        RuleNumbers(numbers, choices: choices) { HostFloat(value: $0) }
    }

    @inlinable
    var clips: Bool { numbers[3] != .infinity }
}
