import AnnealCompiler
import CAnnealMath

/// A float in a loop over host memory. Its square root is one that loops are vectorised with.
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

/// The loops of rules over slices, which the compiler specialises for each type of rule: a rule's formula becomes part of the
/// loop, and the loop vector instructions. Up to three states have loops of their own.
extension OptimizerRule {
    @inlinable
    public func update(_ slice: RuleSlice) {
        let range = slice.start..<slice.start + slice.count, k = slice.hostNumbers
        let w = slice.weight, g = slice.gradient, zero = HostFloat(0)
        switch (stateCount, slice.noise) {
        case (0, nil):
            for i in range {
                var element = RuleElement(
                    weight: HostFloat(value: w[i]), gradient: HostFloat(value: g[i]),
                    states: RuleStates(zero, zero, zero), noise: zero)
                update(&element, k)
                w[i] = element.weight.value
            }
        case (1, nil):
            let a = slice.states[0]
            for i in range {
                var element = RuleElement(
                    weight: HostFloat(value: w[i]), gradient: HostFloat(value: g[i]),
                    states: RuleStates(HostFloat(value: a[i]), zero, zero), noise: zero)
                update(&element, k)
                w[i] = element.weight.value
                a[i] = element.states.first.value
            }
        case (2, nil):
            let a = slice.states[0], b = slice.states[1]
            for i in range {
                var element = RuleElement(
                    weight: HostFloat(value: w[i]), gradient: HostFloat(value: g[i]),
                    states: RuleStates(HostFloat(value: a[i]), HostFloat(value: b[i]), zero), noise: zero)
                update(&element, k)
                w[i] = element.weight.value
                a[i] = element.states.first.value
                b[i] = element.states.second.value
            }
        case (3, nil):
            let a = slice.states[0], b = slice.states[1], c = slice.states[2]
            for i in range {
                var element = RuleElement(
                    weight: HostFloat(value: w[i]), gradient: HostFloat(value: g[i]),
                    states: RuleStates(HostFloat(value: a[i]), HostFloat(value: b[i]), HostFloat(value: c[i])),
                    noise: zero)
                update(&element, k)
                w[i] = element.weight.value
                a[i] = element.states.first.value
                b[i] = element.states.second.value
                c[i] = element.states.third.value
            }
        default:
            forEachElement(slice) { i, element in
                update(&element, k)
                w[i] = element.weight.value
                for state in 0..<stateCount { slice.states[state][i] = element.states[state].value }
            }
        }
    }

    @inlinable
    public func staysFinite(_ slice: RuleSlice) -> Bool {
        let k = slice.hostNumbers, count = stateCount
        var broken: UInt32 = 0
        forEachElement(slice) { _, element in
            update(&element, k)
            // States that the rule does not keep are 0.
            let states = element.states
            let isFinite =
                element.weight.value.isFinite && states.first.value.isFinite && states.second.value.isFinite
                && states.third.value.isFinite
            broken |= isFinite ? 0 : 1
            if count > 3 { for state in 3..<count where !states[state].value.isFinite { broken |= 1 } }
        }
        return broken == 0
    }

    /// Four partial sums are kept, each of every fourth element: the order is fixed, and the additions do not wait for each
    /// other.
    @inlinable
    public func sums(over slice: RuleSlice) -> (Double, Double) {
        let k = slice.hostNumbers, end = slice.start + slice.count
        var first = SIMD4<Double>(repeating: 0), second = first
        withOthers { others in
            func term(_ i: Int) -> (Double, Double) {
                let (a, b) = terms(element(slice, i, others), k)
                return (Double(a.value), Double(b.value))
            }
            var i = slice.start
            while i + 4 <= end {
                let (p, q, s, t) = (term(i), term(i + 1), term(i + 2), term(i + 3))
                first += SIMD4(p.0, q.0, s.0, t.0)
                second += SIMD4(p.1, q.1, s.1, t.1)
                i += 4
            }
            while i < end {
                let p = term(i)
                first[0] += p.0
                second[0] += p.1
                i += 1
            }
        }
        return ((first[0] + first[1]) + (first[2] + first[3]), (second[0] + second[1]) + (second[2] + second[3]))
    }

    /// Any number of states, with or without noise.
    @inlinable @inline(__always)
    func forEachElement(_ slice: RuleSlice, _ body: (Int, inout RuleElement<HostFloat>) -> Void) {
        withOthers { others in
            for i in slice.start..<slice.start + slice.count {
                var element = element(slice, i, others)
                body(i, &element)
            }
        }
    }

    /// Memory for the states of an element after its first three.
    @inlinable @inline(__always)
    func withOthers(_ body: (UnsafeMutablePointer<HostFloat>?) -> Void) {
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
    var hostNumbers: RuleNumbers<HostFloat> { RuleNumbers(numbers) { HostFloat(value: $0) } }
}
