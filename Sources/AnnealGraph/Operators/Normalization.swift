import AnnealCore

/// MXNet's `InstanceNorm` (Ulyanov et al. 2016): (x - mean) / sqrt(var + eps) * gamma + beta with the statistics of each
/// channel of each sample; data (batch, channels, …), gamma and beta (channels,).
public struct InstanceNorm: SymbolOperator {
    public static let name = "InstanceNorm"
    public let eps: Float
    public init(_ attributes: inout AttributeReader) throws { eps = try attributes.float("eps", default: 1e-3) }

    public var inputNames: [String] { ["data", "gamma", "beta"] }
    public var storedOutputCount: Int { 3 }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard data.rank >= 3 else {
            throw AnnealError("", "data has the shape \(data), it must be (batch, channels, …)")
        }
        try expect(&inputs[1], [data[1]], "gamma")
        try expect(&inputs[2], [data[1]], "beta")
        return [data]
    }

    /// Mean and 1 / sqrt(var + eps) of each channel of each sample.
    public func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape] {
        let statistics: Shape = [inputs[0][0], inputs[0][1]]
        return [statistics, statistics]
    }

    public var backward: [BackwardPart] {
        [BackwardPart(reads: [.input(0), .input(1), .saved(0), .saved(1), .outputGradient(0)], writes: [0, 1, 2])]
    }
}

/// MXNet's `GroupNorm` (Wu and He 2018, arXiv:1803.08494): (x - mean) / sqrt(var + eps) * gamma + beta with the statistics
/// of each group of channels of each sample; data (batch, channels, …). As in MXNet 1.9.1 gamma and beta are (groups,): a
/// number for each group, not for each channel.
public struct GroupNorm: SymbolOperator {
    public static let name = "GroupNorm"
    public let groups: Int
    public let eps: Float
    public let outputMeanVar: Bool

    public init(_ attributes: inout AttributeReader) throws {
        groups = try attributes.int("num_groups", default: 1)
        eps = try attributes.float("eps", default: 1e-5)
        outputMeanVar = try attributes.bool("output_mean_var", default: false)
        guard groups > 0 else { throw attributes.wrong("num_groups", "\(groups)", "positive") }
    }

    public var inputNames: [String] { ["data", "gamma", "beta"] }
    /// With `output_mean_var` the mean and sqrt(var + eps) are outputs too.
    public var outputNames: [String] { outputMeanVar ? ["output", "mean", "std"] : ["output"] }
    public var exactOutputs: Set<Int> { [1, 2] }
    public var storedOutputCount: Int { 3 }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard data.rank >= 3 else {
            throw AnnealError("", "data has the shape \(data), it must be (batch, channels, …)")
        }
        guard data[1] % groups == 0 else {
            throw AnnealError("", "\(data[1]) channels do not divide into num_groups \(groups)")
        }
        try expect(&inputs[1], [groups], "gamma")
        try expect(&inputs[2], [groups], "beta")
        return outputMeanVar ? [data, [data[0], groups], [data[0], groups]] : [data]
    }

    /// Mean and 1 / sqrt(var + eps) of each group of each sample.
    public func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape] {
        let statistics: Shape = [inputs[0][0], groups]
        return [statistics, statistics]
    }

    public var backward: [BackwardPart] {
        [BackwardPart(reads: [.input(0), .input(1), .saved(0), .saved(1), .outputGradient(0)], writes: [0, 1, 2])]
    }
}

/// MXNet's `LayerNorm` (Ba, Kiros and Hinton 2016): (x - mean) / sqrt(var + eps) * gamma + beta with the statistics along
/// `axis`, the last by default; gamma and beta (data[axis],).
public struct LayerNorm: SymbolOperator {
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
    /// With `output_mean_var` the mean and sqrt(var + eps) are outputs too.
    public var outputNames: [String] { outputMeanVar ? ["output", "mean", "std"] : ["output"] }
    public var exactOutputs: Set<Int> { [1, 2] }
    public var storedOutputCount: Int { 3 }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        let index = try axisIndex(axis, of: data)
        try expect(&inputs[1], [data[index]], "gamma")
        try expect(&inputs[2], [data[index]], "beta")
        var statistics = data
        statistics[index] = 1
        return outputMeanVar ? [data, statistics, statistics] : [data]
    }

    /// Mean and 1 / sqrt(var + eps) of each row.
    public func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape] {
        var statistics = inputs[0]
        statistics[axis] = 1
        return [statistics, statistics]
    }

    public var backward: [BackwardPart] {
        [BackwardPart(reads: [.input(0), .input(1), .saved(0), .saved(1), .outputGradient(0)], writes: [0, 1, 2])]
    }
}

/// MXNet's `L2Normalization`: x / sqrt(Σ x² + eps), the sum over a sample (`instance`), over the channels (`channel`), or
/// over the positions of each channel (`spatial`).
public struct L2Normalization: SymbolOperator {
    public enum Mode: String, CaseIterable, Sendable { case instance, channel, spatial }
    public static let name = "L2Normalization"
    public let eps: Float
    public let mode: Mode

    public init(_ attributes: inout AttributeReader) throws {
        eps = try attributes.float("eps", default: 1e-10)
        mode = try attributes.choice("mode", default: .instance)
    }

    public var storedOutputCount: Int { 2 }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        if let data = inputs[0], data.rank < (mode == .instance ? 2 : 3) {
            throw AnnealError("", "data has the shape \(data), too few axes for the mode \(mode.rawValue)")
        }
        return try sameShape(&inputs)
    }

    /// The sum runs over the middle of (outer, axis, inner).
    package func axes(_ data: Shape) -> (outer: Int, axis: Int, inner: Int) {
        switch mode {
        case .instance: (data[0], data.dims.dropFirst().reduce(1, *), 1)
        case .channel: (data[0], data[1], data.dims.dropFirst(2).reduce(1, *))
        case .spatial: (data[0] * data[1], data.dims.dropFirst(2).reduce(1, *), 1)
        }
    }

    /// The roots of the sums.
    public func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape] {
        let (outer, _, inner) = axes(inputs[0])
        return [[outer, inner]]
    }

    public var backward: [BackwardPart] {
        [BackwardPart(reads: [.output(0), .saved(0), .outputGradient(0)], writes: [0])]
    }
}
