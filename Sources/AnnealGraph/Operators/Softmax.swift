import AnnealCore

/// MXNet's `softmax` e^(x/t) / Σ e^(x/t) along `axis` with a `temperature` t, `log_softmax` its logarithm, `softmin` the
/// softmax of -x. With `use_length` only the first `length` elements along the axis count, the others give 0.
public struct Softmax: OperatorFamily {
    public enum Member: String, CaseIterable, Sendable {
        case softmax, softmin
        case logSoftmax = "log_softmax"
    }

    public static let name = "softmax function"
    public let member: Member
    public let axis: Int
    public let temperature: Float
    public let useLength: Bool

    public init(_ member: Member, _ attributes: inout AttributeReader) throws {
        self.member = member
        axis = try attributes.int("axis", default: -1)
        temperature = try attributes.float("temperature", default: 1)
        useLength = try attributes.bool("use_length", default: false)
        if let type = attributes.string("dtype"), type != "float32" { throw attributes.wrong("dtype", type, "float32") }
        guard temperature != 0 else { throw attributes.wrong("temperature", "0", "other than 0") }
    }

    public var inputNames: [String] { useLength ? ["data", "length"] : ["data"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        let index = try axisIndex(axis, of: data)
        if useLength {
            var dims = data.dims
            dims.remove(at: index)
            try expect(&inputs[1], Shape(dims.isEmpty ? [1] : dims), "length")
        }
        return [data]
    }

    public var backward: [BackwardPart] {
        [BackwardPart(reads: [.output(0), .outputGradient(0)] + (useLength ? [.input(1)] : []), writes: [0])]
    }
}

/// MXNet's `SoftmaxActivation`: softmax over the last axis (`instance`), or over axis 1 (`channel`).
public struct SoftmaxActivation: SymbolOperator {
    public enum Mode: String, CaseIterable, Sendable { case instance, channel }
    public static let name = "SoftmaxActivation"
    public let mode: Mode

    public init(_ attributes: inout AttributeReader) throws {
        mode = try attributes.choice("mode", default: .instance)
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        if let data = inputs[0], data.rank < (mode == .channel ? 3 : 2) {
            throw AnnealError("", "data has the shape \(data), too few axes for the mode \(mode.rawValue)")
        }
        return try sameShape(&inputs)
    }

    package func axes(_ data: Shape) -> (outer: Int, axis: Int, inner: Int) {
        mode == .channel
            ? (data[0], data[1], data.dims.dropFirst(2).reduce(1, *)) : (data.dims.dropLast().reduce(1, *), data[-1], 1)
    }

    public var backward: [BackwardPart] { [BackwardPart(reads: [.output(0), .outputGradient(0)], writes: [0])] }
}

/// MXNet's `softmax_cross_entropy`: data (batch, classes), label (batch,); the sum of -log softmax(data)[label], (1,).
public struct SoftmaxCrossEntropy: SymbolOperator {
    public static let name = "softmax_cross_entropy"
    public init(_ attributes: inout AttributeReader) throws {}

    public var inputNames: [String] { ["data", "label"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard data.rank == 2 else { throw AnnealError("", "data has the shape \(data), it must be (batch, classes)") }
        try expect(&inputs[1], [data[0]], "label")
        return [[1]]
    }

    public var backward: [BackwardPart] {
        [BackwardPart(reads: [.input(0), .input(1), .outputGradient(0)], writes: [0])]
    }
}

extension SymbolBuilder {
    /// - Parameter axis: the last if nil.
    public func softmax(_ data: Symbol, axis: Int? = nil, name: String? = nil) throws -> Symbol {
        try apply(
            Softmax.Member.softmax.rawValue, name: name, inputs: [data], attributes: ["axis": axis.map(String.init)])
    }
}
