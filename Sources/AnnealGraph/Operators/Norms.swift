import AnnealCore

/// MXNet's `InstanceNorm` (Ulyanov et al. 2016): each channel of each image to mean 0 and variance 1, times gamma plus
/// beta, each (channels,).
public struct InstanceNorm: Operator {
    public static let name = "InstanceNorm"
    public let eps: Float
    public init(_ attributes: inout AttributeReader) throws { eps = try attributes.float("eps", default: 1e-3) }

    public var inputNames: [String] { ["data", "gamma", "beta"] }
    public var storedOutputCount: Int { 3 }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard data.rank >= 3 else {
            throw AnnealError("", "data has the shape \(data), InstanceNorm wants (batch, channels, …)")
        }
        try expect(&inputs[1], [data[1]], "gamma")
        try expect(&inputs[2], [data[1]], "beta")
        return [data]
    }

    /// Mean and variance of each channel of each image.
    public func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape] {
        Array(repeating: [inputs[0][0], inputs[0][1]], count: 2)
    }
    public var backward: [BackwardPart] {
        [BackwardPart(reads: [.input(0), .input(1), .saved(0), .saved(1), .head(0)], writes: [0, 1, 2])]
    }
}

/// MXNet's `LayerNorm` (Ba et al. 2016): the values along an axis to mean 0 and variance 1, times gamma plus beta.
public struct LayerNorm: Operator {
    public static let name = "LayerNorm"
    public let axis: Int
    public let eps: Float
    public let outputMeanVar: Bool

    public init(_ attributes: inout AttributeReader) throws {
        axis = try attributes.int("axis", default: -1)
        eps = try attributes.float("eps", default: 1e-5)
        outputMeanVar = try attributes.bool("output_mean_var", default: false)
    }

    public var inputNames: [String] { ["data", "gamma", "beta"] }
    /// With `output_mean_var` the mean and √(variance + eps) are outputs too.
    public var outputNames: [String] { outputMeanVar ? ["output", "mean", "std"] : ["output"] }
    public var storedOutputCount: Int { 3 }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        let place = try data.axis(axis)
        try expect(&inputs[1], [data.dims[place]], "gamma")
        try expect(&inputs[2], [data.dims[place]], "beta")
        var moments = data
        moments[place] = 1
        return outputMeanVar ? [data, moments, moments] : [data]
    }

    /// Mean and √(variance + eps).
    public func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape] {
        var moments = inputs[0]
        moments[axis] = 1
        return [moments, moments]
    }
    public var backward: [BackwardPart] {
        [BackwardPart(reads: [.input(0), .input(1), .saved(0), .saved(1), .head(0)], writes: [0, 1, 2])]
    }
}

/// MXNet's `L2Normalization`: x / √(Σx² + eps) over each sample, over its channels, or over its positions.
public struct L2Normalization: Operator {
    public enum Mode: String, CaseIterable, Sendable { case instance, channel, spatial }

    public static let name = "L2Normalization"
    public let mode: Mode
    public let eps: Float

    public init(_ attributes: inout AttributeReader) throws {
        mode = try attributes.choice("mode", default: .instance)
        eps = try attributes.float("eps", default: 1e-10)
    }

    public var storedOutputCount: Int { 2 }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        if let data = inputs[0], data.rank < (mode == .instance ? 2 : 3) {
            throw AnnealError("", "data has the shape \(data), mode \(mode.rawValue) wants more axes")
        }
        return try sameShape(&inputs)
    }

    /// The norms.
    public func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape] {
        let data = inputs[0]
        switch mode {
        case .instance: return [[data[0]]]
        case .channel: return [Shape([data[0]] + data.dims.dropFirst(2))]
        case .spatial: return [[data[0], data[1]]]
        }
    }
    public var backward: [BackwardPart] { [BackwardPart(reads: [.output(0), .saved(0), .head(0)], writes: [0])] }
}
