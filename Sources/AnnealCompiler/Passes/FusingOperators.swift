import AnnealGraph

// What passes ask of operators that can be joined with what follows them.

/// An operator that can take in an addition and the ReLU that follow it, in training.
package protocol JoinsInTraining: Operator {
    /// Whether its attributes allow it.
    var joins: Bool { get }
    /// Where the joined operator reads what it adds.
    var addend: Program.Operand { get }
    func joined(adds: Bool, relu: Bool) -> any Operator
}

/// An operator that can take in an addition and the limits that follow it, in inference.
package protocol JoinsInInference: Operator {
    /// Whether it can take in an addition.
    var adds: Bool { get }
    /// Where the joined operator reads what it adds.
    var addend: Program.Operand { get }
    /// - Parameter limits: of the results (ReLU: 0 and infinity).
    func joined(adds: Bool, limits: ClosedRange<Float>?) -> any Operator
}

/// An operator that scales and shifts channels by parameters (its inputs 1 and 2) and statistics (3 and 4), and that the
/// weights of the layer before it can do the work of, in inference.
package protocol FoldsIntoWeights: Operator {
    /// Whether its attributes allow it.
    var folds: Bool { get }
    /// What makes the layer's weight and bias.
    /// - Parameters:
    ///   - channelAxis: of the weight.
    ///   - groups: of the layer.
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
    // Our own grouped kernels add nothing.
    package var adds: Bool { numGroup == 1 }
    package var addend: Program.Operand { .input(3) }
    package func joined(adds: Bool, limits: ClosedRange<Float>?) -> any Operator {
        FusedConvolution(self, adds: adds, limits: limits)
    }
}
