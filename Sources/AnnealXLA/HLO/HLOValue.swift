/// An array in a StableHLO function: its operators append to the function's text.
///
/// Operands of one operation have the same extents and element types; a scalar or a number is broadcast.
struct HLOValue {
    let name: String
    let dims: [Int]
    let type: HLOType
    let function: HLOFunction

    var rank: Int { dims.count }
    var elementCount: Int { dims.reduce(1, *) }
    /// Its type as text.
    var text: String { Self.text(dims, type) }

    static func text(_ dims: [Int], _ type: HLOType) -> String {
        "tensor<\(dims.map { "\($0)x" }.joined())\(type.rawValue)>"
    }

    /// An array with this value's type and extents, filled with one number.
    func like(_ number: Double) -> HLOValue { function.constant(number, dims, type) }

    // MARK: Elementwise operations

    private func unary(_ operation: String) -> HLOValue { function.emit(dims, type, "\(operation) \(name) : \(text)") }

    /// With scalars broadcast to the other operand.
    private static func matched(_ a: HLOValue, _ b: HLOValue) -> (HLOValue, HLOValue) {
        if a.dims == b.dims { return (a, b) }
        if a.rank == 0 { return (a.broadcast(to: b.dims), b) }
        if b.rank == 0 { return (a, b.broadcast(to: a.dims)) }
        preconditionFailure("\(a.text) and \(b.text) do not match")
    }

    private static func binary(_ operation: String, _ a: HLOValue, _ b: HLOValue) -> HLOValue {
        let (a, b) = matched(a, b)
        return a.function.emit(a.dims, a.type, "\(operation) \(a.name), \(b.name) : \(a.text)")
    }

    static func + (a: HLOValue, b: HLOValue) -> HLOValue { binary("stablehlo.add", a, b) }
    static func - (a: HLOValue, b: HLOValue) -> HLOValue { binary("stablehlo.subtract", a, b) }
    static func * (a: HLOValue, b: HLOValue) -> HLOValue { binary("stablehlo.multiply", a, b) }
    static func / (a: HLOValue, b: HLOValue) -> HLOValue { binary("stablehlo.divide", a, b) }
    static func + (a: HLOValue, b: Double) -> HLOValue { a + a.like(b) }
    static func - (a: HLOValue, b: Double) -> HLOValue { a - a.like(b) }
    static func - (a: Double, b: HLOValue) -> HLOValue { b.like(a) - b }
    static func * (a: HLOValue, b: Double) -> HLOValue { a * a.like(b) }
    static func * (a: Double, b: HLOValue) -> HLOValue { b * b.like(a) }
    static func / (a: HLOValue, b: Double) -> HLOValue { a / a.like(b) }
    static func / (a: Double, b: HLOValue) -> HLOValue { b.like(a) / b }
    static prefix func - (a: HLOValue) -> HLOValue { a.unary("stablehlo.negate") }

    func maximum(_ other: HLOValue) -> HLOValue { Self.binary("stablehlo.maximum", self, other) }
    func minimum(_ other: HLOValue) -> HLOValue { Self.binary("stablehlo.minimum", self, other) }
    func maximum(_ other: Double) -> HLOValue { maximum(like(other)) }
    func minimum(_ other: Double) -> HLOValue { minimum(like(other)) }
    func power(_ other: HLOValue) -> HLOValue { Self.binary("stablehlo.power", self, other) }
    func power(_ other: Double) -> HLOValue { power(like(other)) }
    /// The angle of the point (other, self).
    func atan2(_ other: HLOValue) -> HLOValue { Self.binary("stablehlo.atan2", self, other) }
    /// With the sign of the dividend.
    func remainder(_ other: HLOValue) -> HLOValue { Self.binary("stablehlo.remainder", self, other) }

