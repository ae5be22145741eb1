import AnnealCore

/// MXNet's `softmax` along an axis, of x / temperature.
public struct Softmax: Operator {
    public static let name = "softmax"
    public let axis: Int
    public let temperature: Float

    public init(_ attributes: inout AttributeReader) throws {
        (axis, temperature) = try attributes.softmax()
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        _ = try inputs[0]?.axis(axis)
        return try sameShape(&inputs)
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.output(0), .head(0)], writes: [0])] }
}

/// MXNet's `log_softmax`: the logarithm of `softmax`.
public struct LogSoftmax: Operator {
    public static let name = "log_softmax"
    public let axis: Int
    public let temperature: Float

    public init(_ attributes: inout AttributeReader) throws {
        (axis, temperature) = try attributes.softmax()
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        _ = try inputs[0]?.axis(axis)
        return try sameShape(&inputs)
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.output(0), .head(0)], writes: [0])] }
}

extension AttributeReader {
    fileprivate mutating func softmax() throws -> (axis: Int, temperature: Float) {
        if try bool("use_length", default: false) { throw wrong("use_length", "True", "False") }
        if let type = string("dtype"), type != "float32" { throw wrong("dtype", type, "None or float32") }
        let temperature = try float("temperature", default: 1)
        guard temperature > 0 else { throw wrong("temperature", "\(temperature)", "positive") }
        return (try int("axis", default: -1), temperature)
    }
}

/// MXNet's `SoftmaxActivation`: softmax over the values of each sample, or over the channels (axis 1).
public struct SoftmaxActivation: Operator {
    public enum Mode: String, CaseIterable, Sendable { case instance, channel }

    public static let name = "SoftmaxActivation"
    public let mode: Mode
    public init(_ attributes: inout AttributeReader) throws { mode = try attributes.choice("mode", default: .instance) }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        if let data = inputs[0], data.rank < (mode == .channel ? 3 : 2) {
            throw AnnealError("", "data has the shape \(data), SoftmaxActivation wants batch and channels")
        }
        return try sameShape(&inputs)
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.output(0), .head(0)], writes: [0])] }
}

/// MXNet's `softmax_cross_entropy`: the sum over the batch of -log softmax(data)[label], one number.
public struct SoftmaxCrossEntropy: Operator {
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
        [BackwardPart(reads: [.input(0), .input(1), .head(0)], writes: [0])]
    }
}
