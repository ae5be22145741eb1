import AnnealCore

/// MXNet's `elemwise_add`: the sum of two arrays of one shape.
public struct ElementwiseAdd: SymbolOperator {
    public static let name = "elemwise_add"
    public static let aliases = ["_plus", "_Plus", "_add", "_grad_add"]

    public init(_ attributes: inout AttributeReader) throws {}

    public var inputNames: [String] { ["lhs", "rhs"] }
    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try unify(&inputs).map { [$0] } }

    public var isSum: Bool { true }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.outputGradient(0)], writes: [0, 1])] }
}

extension SymbolBuilder {
    /// `lhs + rhs`, named `_plus0` and so on, as Python's operator names it.
    public func add(_ lhs: Symbol, _ rhs: Symbol, name: String? = nil) throws -> Symbol {
        try apply(ElementwiseAdd.name, name: name, hint: "_plus", inputs: [lhs, rhs])
    }
}