    func absolute() -> HLOValue { unary("stablehlo.abs") }
    func sign() -> HLOValue { unary("stablehlo.sign") }
    func squareRoot() -> HLOValue { unary("stablehlo.sqrt") }
    func reciprocalSquareRoot() -> HLOValue { unary("stablehlo.rsqrt") }
    func cubeRoot() -> HLOValue { unary("stablehlo.cbrt") }
    func exponential() -> HLOValue { unary("stablehlo.exponential") }
    /// e^x - 1
    func exponentialMinusOne() -> HLOValue { unary("stablehlo.exponential_minus_one") }
    func logarithm() -> HLOValue { unary("stablehlo.log") }
    /// log(1 + x)
    func logarithmOfOnePlus() -> HLOValue { unary("stablehlo.log_plus_one") }
    func logistic() -> HLOValue { unary("stablehlo.logistic") }
    func tanh() -> HLOValue { unary("stablehlo.tanh") }
    func sine() -> HLOValue { unary("stablehlo.sine") }
    func cosine() -> HLOValue { unary("stablehlo.cosine") }
    func floor() -> HLOValue { unary("stablehlo.floor") }
    func ceiling() -> HLOValue { unary("stablehlo.ceil") }
    /// To the nearest integer; halves away from zero.
    func rounded() -> HLOValue { unary("stablehlo.round_nearest_afz") }

    // MARK: Bits and conditions

    static func & (a: HLOValue, b: HLOValue) -> HLOValue { binary("stablehlo.and", a, b) }
    static func | (a: HLOValue, b: HLOValue) -> HLOValue { binary("stablehlo.or", a, b) }
    static func ^ (a: HLOValue, b: HLOValue) -> HLOValue { binary("stablehlo.xor", a, b) }
    static prefix func ! (a: HLOValue) -> HLOValue { a.unary("stablehlo.not") }
    static func >> (a: HLOValue, b: Int) -> HLOValue {
        binary("stablehlo.shift_right_logical", a, a.like(Double(b)))
    }

    enum Comparison: String {
        case equal = "EQ", unequal = "NE", greater = "GT", atLeast = "GE", less = "LT", atMost = "LE"
    }

    func compare(_ comparison: Comparison, _ other: HLOValue) -> HLOValue {
        let (a, b) = Self.matched(self, other)
        return function.emit(
            a.dims, .i1,
            "stablehlo.compare \(comparison.rawValue), \(a.name), \(b.name) : (\(a.text), \(b.text)) -> "
                + Self.text(a.dims, .i1))
    }

    func compare(_ comparison: Comparison, _ other: Double) -> HLOValue { compare(comparison, like(other)) }

    /// `yes` where this flag is set, else `no`.
    func select(_ yes: HLOValue, _ no: HLOValue) -> HLOValue {
        let (a, b) = Self.matched(yes, no)
        let (mask, yes) = Self.matched(self, a), no = b.rank < yes.rank ? b.broadcast(to: yes.dims) : b
        return function.emit(
            yes.dims, yes.type, "stablehlo.select \(mask.name), \(yes.name), \(no.name) : \(mask.text), \(yes.text)")
    }

    func select(_ yes: HLOValue, _ no: Double) -> HLOValue { select(yes, yes.like(no)) }

    /// Flags: where it is neither NaN nor infinite.
    func isFinite() -> HLOValue {
        function.emit(dims, .i1, "stablehlo.is_finite \(name) : (\(text)) -> \(Self.text(dims, .i1))")
    }

    // MARK: Types

    /// Floats are truncated towards zero when converted to integers.
    func converted(to other: HLOType) -> HLOValue {
        other == type
            ? self
            : function.emit(
                dims, other, "stablehlo.convert \(name) : (\(text)) -> \(Self.text(dims, other))")
    }

    /// The same bits as another type of the same size.
    func bits(as other: HLOType) -> HLOValue {
        function.emit(dims, other, "stablehlo.bitcast_convert \(name) : (\(text)) -> \(Self.text(dims, other))")
    }

    /// An optimization barrier that also waits for `gate`.
    func barrier(with gate: HLOValue) -> HLOValue {
        function.emit(
            [(dims, type), (gate.dims, gate.type)],
            "stablehlo.optimization_barrier \(name), \(gate.name) : \(text), \(gate.text)")[0]
    }

    /// Keeps the compiler from merging what follows with what was computed before.
    func barrier() -> HLOValue { function.emit(dims, type, "stablehlo.optimization_barrier \(name) : \(text)") }
}
