import AnnealCore

/// MXNet's `Flatten`: (batch, …) to (batch, k).
public struct Flatten: SymbolOperator {
    public static let name = "Flatten"
    public static let aliases = ["flatten"]
    public init(_ attributes: inout AttributeReader) throws {}

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        return [[data[0], data.dims.dropFirst().reduce(1, *)]]
    }

    public var isView: Bool { true }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.outputGradient(0)], writes: [0])] }
}

/// MXNet's `identity` (`_copy`): the data as it is.
public struct Copy: SymbolOperator {
    public static let name = "_copy"
    public static let aliases = ["identity"]
    public static let isIdentity = true
    public init(_ attributes: inout AttributeReader) throws {}

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
    public var isView: Bool { true }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.outputGradient(0)], writes: [0])] }
}

extension SymbolBuilder {
    public func flatten(_ data: Symbol, name: String? = nil) throws -> Symbol {
        try apply(Flatten.name, name: name, inputs: [data])
    }

    public func identity(_ data: Symbol, name: String? = nil) throws -> Symbol {
        try apply(Copy.name, name: name, hint: "identity", inputs: [data])
    }
}
