import AnnealCore

/// MXNet's functions of two arrays with the elements a and b.
public enum BinaryFunction: Sendable {
    case add, subtract, multiply, divide
    /// a modulo b, with the sign of b; 0 for b = 0
    case modulo
    case power, maximum, minimum, hypot
    // 0 or 1, without a gradient.
    case equal, notEqual, greater, greaterEqual, lesser, lesserEqual, logicalAnd, logicalOr, logicalXor

    /// One part for each input: either may not be needed.
    var backward: [BackwardPart] {
        switch self {
        case .add, .subtract: (0...1).map { BackwardPart(reads: [.outputGradient(0)], writes: [$0]) }
        case .multiply: (0...1).map { BackwardPart(reads: [.input(1 - $0), .outputGradient(0)], writes: [$0]) }
        case .divide, .modulo, .power, .maximum, .minimum, .hypot:
            (0...1).map { BackwardPart(reads: [.input(0), .input(1), .outputGradient(0)], writes: [$0]) }
        default: []
        }
    }
}

/// MXNet's elementwise operators of two arrays of one shape; `elemwise_add` is `ElementwiseAdd`.
public struct ElementwiseArithmetic: OperatorFamily {
    public enum Member: String, CaseIterable, Sendable {
        case subtract = "elemwise_sub"
        case multiply = "elemwise_mul"
        case divide = "elemwise_div"
        case modulo = "_mod"
        case power = "_power"
        case maximum = "_maximum"
        case minimum = "_minimum"
        case hypot = "_hypot"
        case equal = "_equal"
        case notEqual = "_not_equal"
        case greater = "_greater"
        case greaterEqual = "_greater_equal"
        case lesser = "_lesser"
        case lesserEqual = "_lesser_equal"
        case logicalAnd = "_logical_and"
        case logicalOr = "_logical_or"
        case logicalXor = "_logical_xor"
    }

    public static let name = "operator of two arrays"
    public let member: Member
    public init(_ member: Member, _ attributes: inout AttributeReader) throws { self.member = member }

    public static func aliases(_ member: Member) -> [String] {
        switch member {
        case .subtract: ["_sub", "_minus", "_Minus"]
        case .multiply: ["_mul", "_Mul"]
        case .divide: ["_div", "_Div"]
        case .modulo: ["_Mod"]
        case .power: ["_Power"]
        case .maximum: ["_Maximum"]
        case .minimum: ["_Minimum"]
        case .hypot: ["_Hypot"]
        case .equal: ["_Equal"]
        case .notEqual: ["_Not_Equal"]
        case .greater: ["_Greater"]
        case .greaterEqual: ["_Greater_Equal"]
        case .lesser: ["_Lesser"]
        case .lesserEqual: ["_Lesser_Equal"]
        case .logicalAnd: ["_Logical_And"]
        case .logicalOr: ["_Logical_Or"]
        case .logicalXor: ["_Logical_Xor"]
        }
    }

    public var function: BinaryFunction {
        switch member {
        case .subtract: .subtract
        case .multiply: .multiply
        case .divide: .divide
        case .modulo: .modulo
        case .power: .power
        case .maximum: .maximum
        case .minimum: .minimum
        case .hypot: .hypot
        case .equal: .equal
        case .notEqual: .notEqual
        case .greater: .greater
        case .greaterEqual: .greaterEqual
        case .lesser: .lesser
        case .lesserEqual: .lesserEqual
        case .logicalAnd: .logicalAnd
        case .logicalOr: .logicalOr
        case .logicalXor: .logicalXor
        }
    }

    public var inputNames: [String] { ["lhs", "rhs"] }
    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try unify(&inputs).map { [$0] } }
    public var backward: [BackwardPart] { function.backward }
}

/// MXNet's operators of two arrays whose extents agree or are 1; missing leading axes count as 1.
public struct BroadcastArithmetic: OperatorFamily {
    public enum Member: String, CaseIterable, Sendable {
        case add = "broadcast_add"
        case subtract = "broadcast_sub"
        case multiply = "broadcast_mul"
        case divide = "broadcast_div"
        case modulo = "broadcast_mod"
        case power = "broadcast_power"
        case maximum = "broadcast_maximum"
        case minimum = "broadcast_minimum"
        case hypot = "broadcast_hypot"
        case equal = "broadcast_equal"
        case notEqual = "broadcast_not_equal"
        case greater = "broadcast_greater"
        case greaterEqual = "broadcast_greater_equal"
        case lesser = "broadcast_lesser"
        case lesserEqual = "broadcast_lesser_equal"
        case logicalAnd = "broadcast_logical_and"
        case logicalOr = "broadcast_logical_or"
        case logicalXor = "broadcast_logical_xor"
    }

    public static let name = "broadcasting operator"
    public let member: Member
    public init(_ member: Member, _ attributes: inout AttributeReader) throws { self.member = member }

    public static func aliases(_ member: Member) -> [String] {
        switch member {
        case .add: ["broadcast_plus"]
        case .subtract: ["broadcast_minus"]
        default: []
        }
    }

    public var function: BinaryFunction {
        switch member {
        case .add: .add
        case .subtract: .subtract
        case .multiply: .multiply
        case .divide: .divide
        case .modulo: .modulo
        case .power: .power
        case .maximum: .maximum
        case .minimum: .minimum
        case .hypot: .hypot
        case .equal: .equal
        case .notEqual: .notEqual
        case .greater: .greater
        case .greaterEqual: .greaterEqual
        case .lesser: .lesser
        case .lesserEqual: .lesserEqual
        case .logicalAnd: .logicalAnd
        case .logicalOr: .logicalOr
        case .logicalXor: .logicalXor
        }
    }

    public var inputNames: [String] { ["lhs", "rhs"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let lhs = inputs[0], let rhs = inputs[1] else { return nil }
        let rank = max(lhs.rank, rhs.rank)
        let a = Array(repeating: 1, count: rank - lhs.rank) + lhs.dims
        let b = Array(repeating: 1, count: rank - rhs.rank) + rhs.dims
        guard zip(a, b).allSatisfy({ $0 == $1 || $0 == 1 || $1 == 1 }) else {
            throw AnnealError("", "the shapes \(lhs) and \(rhs) cannot be broadcast to one")
        }
        return [Shape(zip(a, b).map(max))]
    }

    public var backward: [BackwardPart] { function.backward }
}

extension SymbolBuilder {
    public func elementwise(
        _ operation: ElementwiseArithmetic.Member, _ lhs: Symbol, _ rhs: Symbol, name: String? = nil
    ) throws -> Symbol {
        try apply(operation.rawValue, name: name, inputs: [lhs, rhs])
    }

    public func broadcast(
        _ operation: BroadcastArithmetic.Member, _ lhs: Symbol, _ rhs: Symbol, name: String? = nil
    ) throws -> Symbol {
        try apply(operation.rawValue, name: name, inputs: [lhs, rhs])
    }
}
