import AnnealCore

/// MXNet's operators of the data x and the attribute `scalar`, s: elementwise, any shape.
public struct ScalarArithmetic: OperatorFamily {
    public enum Member: String, CaseIterable, Sendable {
        /// x + s
        case plus = "_plus_scalar"
        /// x - s
        case minus = "_minus_scalar"
        /// s - x
        case reverseMinus = "_rminus_scalar"
        /// x s
        case multiply = "_mul_scalar"
        /// x / s
        case divide = "_div_scalar"
        /// s / x
        case reverseDivide = "_rdiv_scalar"
        /// x modulo s, with the sign of s; 0 for s = 0
        case modulo = "_mod_scalar"
        /// s modulo x
        case reverseModulo = "_rmod_scalar"
        /// x to the power s
        case power = "_power_scalar"
        /// s to the power x
        case reversePower = "_rpower_scalar"
        /// the larger of both; at a tie the gradient passes
        case maximum = "_maximum_scalar"
        /// the smaller of both; at a tie the gradient passes
        case minimum = "_minimum_scalar"
        /// √(x² + s²)
        case hypot = "_hypot_scalar"
        /// ½ (s x)² where |x| < 1/s², else |x| - ½/s²
        case smoothL1 = "smooth_l1"
        // Comparisons and logic give 0 or 1 and have no gradient.
        case equal = "_equal_scalar"
        case notEqual = "_not_equal_scalar"
        case greater = "_greater_scalar"
        case greaterEqual = "_greater_equal_scalar"
        case lesser = "_lesser_scalar"
        case lesserEqual = "_lesser_equal_scalar"
        case logicalAnd = "_logical_and_scalar"
        case logicalOr = "_logical_or_scalar"
        case logicalXor = "_logical_xor_scalar"
    }

    public static let name = "scalar operator"
    public let member: Member
    public let scalar: Double

    public init(_ member: Member, _ attributes: inout AttributeReader) throws {
        self.member = member
        scalar = try attributes.double("scalar") ?? 1
        attributes.ignore("is_int")
    }

    public static func aliases(_ member: Member) -> [String] {
        switch member {
        case .plus: ["_PlusScalar"]
        case .minus: ["_MinusScalar"]
        case .reverseMinus: ["_RMinusScalar"]
        case .multiply: ["_MulScalar"]
        case .divide: ["_DivScalar"]
        case .reverseDivide: ["_RDivScalar"]
        case .modulo: ["_ModScalar"]
        case .reverseModulo: ["_RModScalar"]
        case .power: ["_PowerScalar"]
        case .reversePower: ["_RPowerScalar"]
        case .maximum: ["_MaximumScalar"]
        case .minimum: ["_MinimumScalar"]
        case .hypot: ["_HypotScalar"]
        case .smoothL1: []
        case .equal: ["_EqualScalar"]
        case .notEqual: ["_NotEqualScalar"]
        case .greater: ["_GreaterScalar"]
        case .greaterEqual: ["_GreaterEqualScalar"]
        case .lesser: ["_LesserScalar"]
        case .lesserEqual: ["_LesserEqualScalar"]
        case .logicalAnd: ["_LogicalAndScalar"]
        case .logicalOr: ["_LogicalOrScalar"]
        case .logicalXor: ["_LogicalXorScalar"]
        }
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }

    public var backward: [BackwardPart] {
        switch member {
        case .plus, .minus, .reverseMinus, .multiply, .divide, .modulo:
            [BackwardPart(reads: [.outputGradient(0)], writes: [0])]
        case .reverseDivide, .reverseModulo, .power, .maximum, .minimum, .hypot, .smoothL1:
            [BackwardPart(reads: [.input(0), .outputGradient(0)], writes: [0])]
        case .reversePower:
            [BackwardPart(reads: [.output(0), .outputGradient(0)], writes: [0])]
        default: []
        }
    }
}

extension SymbolBuilder {
    /// `data * scalar`, named `_mulscalar0` and so on, as Python's operator names it.
    public func multiply(_ data: Symbol, by scalar: Double, name: String? = nil) throws -> Symbol {
        try apply(
            ScalarArithmetic.Member.multiply.rawValue, name: name, hint: "_mulscalar", inputs: [data],
            attributes: ["scalar": AttributeText.float(scalar)])
    }
}
