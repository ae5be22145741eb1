import AnnealCore
import AnnealGraph

// Operators that only the compiler creates: results of fusion, and layout changes.

/// Batch norm with the addition and the ReLU that follow it, in one pass over memory each way.
///
/// Inputs: data, gamma, beta, moving mean, moving variance, then the addend if there is one.
package struct FusedBatchNorm: Operator {
    package var operation: String { "fused BatchNorm" }
    package let norm: BatchNorm
    package let adds: Bool
    package let relu: Bool

    package init(norm: BatchNorm, adds: Bool, relu: Bool) {
        self.norm = norm
        self.adds = adds
        self.relu = relu
    }

    package var inputNames: [String] { norm.inputNames + norm.auxiliaryNames + (adds ? ["addend"] : []) }
    package var isFused: Bool { true }
    package var changedInputs: [Int] { norm.changedInputs }
    package var savesStatistics: Bool { norm.savesStatistics }
    package func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }

    package var backward: [BackwardPart] {
        // Without an addend ReLU's mask is recomputed from the data; with one it follows from the output.
        let mask: [BackwardPart.Read] = adds && relu ? [.output(0)] : []
        return [BackwardPart(reads: norm.backward[0].reads + mask, writes: [0, 1, 2] + (adds ? [5] : []))]
    }

    package func flops(inputs: [Shape], outputs: [Shape]) -> Double {
        norm.flops(inputs: inputs, outputs: outputs) + Double(outputs[0].count) * ((adds ? 1 : 0) + (relu ? 1 : 0))
    }
}

/// An addition and the ReLU that follows it.
package struct AddReLU: Operator {
    package var operation: String { "fused addition" }
    package init() {}
    package var inputNames: [String] { ["lhs", "rhs"] }
    package func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
    package var isFused: Bool { true }
    // One masked gradient serves both inputs.
    package var backward: [BackwardPart] {
        [BackwardPart(reads: [.output(0), .outputGradient(0)], writes: [0], sharing: [1])]
    }
    package func flops(inputs: [Shape], outputs: [Shape]) -> Double { 2 * Double(outputs[0].count) }
}

/// A convolution with the operations after it in inference: the addition of another value, then clamping (ReLU: 0 and
/// infinity).
///
/// Inputs: data, weight, the bias if there is one, then the addend if there is one.
package struct FusedConvolution: Operator {
    package var operation: String { "fused Convolution" }
    package let convolution: Convolution
    package let adds: Bool
    package let limits: ClosedRange<Float>?

    package init(_ convolution: Convolution, adds: Bool, limits: ClosedRange<Float>?) {
        self.convolution = convolution
        self.adds = adds
        self.limits = limits
    }

    package var inputNames: [String] { convolution.inputNames + (adds ? ["addend"] : []) }
    package var isFused: Bool { true }
    package func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try convolution.inferShapes(&inputs) }
    package func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Double {
        convolution.multiplyAdds(inputs: inputs, outputs: outputs)
    }
    package func flops(inputs: [Shape], outputs: [Shape]) -> Double {
        let passes: Double = (adds ? 1 : 0) + (limits == nil ? 0 : 1)
        return convolution.flops(inputs: inputs, outputs: outputs) + Double(outputs[0].count) * passes
    }
}

/// The weight and the bias of a layer that includes the batch norm after it, with its moving statistics:
/// weight · s and (bias - mean) · s + beta, s = gamma / sqrt(variance + eps) for each of the layer's channels.
///
/// Inputs: weight, gamma, beta, moving mean, moving variance, then the layer's bias if it has one.
package struct BatchNormFolding: Operator {
    package var operation: String { "folding of BatchNorm" }
    package let norm: BatchNorm
    /// 1 where the weight's second axis is the output's channels (of one group), as in deconvolution; else 0.
    package let channelAxis: Int
    package let groups: Int

    package init(_ norm: BatchNorm, channelAxis: Int, groups: Int) {
        self.norm = norm
        self.channelAxis = channelAxis
        self.groups = groups
    }

    package var inputNames: [String] { ["weight"] + norm.inputNames.dropFirst() + norm.auxiliaryNames }
    package func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let weight = inputs[0], let channels = inputs[1] else { return nil }
        return [weight, channels]
    }
}

/// A layout change; shapes and values stay.
package struct Relayout: Operator {
    package var operation: String { "relayout" }
    package init() {}
    package func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? { try sameShape(&inputs) }
    package var changesLayoutOnly: Bool { true }
    package var backward: [BackwardPart] { [BackwardPart(reads: [.outputGradient(0)], writes: [0])] }
    package func flops(inputs: [Shape], outputs: [Shape]) -> Double { 0 }
}
