import AnnealCompiler

/// The number type for optimizers' formulas: a constant, or an array of a StableHLO function.
enum RuleValue: RuleNumber {
    case constant(Float)
    case array(HLOValue)

    init(_ constant: Double) { self = .constant(Float(constant)) }

    /// Broadcast to another array's extents.
    func like(_ other: HLOValue) -> HLOValue {
        switch self {
        case .constant(let number): other.like(Double(number))
        case .array(let value): value.rank == 0 && other.rank > 0 ? value.broadcast(to: other.dims) : value
        }
    }

    private static func combine(
        _ a: RuleValue, _ b: RuleValue, _ constants: (Float, Float) -> Float, _ arrays: (HLOValue, HLOValue) -> HLOValue
    ) -> RuleValue {
        switch (a, b) {
        case (.constant(let x), .constant(let y)): .constant(constants(x, y))
        case (.array(let x), _): .array(arrays(x, b.like(x)))
        case (_, .array(let y)): .array(arrays(a.like(y), y))
        }
    }

    static func + (a: RuleValue, b: RuleValue) -> RuleValue { combine(a, b, +, +) }
    static func - (a: RuleValue, b: RuleValue) -> RuleValue { combine(a, b, -, -) }
    static func * (a: RuleValue, b: RuleValue) -> RuleValue { combine(a, b, *, *) }
    static func / (a: RuleValue, b: RuleValue) -> RuleValue { combine(a, b, /, /) }

    static func root(_ x: RuleValue) -> RuleValue {
        switch x {
        case .constant(let number): .constant(number.squareRoot())
        case .array(let value): .array(value.squareRoot())
        }
    }

    static func select(_ a: RuleValue, over b: RuleValue, _ yes: RuleValue, _ no: RuleValue) -> RuleValue {
        if case .constant(let x) = a, case .constant(let y) = b { return x > y ? yes : no }
        // The largest array determines the extents.
        let arrays = [a, b, yes, no].compactMap { if case .array(let value) = $0 { value } else { nil } }
        guard let model = arrays.max(by: { $0.rank < $1.rank }) else { return yes }
        return .array(a.like(model).compare(.greater, b.like(model)).select(yes.like(model), no.like(model)))
    }
}
