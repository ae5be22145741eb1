/// A run of one parameter's elements with its gradient and optimizer state: what an update rule sees.
///
/// Rules are element by element, so the slices of one parameter can be updated on several threads.
public struct ParameterSlice {
    @usableFromInline let count: Int
    @usableFromInline let weight: UnsafeMutablePointer<Float>
    @usableFromInline let gradient: UnsafePointer<Float>
    @usableFromInline let states: (UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?)

    public init(
        count: Int, weight: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>,
        states: (UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?) = (nil, nil, nil)
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
}
