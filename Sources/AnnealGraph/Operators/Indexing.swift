import AnnealCore

/// How an index outside an axis is handled.
public enum IndexMode: String, CaseIterable, Sendable {
    /// Clamped to the axis.
    case clip
    /// Modulo the extent.
    case wrap
    /// An error in MXNet; here as `clip`, since a run cannot stop in the middle of a step.
    case `raise`
}

/// MXNet's `take`: the slices of `a` along `axis` at `indices`. `indices` has no gradient.
public struct Take: SymbolOperator {
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
        let index = try axisIndex(axis, of: a)
        return [Shape(Array(a.dims[..<index]) + indices.dims + a.dims[(index + 1)...])]
    }

    public var backward: [BackwardPart] { [BackwardPart(reads: [.input(1), .outputGradient(0)], writes: [0])] }
    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { 0 }
}

/// MXNet's `Embedding`: the rows of weight (input_dim, output_dim) at the indices in data, which are limited to the rows
/// that there are. data has no gradient.
public struct Embedding: SymbolOperator {
    public static let name = "Embedding"
    public let inputDim: Int
    public let outputDim: Int

    public init(_ attributes: inout AttributeReader) throws {
        inputDim = try attributes.required("input_dim")
        outputDim = try attributes.required("output_dim")
        attributes.ignore("dtype")
        // The gradient's values are the same; only its storage would differ.
        _ = try attributes.bool("sparse_grad", default: false)
        guard inputDim > 0, outputDim > 0 else {
            throw AnnealError("", "input_dim \(inputDim) and output_dim \(outputDim) must be positive")
        }
    }

    public var inputNames: [String] { ["data", "weight"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        try expect(&inputs[1], [inputDim, outputDim], "weight")
        return inputs[0].map { [Shape($0.dims + [outputDim])] }
    }

    public var backward: [BackwardPart] { [BackwardPart(reads: [.input(0), .outputGradient(0)], writes: [1])] }
    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { 0 }
}

/// MXNet's `one_hot`: a new last axis of extent `depth`, `on_value` at the index and `off_value` elsewhere. No gradient.
public struct OneHot: SymbolOperator {
    public static let name = "one_hot"
    public let depth: Int
    public let onValue: Float
    public let offValue: Float
    private let dtype: String

    public init(_ attributes: inout AttributeReader) throws {
        depth = try attributes.required("depth")
        onValue = Float(try attributes.double("on_value") ?? 1)
        offValue = Float(try attributes.double("off_value") ?? 0)
        dtype = attributes.string("dtype") ?? "float32"
        guard depth > 0 else { throw attributes.wrong("depth", "\(depth)", "positive") }
    }

    public var inputNames: [String] { ["indices"] }
    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        inputs[0].map { [Shape($0.dims + [depth])] }
    }
    public var typeRule: TypeRule { .output(dtype) }
    public var backward: [BackwardPart] { [] }
    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { 0 }
}

/// MXNet's `pick`: of each row along `axis` the element at `index`, whose shape lacks the axis or has 1 there. `index`
/// has no gradient.
public struct Pick: SymbolOperator {
    public static let name = "pick"
    public static let aliases = ["choose_element_0index"]
    /// nil: of the flattened array.
    public let axis: Int?
    public let keepdims: Bool
    public let mode: IndexMode

    public init(_ attributes: inout AttributeReader) throws {
        axis = attributes.takeNone("axis") ? nil : try attributes.int("axis", default: -1)
        keepdims = try attributes.bool("keepdims", default: false)
        mode = try attributes.choice("mode", default: .clip)
    }

    public var inputNames: [String] { ["data", "index"] }
    /// A cross-entropy written out in operators picks the label's score.
    public var labelInput: Int? { 1 }

    /// The places before, along and after the axis.
    package func axes(_ data: Shape) -> (outer: Int, axis: Int, inner: Int) {
        axis.map { extents(of: data, around: $0) } ?? (1, data.count, 1)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        var dims = data.dims
        if let axis {
            dims[try axisIndex(axis, of: data)] = 1
        } else {
            dims = dims.map { _ in 1 }
        }
        let kept = Shape(dims)
        if let axis { dims.remove(at: try axisIndex(axis, of: data)) } else { dims = [] }
        let dropped = Shape(dims.isEmpty ? [1] : dims)
        if inputs[1] != kept { try expect(&inputs[1], dropped, "index") }
        return [keepdims ? kept : dropped]
    }

    public var backward: [BackwardPart] { [BackwardPart(reads: [.input(1), .outputGradient(0)], writes: [0])] }
    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { 0 }
}

/// MXNet's `where`: x where the condition is not 0, else y; the condition has their shape, or one value for each row.
public struct Where: SymbolOperator {
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

    public var backward: [BackwardPart] {
        (1...2).map { BackwardPart(reads: [.input(0), .outputGradient(0)], writes: [$0]) }
    }
    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { 0 }
}
