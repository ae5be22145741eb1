import AnnealGraph

// What passes ask of operators that can be fused with the operators after them.

/// An operator that can fuse with the addition and the ReLU after it, in training.
package protocol JoinsInTraining: Operator {
    /// Whether its attributes allow it.
    var joins: Bool { get }
    /// The role in which the fused operator reads the addend.
    var addend: Program.Operand { get }
    func joined(adds: Bool, relu: Bool) -> any Operator
}

/// An operator that can fuse with the addition and the clamping after it, in inference.
package protocol JoinsInInference: Operator {
    /// Whether it can fuse with an addition.
    var adds: Bool { get }
    /// The role in which the fused operator reads the addend.
    var addend: Program.Operand { get }
    /// - Parameter limits: the range that results are clamped to (ReLU: 0 and infinity).
    func joined(adds: Bool, limits: ClosedRange<Float>?) -> any Operator
}

/// An operator that scales and shifts channels by parameters (its inputs 1 and 2) and statistics (3 and 4), and that
/// can be folded into the weights of the layer before it in inference.
package protocol FoldsIntoWeights: Operator {
    /// Whether its attributes allow it.
    var folds: Bool { get }
    /// Returns the operator that computes the layer's weight and bias.
    /// - Parameters:
    ///   - channelAxis: the weight's axis of output channels.
    ///   - groups: the layer's number of groups.
    func folding(channelAxis: Int, groups: Int) -> any Operator
}

extension BatchNorm: JoinsInTraining, FoldsIntoWeights {
    private var isPlain: Bool { axis == 1 && !outputMeanVar }
    package var joins: Bool { isPlain }
    package var addend: Program.Operand { .input(5) }
    package func joined(adds: Bool, relu: Bool) -> any Operator { FusedBatchNorm(norm: self, adds: adds, relu: relu) }

    package var folds: Bool { isPlain }
    package func folding(channelAxis: Int, groups: Int) -> any Operator {
        BatchNormFolding(self, channelAxis: channelAxis, groups: groups)
    }
}

extension Convolution: JoinsInInference {
    // Our grouped kernels do not support an addition.
    package var adds: Bool { numGroup == 1 }
    package var addend: Program.Operand { .input(3) }
    package func joined(adds: Bool, limits: ClosedRange<Float>?) -> any Operator {
        FusedConvolution(self, adds: adds, limits: limits)
    }
}
