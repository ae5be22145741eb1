import AnnealCore

/// MXNet's `BatchNorm` (Ioffe and Szegedy 2015) over one axis, 1 by default.
///
/// In training `(x - mean) / sqrt(var + eps) * gamma + beta` with the batch's mean and biased variance; the moving
/// averages, used in inference, become `moving * momentum + batch * (1 - momentum)` in the backward pass, once a step.
public struct BatchNorm: SymbolOperator {
    public static let name = "BatchNorm"
    public static let aliases = ["CuDNNBatchNorm"]
    public static let earlierNames = ["BatchNorm_v1"]
    public let operation: String
    public let eps: Float
    public let momentum: Float
    /// Gamma is fixed at 1 and has no gradient. MXNet's default.
    public let fixGamma: Bool
    public let useGlobalStats: Bool
    public let outputMeanVar: Bool
    public let axis: Int

    public init(_ attributes: inout AttributeReader) throws {
        operation = attributes.operation == Self.earlierNames[0] ? attributes.operation : Self.name
        eps = try attributes.float("eps", default: 1e-3)
        momentum = try attributes.float("momentum", default: 0.9)
        fixGamma = try attributes.bool("fix_gamma", default: true)
        useGlobalStats = try attributes.bool("use_global_stats", default: false)
        outputMeanVar = try attributes.bool("output_mean_var", default: false)
        axis = try attributes.int("axis", default: 1)
        attributes.ignore("cudnn_off", "min_calib_range", "max_calib_range")
    }

    public var inputNames: [String] { ["data", "gamma", "beta"] }
    public var auxiliaryNames: [String] { ["moving_mean", "moving_var"] }
    public var auxiliaryInitializers: [String] { ["[\"zero\", {}]", "[\"one\", {}]"] }
    public var savesStatistics: Bool { !useGlobalStats }
    public var changedInputs: [Int] { (fixGamma ? [1] : []) + (useGlobalStats ? [] : [3, 4]) }
    public var attributesKeepingStates: [String: String] { ["use_global_stats": AttributeText.bool(true)] }
    /// With `output_mean_var` the mean and 1 / sqrt(var + eps) are outputs too.
    public var outputNames: [String] { outputMeanVar ? ["output", "mean", "var"] : ["output"] }
    public var exactOutputs: Set<Int> { [1, 2] }
    public var storedOutputCount: Int { 3 }
    /// Parameters and statistics stay in float32 when the data is float16.
    public var typeRule: TypeRule { .float32Parameters }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard axis < data.rank, axis >= -data.rank else {
            throw AnnealError("", "axis \(axis) is outside the data's shape \(data)")
        }
        let channels: Shape = [data[axis]]
        for (index, name) in (inputNames + auxiliaryNames).enumerated().dropFirst() {
            try expect(&inputs[index], channels, name)
        }
        return outputMeanVar ? [data, channels, channels] : [data]
    }

    /// The batch's mean and biased variance, in 2 * channels elements.
    public func savedShapes(inputs: [Shape], outputs: [Shape]) -> [Shape] { [inputs[1], inputs[1]] }

    public var backward: [BackwardPart] {
        [
            BackwardPart(
                reads: [
                    .input(0), .input(1), .input(2), .input(3), .input(4), .saved(0), .saved(1), .outputGradient(0),
                ],
                writes: [0, 1, 2])
        ]
    }

    /// One multiplication and one addition per element.
    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { 2 * Double(inputs[0].count) }
}

extension SymbolBuilder {
    /// - Parameter data: (batch, channels, …). Parameters: gamma, beta, moving mean and variance, each (channels,).
    public func batchNorm(
        _ data: Symbol, fixGamma: Bool? = nil, eps: Double? = nil, momentum: Double? = nil,
        useGlobalStats: Bool? = nil, name: String? = nil
    ) throws -> Symbol {
        try apply(
            BatchNorm.name, name: name, inputs: [data],
            attributes: [
                "eps": eps.map(AttributeText.float), "fix_gamma": fixGamma.map(AttributeText.bool),
                "momentum": momentum.map(AttributeText.float),
                "use_global_stats": useGlobalStats.map(AttributeText.bool),
            ])
    }
}
