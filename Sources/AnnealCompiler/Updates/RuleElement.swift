/// An element of a parameter in an update.
public struct RuleElement<N: RuleNumber> {
    public var weight: N
    /// g, neither scaled nor clipped.
    public var gradient: N
    public var states: RuleStates<N>
    /// A standard normal random number, for rules that need noise; else 0.
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
    // The first three are named, so that loops over them can be vectorised.
    public var first: N
    public var second: N
    public var third: N
    /// Further states, in the caller's memory, which outlives the element.
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

    /// `count` states from index `first` on, as the states of a part of the rule. Those after its first three are in
    /// the same memory; `replace` copies the others back.
    @inlinable
    public func part(from first: Int, count: Int) -> RuleStates {
        func state(_ index: Int) -> N { index < count ? self[first + index] : N(0) }
        return RuleStates(state(0), state(1), state(2), others: others.map { $0 + first })
    }

    /// Copies back the states that a part's formula has changed.
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
