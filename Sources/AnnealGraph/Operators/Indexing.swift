import AnnealCore

/// What becomes of an index outside an array.
public enum IndexMode: String, CaseIterable, Sendable { case clip, wrap, raise }

/// MXNet's `Embedding`: rows of weight (input_dim, output_dim) by whole numbers, which are clipped to the rows.
public struct Embedding: Operator {
    public static let name = "Embedding"
    public let inputDim: Int
    public let outputDim: Int

    public init(_ attributes: inout AttributeReader) throws {
        inputDim = try attributes.required("input_dim")
        outputDim = try attributes.required("output_dim")
        attributes.ignore("dtype", "sparse_grad")
        guard inputDim > 0, outputDim > 0 else {
            throw AnnealError("", "Embedding has input_dim \(inputDim) and output_dim \(outputDim)")
        }
    }

    public var inputNames: [String] { ["data", "weight"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        try expect(&inputs[1], [inputDim, outputDim], "weight")
        return inputs[0].map { [Shape($0.dims + [outputDim])] }
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.input(0), .head(0)], writes: [1])] }
}

/// MXNet's `take`: slices of `a` along an axis by whole numbers.
public struct Take: Operator {
    public static let name = "take"
    public let axis: Int
    public let mode: IndexMode

    public init(_ attributes: inout AttributeReader) throws {
        axis = try attributes.int("axis", default: 0)
        mode = try attributes.choice("mode", default: .clip)
    }

    public var inputNames: [String] { ["a", "indices"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let a = inputs[0], let indices = inputs[1] else { return nil }
        let place = try a.axis(axis)
        return [Shape(a.dims.prefix(place) + indices.dims + a.dims.dropFirst(place + 1))]
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.input(1), .head(0)], writes: [0])] }
}

/// MXNet's `one_hot`: `on_value` at the index and `off_value` elsewhere, along a new last axis of `depth`.
public struct OneHot: Operator {
    public static let name = "one_hot"
    public let depth: Int
    public let onValue: Float
    public let offValue: Float

    public init(_ attributes: inout AttributeReader) throws {
        depth = try attributes.required("depth")
        onValue = try attributes.float("on_value", default: 1)
        offValue = try attributes.float("off_value", default: 0)
        attributes.ignore("dtype")
        guard depth > 0 else { throw attributes.wrong("depth", "\(depth)", "positive") }
    }

    public var inputNames: [String] { ["indices"] }
    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        inputs[0].map { [Shape($0.dims + [depth])] }
    }
    public var backward: [BackwardPart] { [] }
}

/// MXNet's `pick`: the value at an index along an axis, one for each other place.
public struct Pick: Operator {
    public static let name = "pick"
    public static let aliases = ["choose_element_0index"]
    /// nil: of all values.
    public let axis: Int?
    public let keepdims: Bool
    public let mode: IndexMode

    public init(_ attributes: inout AttributeReader) throws {
        axis = try attributes.optionalAxis(default: -1)
        keepdims = try attributes.bool("keepdims", default: false)
        mode = try attributes.choice("mode", default: .clip)
    }

    public var inputNames: [String] { ["data", "index"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        let output = try data.without(axis, keepdims: keepdims)
        if let index = inputs[1] {
            guard index.count == output.count else {
                throw AnnealError("", "index has the shape \(index), data has \(data)")
            }
        } else {
            inputs[1] = output
        }
        return [output]
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.input(1), .head(0)], writes: [0])] }
}

/// MXNet's `where`: x where the condition is not 0, else y.
public struct Where: Operator {
    public static let name = "where"
    public init(_ attributes: inout AttributeReader) throws {}
    public var inputNames: [String] { ["condition", "x", "y"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let shape = inputs[1] ?? inputs[2] else { return nil }
        try expect(&inputs[1], shape, "x")
        try expect(&inputs[2], shape, "y")
        if inputs[0] != [shape[0]] { try expect(&inputs[0], shape, "condition") }
        return [shape]
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.input(0), .head(0)], writes: [1, 2])] }
}
