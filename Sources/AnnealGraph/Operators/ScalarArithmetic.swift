import AnnealCore

/// What a `ScalarOperator` computes from each value x and its attribute `scalar` s.
public protocol ScalarFunction: Sendable {
    static var name: String { get }
    static var aliases: [String] { get }
    /// Which of x and the output the derivative needs.
    static var gradientReads: [BackwardPart.Read] { get }
}

extension ScalarFunction {
    public static var aliases: [String] { [] }
    public static var gradientReads: [BackwardPart.Read] { [] }
}

/// An operator of the data and a number, elementwise; any shape.
public struct ScalarOperator<Function: ScalarFunction>: Operator {
    public static var name: String { Function.name }
    public static var aliases: [String] { Function.aliases }
    public let scalar: Double

    public init(_ attributes: inout AttributeReader) throws {
        scalar = try attributes.double("scalar") ?? 1
        attributes.ignore("is_int")
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
    public var backward: [BackwardPart] { [BackwardPart(reads: Function.gradientReads + [.head(0)], writes: [0])] }
}

/// The scalar operators by what they compute of x and the scalar s. Comparisons give 0 or 1 and have a gradient of 0.
public enum ScalarFunctions {
    /// x + s
    public enum Plus: ScalarFunction {
        public static let name = "_plus_scalar", aliases = ["_PlusScalar"]
    }
    /// x - s
    public enum Minus: ScalarFunction {
        public static let name = "_minus_scalar", aliases = ["_MinusScalar"]
    }
    /// s - x
    public enum ReverseMinus: ScalarFunction {
        public static let name = "_rminus_scalar", aliases = ["_RMinusScalar"]
    }
    /// x s
    public enum Multiply: ScalarFunction {
        public static let name = "_mul_scalar", aliases = ["_MulScalar"]
    }
    /// x / s
    public enum Divide: ScalarFunction {
        public static let name = "_div_scalar", aliases = ["_DivScalar"]
    }
    /// s / x
    public enum ReverseDivide: ScalarFunction {
        public static let name = "_rdiv_scalar", aliases = ["_RDivScalar"]
        public static let gradientReads: [BackwardPart.Read] = [.input(0)]
    }
    /// x modulo s, with the sign of s
    public enum Modulo: ScalarFunction {
        public static let name = "_mod_scalar", aliases = ["_ModScalar"]
    }
    /// x to the power s
    public enum Power: ScalarFunction {
        public static let name = "_power_scalar", aliases = ["_PowerScalar"]
        public static let gradientReads: [BackwardPart.Read] = [.input(0)]
    }
    /// s to the power x
    public enum ReversePower: ScalarFunction {
        public static let name = "_rpower_scalar", aliases = ["_RPowerScalar"]
        public static let gradientReads: [BackwardPart.Read] = [.output(0)]
    }
    /// the larger of x and s
    public enum Maximum: ScalarFunction {
        public static let name = "_maximum_scalar", aliases = ["_MaximumScalar"]
        public static let gradientReads: [BackwardPart.Read] = [.input(0)]
    }
    /// the smaller of x and s
    public enum Minimum: ScalarFunction {
        public static let name = "_minimum_scalar", aliases = ["_MinimumScalar"]
        public static let gradientReads: [BackwardPart.Read] = [.input(0)]
    }
    /// √(x² + s²)
    public enum Hypot: ScalarFunction {
        public static let name = "_hypot_scalar", aliases = ["_HypotScalar"]
        public static let gradientReads: [BackwardPart.Read] = [.input(0), .output(0)]
    }
    /// x = s
    public enum Equal: ScalarFunction {
        public static let name = "_equal_scalar", aliases = ["_EqualScalar"]
    }
    /// x ≠ s
    public enum NotEqual: ScalarFunction {
        public static let name = "_not_equal_scalar", aliases = ["_NotEqualScalar"]
    }
    /// x > s
    public enum Greater: ScalarFunction {
        public static let name = "_greater_scalar", aliases = ["_GreaterScalar"]
    }
    /// x ≥ s
    public enum GreaterEqual: ScalarFunction {
        public static let name = "_greater_equal_scalar", aliases = ["_GreaterEqualScalar"]
    }
    /// x < s
    public enum Lesser: ScalarFunction {
        public static let name = "_lesser_scalar", aliases = ["_LesserScalar"]
    }
    /// x ≤ s
    public enum LesserEqual: ScalarFunction {
        public static let name = "_lesser_equal_scalar", aliases = ["_LesserEqualScalar"]
    }
    /// smooth L1 with σ = s: ½ (s x)² where |x| < 1/s², else |x| - ½/s²
    public enum SmoothL1: ScalarFunction {
        public static let name = "smooth_l1"
        public static let gradientReads: [BackwardPart.Read] = [.input(0)]
    }

    static let operators: [any Operator.Type] = [
        ScalarOperator<Plus>.self, ScalarOperator<Minus>.self, ScalarOperator<ReverseMinus>.self,
        ScalarOperator<Multiply>.self, ScalarOperator<Divide>.self, ScalarOperator<ReverseDivide>.self,
        ScalarOperator<Modulo>.self, ScalarOperator<Power>.self, ScalarOperator<ReversePower>.self,
        ScalarOperator<Maximum>.self, ScalarOperator<Minimum>.self, ScalarOperator<Hypot>.self,
        ScalarOperator<Equal>.self, ScalarOperator<NotEqual>.self, ScalarOperator<Greater>.self,
        ScalarOperator<GreaterEqual>.self, ScalarOperator<Lesser>.self, ScalarOperator<LesserEqual>.self,
        ScalarOperator<SmoothL1>.self,
    ]
}

extension SymbolBuilder {
    /// `data * scalar`, named `_mulscalar0` and so on, as Python's operator names it.
    public func multiply(_ data: Symbol, by scalar: Double, name: String? = nil) -> Symbol {
        apply(
            ScalarFunctions.Multiply.name, name: name, hint: "_mulscalar", inputs: [data],
            attributes: ["scalar": AttributeText.float(scalar)])
    }
}
