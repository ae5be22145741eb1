/// A run of one parameter's elements with its gradient and optimizer state: what an update rule sees.
///
/// Rules are element by element, so the slices of one parameter can be updated on several threads.
public struct ParameterSlice {
    public let count: Int
    @usableFromInline let weight: UnsafeMutablePointer<Float>
    @usableFromInline let gradient: UnsafePointer<Float>
    /// The state arrays; nil where the rule keeps fewer.
    public let states: (UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?)

    public init(
        count: Int, weight: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>,
        states: (UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?) = (
            nil, nil, nil
        )
    ) {
        self.count = count
        self.weight = weight
        self.gradient = gradient
        self.states = states
    }

    /// Calls the rule for each element with (weight, gradient).
    @inlinable @inline(__always)
    public func update(_ rule: (inout Float, Float) -> Void) {
        for i in 0..<count { rule(&weight[i], gradient[i]) }
    }

    /// Calls the rule for each element with (weight, gradient, first state).
    @inlinable @inline(__always)
    public func update(_ rule: (inout Float, Float, inout Float) -> Void) {
        guard let a = states.0 else { preconditionFailure("the rule wants one state") }
        for i in 0..<count { rule(&weight[i], gradient[i], &a[i]) }
    }

    /// Calls the rule for each element with (weight, gradient, first state, second state).
    @inlinable @inline(__always)
    public func update(_ rule: (inout Float, Float, inout Float, inout Float) -> Void) {
        guard let a = states.0, let b = states.1 else { preconditionFailure("the rule wants two states") }
        for i in 0..<count { rule(&weight[i], gradient[i], &a[i], &b[i]) }
    }

    /// Calls the rule for each element with (weight, gradient, three states).
    @inlinable @inline(__always)
    public func update(_ rule: (inout Float, Float, inout Float, inout Float, inout Float) -> Void) {
        guard let a = states.0, let b = states.1, let c = states.2 else {
            preconditionFailure("the rule wants three states")
        }
        for i in 0..<count { rule(&weight[i], gradient[i], &a[i], &b[i], &c[i]) }
    }

    /// The same parameter's elements `range`, counted from the slice's first.
    @inlinable
    public func subslice(_ range: Range<Int>) -> ParameterSlice {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "\(range) is not in a slice of \(count)")
        let low = range.lowerBound
        return ParameterSlice(
            count: range.count, weight: weight + low, gradient: gradient + low,
            states: (states.0.map { $0 + low }, states.1.map { $0 + low }, states.2.map { $0 + low }))
    }

    /// Two sums over the elements, in double precision: of what `term` gives for (weight, gradient).
    ///
    /// Four partial sums are kept, each of every fourth element: the order is fixed, and the additions do not wait for
    /// each other.
    @inlinable @inline(__always)
    public func sums(_ term: (Float, Float) -> (Float, Float)) -> (Double, Double) {
        sums(count) { term(weight[$0], gradient[$0]) }
    }

    /// As above, with the first state.
    @inlinable @inline(__always)
    public func sums(_ term: (Float, Float, inout Float) -> (Float, Float)) -> (Double, Double) {
        guard let a = states.0 else { preconditionFailure("the rule wants one state") }
        return sums(count) { term(weight[$0], gradient[$0], &a[$0]) }
    }

    /// As above, with two states.
    @inlinable @inline(__always)
    public func sums(_ term: (Float, Float, inout Float, inout Float) -> (Float, Float)) -> (Double, Double) {
        guard let a = states.0, let b = states.1 else { preconditionFailure("the rule wants two states") }
        return sums(count) { term(weight[$0], gradient[$0], &a[$0], &b[$0]) }
    }

    @inlinable @inline(__always)
    func sums(_ count: Int, _ term: (Int) -> (Float, Float)) -> (Double, Double) {
        var first = SIMD4<Double>(repeating: 0), second = SIMD4<Double>(repeating: 0)
        var i = 0
        while i + 4 <= count {
            let (p, q, s, t) = (term(i), term(i + 1), term(i + 2), term(i + 3))
            first += SIMD4(Double(p.0), Double(q.0), Double(s.0), Double(t.0))
            second += SIMD4(Double(p.1), Double(q.1), Double(s.1), Double(t.1))
            i += 4
        }
        while i < count {
            let p = term(i)
            first[0] += Double(p.0)
            second[0] += Double(p.1)
            i += 1
        }
        return ((first[0] + first[1]) + (first[2] + first[3]), (second[0] + second[1]) + (second[2] + second[3]))
    }
}
