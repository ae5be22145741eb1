import AnnealCompiler
import CAnnealKernels

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
    public static func root(_ x: HostFloat) -> HostFloat { HostFloat(value: ank_sqrt(x.value)) }
    @inlinable @inline(__always)
    public static func select(_ a: HostFloat, over b: HostFloat, _ yes: HostFloat, _ no: HostFloat) -> HostFloat {
        HostFloat(value: a.value > b.value ? yes.value : no.value)
    }
}

/// The loops of rules over slices, which the compiler makes anew for each type of rule: a rule's formula becomes part of the
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
        let k = slice.hostNumbers
        var broken: UInt32 = 0
        forEachElement(slice) { _, element in
            update(&element, k)
            broken |= element.weight.value.isFinite ? 0 : 1
        }
        return broken == 0
    }

    /// Four partial sums are kept, each of every fourth element: the order is fixed, and the additions do not wait for each
    /// other.
    @inlinable
    public func sums(over slice: RuleSlice) -> (Double, Double) {
        let k = slice.hostNumbers
        var first = SIMD4<Double>(repeating: 0), second = SIMD4<Double>(repeating: 0)
        forEachElement(slice) { i, element in
            let (a, b) = terms(element, k), lane = (i - slice.start) & 3
            first[lane] += Double(a.value)
            second[lane] += Double(b.value)
        }
        return ((first[0] + first[1]) + (first[2] + first[3]), (second[0] + second[1]) + (second[2] + second[3]))
    }

    /// Any number of states, with or without noise.
    @inlinable @inline(__always)
    func forEachElement(_ slice: RuleSlice, _ body: (Int, inout RuleElement<HostFloat>) -> Void) {
        let count = stateCount, zero = HostFloat(0), states = slice.states
        withUnsafeTemporaryAllocation(of: HostFloat.self, capacity: max(1, count - 3)) { others in
            for i in slice.start..<slice.start + slice.count {
                if count > 3 { for state in 3..<count { others[state - 3] = HostFloat(value: states[state][i]) } }
                func state(_ number: Int) -> HostFloat { number < count ? HostFloat(value: states[number][i]) : zero }
                var element = RuleElement(
                    weight: HostFloat(value: slice.weight[i]), gradient: HostFloat(value: slice.gradient[i]),
                    states: RuleStates(state(0), state(1), state(2), others: others.baseAddress),
                    noise: slice.noise.map { HostFloat(value: $0[i - slice.start]) } ?? zero)
                body(i, &element)
            }
        }
    }
}

extension RuleSlice {
    @inlinable
    var hostNumbers: RuleNumbers<HostFloat> { RuleNumbers(numbers) { HostFloat(value: $0) } }
}
