import AnnealCore

/// A function of two values, and what its derivatives are computed from.
public protocol BinaryFunction: Sendable {
    /// The operator for arrays of one shape; nil if MXNet has none. (`elemwise_add` stands in its own file.)
    static var elementwise: (name: String, aliases: [String])? { get }
    /// The operator that repeats axes of extent 1.
    static var broadcast: (name: String, aliases: [String]) { get }
    /// Inputs and outputs; nil for comparisons, whose gradient is zero.
    static var gradientReads: [BackwardPart.Read]? { get }
}

extension BinaryFunction {
    public static var elementwise: (name: String, aliases: [String])? { nil }
    public static var gradientReads: [BackwardPart.Read]? { [.input(0), .input(1)] }
    static var backward: [BackwardPart] {
        gradientReads.map { [BackwardPart(reads: $0 + [.head(0)], writes: [0, 1])] } ?? []
    }
}

/// Two arrays of one shape, elementwise.
public struct ElementwiseBinary<Function: BinaryFunction>: Operator {
    public static var name: String { Function.elementwise?.name ?? "" }
    public static var aliases: [String] { Function.elementwise?.aliases ?? [] }
    public init(_ attributes: inout AttributeReader) throws {}

    public var inputNames: [String] { ["lhs", "rhs"] }
    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try unify(&inputs).map { [$0] } }
    public var backward: [BackwardPart] { Function.backward }
}

/// Two arrays of one rank, elementwise; where one has an extent of 1 it is repeated, and its gradient summed.
public struct BroadcastBinary<Function: BinaryFunction>: Operator {
    public static var name: String { Function.broadcast.name }
    public static var aliases: [String] { Function.broadcast.aliases }
    public init(_ attributes: inout AttributeReader) throws {}

