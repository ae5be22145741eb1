import AnnealCore

/// MXNet's elementwise functions of one array, any shape.
public struct Unary: OperatorFamily {
    public enum Member: String, CaseIterable, Sendable {
        case abs, sign, negative, reciprocal, square, sqrt, rsqrt, cbrt, rcbrt
        case exp, expm1, log, log10, log2, log1p
        case sin, cos, tan, arcsin, arccos, arctan, sinh, cosh, tanh, arcsinh, arccosh, arctanh, degrees, radians
        /// Nearest whole number; halves away from zero (`round`), halves down (`rint`).
        case round, rint
        /// `trunc` and `fix` cut off towards zero.
        case ceil, floor, trunc, fix
        case relu, sigmoid, softsign, erf, erfinv
        /// Γ(x) and ln |Γ(x)|
        case gamma, gammaln
        case logicalNot = "logical_not"
        case zerosLike = "zeros_like"
        case onesLike = "ones_like"
    }

    public static let name = "elementwise function"
    public let member: Member
    public init(_ member: Member, _ attributes: inout AttributeReader) throws { self.member = member }

    public static func aliases(_ member: Member) -> [String] { member == .negative ? ["_np_negative"] : [] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
    public var isReLU: Bool { member == .relu }

    /// What the derivative reads; piecewise constant functions have none.
    public var backward: [BackwardPart] {
        switch member {
        case .negative, .degrees, .radians: [BackwardPart(reads: [.outputGradient(0)], writes: [0])]
        case .sqrt, .cbrt, .exp, .tan, .tanh, .relu, .sigmoid, .erfinv:
            [BackwardPart(reads: [.output(0), .outputGradient(0)], writes: [0])]
        case .sign, .round, .rint, .ceil, .floor, .trunc, .fix, .logicalNot, .zerosLike, .onesLike: []
        default: [BackwardPart(reads: [.input(0), .outputGradient(0)], writes: [0])]
        }
    }
}

/// MXNet's `hard_sigmoid`: alpha x + beta, clamped to 0 … 1.
public struct HardSigmoid: SymbolOperator {
    public static let name = "hard_sigmoid"
    public let alpha: Float
    public let beta: Float

    public init(_ attributes: inout AttributeReader) throws {
        alpha = try attributes.float("alpha", default: 0.2)
        beta = try attributes.float("beta", default: 0.5)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.output(0), .outputGradient(0)], writes: [0])] }
}

/// MXNet's `BlockGrad`: the output is the data; no gradient passes back.
public struct BlockGrad: SymbolOperator {
    public static let name = "BlockGrad"
    public static let aliases = ["stop_gradient"]
    public init(_ attributes: inout AttributeReader) throws {}

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
    public var isView: Bool { true }
    public var backward: [BackwardPart] { [] }
}

extension SymbolBuilder {
    /// - Parameter data: any shape.
    public func unary(_ function: Unary.Member, _ data: Symbol, name: String? = nil) throws -> Symbol {
        try apply(function.rawValue, name: name, inputs: [data])
    }

    public func blockGrad(_ data: Symbol, name: String? = nil) throws -> Symbol {
        try apply(BlockGrad.name, name: name, inputs: [data])
    }
}
