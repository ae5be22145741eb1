/// The number type of an optimizer's formula: a float in a loop, a double where every step is checked, or a value of a
/// program that another engine runs.
public protocol RuleNumber {
    /// A constant of the rule, rounded to the engine's precision.
    init(_ constant: Double)

    static func + (a: Self, b: Self) -> Self
    static func - (a: Self, b: Self) -> Self
    static func * (a: Self, b: Self) -> Self
    static func / (a: Self, b: Self) -> Self
    /// The square root.
    static func root(_ x: Self) -> Self
    /// `yes` where a > b, else `no`, also if one of them is NaN.
    static func select(_ a: Self, over b: Self, _ yes: Self, _ no: Self) -> Self
}

extension RuleNumber {
    @inlinable @inline(__always)
    public static prefix func - (x: Self) -> Self { Self(0) - x }

    /// `x` clipped to ±`bound`; NaN stays NaN, so that a broken gradient is noticed.
    @inlinable @inline(__always)
    public static func clip(_ x: Self, _ bound: Self) -> Self {
        let low = -bound, raised = select(low, over: x, low, x)
        return select(raised, over: bound, bound, raised)
    }

    /// The larger of two numbers; `a` where it is NaN.
    @inlinable @inline(__always)
    public static func larger(_ a: Self, _ b: Self) -> Self { select(b, over: a, b, a) }

    /// `yes` where x is neither 0 nor NaN, else `no`.
    @inlinable @inline(__always)
    public static func select(nonzero x: Self, _ yes: Self, _ no: Self) -> Self {
        select(x, over: Self(0), yes, select(Self(0), over: x, yes, no))
    }

    @inlinable @inline(__always)
    public static func magnitude(_ x: Self) -> Self { select(Self(0), over: x, -x, x) }

    /// -1, 0 or 1.
    @inlinable @inline(__always)
    public static func sign(_ x: Self) -> Self {
        select(x, over: Self(0), Self(1), select(Self(0), over: x, Self(-1), Self(0)))
    }
}

extension Double: RuleNumber {
    @inlinable @inline(__always)
    public static func root(_ x: Double) -> Double { x.squareRoot() }
    @inlinable @inline(__always)
    public static func select(_ a: Double, over b: Double, _ yes: Double, _ no: Double) -> Double { a > b ? yes : no }
}