    public var inputNames: [String] { ["lhs", "rhs"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let lhs = inputs[0], let rhs = inputs[1] else { return nil }
        let rank = max(lhs.rank, rhs.rank)
        // The shorter shape counts from the last axis.
        let left = Array(repeating: 1, count: rank - lhs.rank) + lhs.dims
        let right = Array(repeating: 1, count: rank - rhs.rank) + rhs.dims
        return [
            Shape(
                try zip(left, right).map { l, r in
                    guard l == r || l == 1 || r == 1 else {
                        throw AnnealError("", "lhs \(lhs) and rhs \(rhs) do not broadcast")
                    }
                    return max(l, r)
                })
        ]
    }

    public var backward: [BackwardPart] { Function.backward }
}

/// The binary operators by what they compute of l and r.
public enum BinaryFunctions {
    public enum Add: BinaryFunction {
        public static let broadcast = (name: "broadcast_add", aliases: ["broadcast_plus"])
        public static let gradientReads: [BackwardPart.Read]? = []
    }
    public enum Subtract: BinaryFunction {
        public static let elementwise: (name: String, aliases: [String])? = (
            "elemwise_sub", ["_minus", "_sub", "_Minus"]
        )
        public static let broadcast = (name: "broadcast_sub", aliases: ["broadcast_minus"])
        public static let gradientReads: [BackwardPart.Read]? = []
    }
    public enum Multiply: BinaryFunction {
        public static let elementwise: (name: String, aliases: [String])? = ("elemwise_mul", ["_mul", "_Mul"])
        public static let broadcast = (name: "broadcast_mul", aliases: [String]())
    }
    public enum Divide: BinaryFunction {
        public static let elementwise: (name: String, aliases: [String])? = ("elemwise_div", ["_div", "_Div"])
        public static let broadcast = (name: "broadcast_div", aliases: [String]())
    }
    /// l modulo r, with the sign of r
    public enum Modulo: BinaryFunction {
        public static let elementwise: (name: String, aliases: [String])? = ("_mod", ["_Mod"])
        public static let broadcast = (name: "broadcast_mod", aliases: [String]())
    }
    /// l to the power r
    public enum Power: BinaryFunction {
        public static let elementwise: (name: String, aliases: [String])? = ("_power", ["_Power"])
        public static let broadcast = (name: "broadcast_power", aliases: [String]())
        public static let gradientReads: [BackwardPart.Read]? = [.input(0), .input(1), .output(0)]
    }
    public enum Maximum: BinaryFunction {
        public static let elementwise: (name: String, aliases: [String])? = ("_maximum", ["_Maximum"])
        public static let broadcast = (name: "broadcast_maximum", aliases: [String]())
    }
    public enum Minimum: BinaryFunction {
        public static let elementwise: (name: String, aliases: [String])? = ("_minimum", ["_Minimum"])
        public static let broadcast = (name: "broadcast_minimum", aliases: [String]())
    }
    /// √(l² + r²)
    public enum Hypot: BinaryFunction {
        public static let elementwise: (name: String, aliases: [String])? = ("_hypot", [])
        public static let broadcast = (name: "broadcast_hypot", aliases: [String]())
        public static let gradientReads: [BackwardPart.Read]? = [.input(0), .input(1), .output(0)]
    }
    public enum Equal: BinaryFunction {
        public static let elementwise: (name: String, aliases: [String])? = ("_equal", ["_Equal"])
        public static let broadcast = (name: "broadcast_equal", aliases: [String]())
        public static let gradientReads: [BackwardPart.Read]? = nil
    }
    public enum NotEqual: BinaryFunction {
        public static let elementwise: (name: String, aliases: [String])? = ("_not_equal", ["_Not_Equal"])
        public static let broadcast = (name: "broadcast_not_equal", aliases: [String]())
        public static let gradientReads: [BackwardPart.Read]? = nil
    }
    public enum Greater: BinaryFunction {
        public static let elementwise: (name: String, aliases: [String])? = ("_greater", ["_Greater"])
        public static let broadcast = (name: "broadcast_greater", aliases: [String]())
        public static let gradientReads: [BackwardPart.Read]? = nil
    }
    public enum GreaterEqual: BinaryFunction {
        public static let elementwise: (name: String, aliases: [String])? = ("_greater_equal", ["_Greater_Equal"])
        public static let broadcast = (name: "broadcast_greater_equal", aliases: [String]())
        public static let gradientReads: [BackwardPart.Read]? = nil
    }
    public enum Lesser: BinaryFunction {
        public static let elementwise: (name: String, aliases: [String])? = ("_lesser", ["_Lesser"])
        public static let broadcast = (name: "broadcast_lesser", aliases: [String]())
        public static let gradientReads: [BackwardPart.Read]? = nil
    }
    public enum LesserEqual: BinaryFunction {
        public static let elementwise: (name: String, aliases: [String])? = ("_lesser_equal", ["_Lesser_Equal"])
        public static let broadcast = (name: "broadcast_lesser_equal", aliases: [String]())
        public static let gradientReads: [BackwardPart.Read]? = nil
    }

    static let operators: [any Operator.Type] = [
        BroadcastBinary<Add>.self, ElementwiseBinary<Subtract>.self, BroadcastBinary<Subtract>.self,
        ElementwiseBinary<Multiply>.self, BroadcastBinary<Multiply>.self, ElementwiseBinary<Divide>.self,
        BroadcastBinary<Divide>.self, ElementwiseBinary<Modulo>.self, BroadcastBinary<Modulo>.self,
        ElementwiseBinary<Power>.self, BroadcastBinary<Power>.self, ElementwiseBinary<Maximum>.self,
        BroadcastBinary<Maximum>.self, ElementwiseBinary<Minimum>.self, BroadcastBinary<Minimum>.self,
        ElementwiseBinary<Hypot>.self, BroadcastBinary<Hypot>.self, ElementwiseBinary<Equal>.self,
        BroadcastBinary<Equal>.self, ElementwiseBinary<NotEqual>.self, BroadcastBinary<NotEqual>.self,
        ElementwiseBinary<Greater>.self, BroadcastBinary<Greater>.self, ElementwiseBinary<GreaterEqual>.self,
        BroadcastBinary<GreaterEqual>.self, ElementwiseBinary<Lesser>.self, BroadcastBinary<Lesser>.self,
        ElementwiseBinary<LesserEqual>.self, BroadcastBinary<LesserEqual>.self,
    ]
}
