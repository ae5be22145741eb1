import AnnealCore

/// What the last operator of an output says about its values.
package struct OutputEnding {
    package enum Kind {
        /// A softmax: each row sums to 1.
        case probabilities
        /// The last layer's output is used as it is: a softmax would turn it into probabilities.
        case logits
        /// Numbers for which a softmax makes no sense: margins, regression, independent probabilities.
        case scores
        /// The output is a loss.
        case loss
    }

    package let kind: Kind
    /// It is trained on numbers, not on classes.
    let isRegression: Bool
    /// The layer that computes the scores.
    let layer: Node
    /// The input of a softmax or its logarithm, if it is a plain softmax.
    private let softmaxInput: Entry?
    /// Operators after the layer that do not change its values: the last one first.
    private let wrappers: [Node]

    package init(_ output: Entry) throws {
        var entry = output
        var wrappers: [Node] = []
        while !entry.node.isVariable, try Self.keepsNumbers(entry.node.op) {
            wrappers.append(entry.node)
            entry = entry.node.inputs[0]
        }
        self.wrappers = wrappers
        layer = entry.node
        guard !layer.isVariable else {
            (kind, softmaxInput, isRegression) = (.logits, nil, false)
            return
        }
        let op = try layer.op
        isRegression = op is RegressionOutput
        switch op {
        case is SoftmaxOutput, is SoftmaxActivation: (kind, softmaxInput) = (.probabilities, layer.inputs[0])
        case let op as Softmax:
            let isOverClasses = (op.axis == -1 || op.axis == 1) && !op.useLength
            kind = isOverClasses && op.member != .logSoftmax ? .probabilities : .scores
            softmaxInput = isOverClasses && op.member != .softmin && op.temperature == 1 ? layer.inputs[0] : nil
        case is SVMOutput, is RegressionOutput: (kind, softmaxInput) = (.scores, nil)
        case let op as Activation where op.kind == .sigmoid: (kind, softmaxInput) = (.scores, nil)
        case let op as Unary where op.member == .sigmoid: (kind, softmaxInput) = (.scores, nil)
        case is MakeLoss, is SimpleMakeLoss, is SoftmaxCrossEntropy: (kind, softmaxInput) = (.loss, nil)
        default: (kind, softmaxInput) = (.logits, nil)
        }
    }

    private static func keepsNumbers(_ op: any Operator) -> Bool {
        op is BlockGrad || op is Copy || op is Flatten || op is Cast
    }

    /// The output's scores before any softmax; nil if there are none.
    package func logits(of output: Entry) -> Entry? {
        if kind == .logits { return output }
        guard let softmaxInput else { return nil }
        return wrappers.reversed().reduce(softmaxInput) { entry, wrapper in Entry(wrapper.copied(inputs: [entry])) }
    }

    /// `dense1 (FullyConnected)`
    var description: String { "\(layer.name) (\(layer.operation ?? "a variable"))" }
}
