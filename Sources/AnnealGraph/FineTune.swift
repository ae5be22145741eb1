import AnnealCore

/// The cut of MXNet's fine-tune.py: a trained network up to some layer, with a new head.
extension Symbol {
    /// The graph up to `layerBeforeFullc`, then `FullyConnected` named `fc` and `SoftmaxOutput` named `softmax`. If the
    /// kept layers already have an `fc`, which MXNet cannot bind, the new one is `fc_2`, or the next free name.
    ///
    /// - Parameter castToFloat32: whether the head's scores are cast, as for a network that computes in float16.
    public func withNewHead(
        numClasses: Int, layerBeforeFullc: String = "flatten0", castToFloat32: Bool = false
    ) throws -> Symbol {
        try checkClassCount(numClasses)
        let name = "\(layerBeforeFullc)_output"
        guard let body = try internals().outputs.first(where: { try Symbol.outputName($0) == name }) else {
            let found = try? self.layerBeforeFullc()
            throw AnnealError(
                "--layer-before-fullc \(layerBeforeFullc)", "the network has no such layer",
                suggestion: found.map { "its last fully connected layer follows \($0)" }
                    ?? "'anneal summary' lists the layers", code: .notFound)
        }
        let head = SymbolBuilder(), taken = Set(Symbol([body]).nodes.map(\.name))
        let names = [FineTune.headLayer] + (2...taken.count + 2).map { "\(FineTune.headLayer)_\($0)" }
        let free = names.first { taken.isDisjoint(with: [$0, $0 + "_weight", $0 + "_bias"]) } ?? FineTune.headLayer
        var scores = try head.fullyConnected(Symbol([body]), numHidden: numClasses, name: free)
        if castToFloat32 { scores = try head.cast(scores, to: .float32) }
        return try head.softmaxOutput(scores, name: "softmax")
    }

    /// The layer that feeds the last fully connected one, where a new head can be attached.
    public func layerBeforeFullc() throws -> String {
        guard let layer = nodes.last(where: { $0.operation == FullyConnected.name }), let input = layer.inputs.first,
            !input.node.isVariable
        else {
            throw AnnealError(
                "symbol", "has no fully connected layer that follows another layer",
                suggestion: "name the layer for the new head with --layer-before-fullc")
        }
        guard try input.node.op.outputNames[input.index] == "output" else {
            throw AnnealError(
                "layer \(layer.name)", "reads an output of \(input.node.name) that is not its first",
                suggestion: "name the layer for the new head with --layer-before-fullc")
        }
        return input.node.name
    }
}

/// Which stored parameters a fine-tuned network starts with.
public enum FineTune {
    /// Which parameters a fine-tuned network takes over.
    public enum Rule: Sendable {
        /// All parameters of the layers that the network keeps.
        case keptLayers
        /// As fine-tune.py: none with `fc` in its name, so that inner fully connected layers are initialised too.
        case mxnet
    }

    static let headLayer = "fc"

    /// The parameters of the new head of a network made by `withNewHead`.
    public static func headParameters(of network: Symbol) -> Set<String> {
        let head = network.nodes.last { $0.operation == FullyConnected.name }
        return Set(head?.inputs.filter { $0.node.isVariable }.map(\.node.name) ?? [])
    }

    /// The stored parameters that `network`, made by `withNewHead`, takes over, in the stored order; the others of its
    /// arguments and auxiliary states are initialised.
    public static func parametersTakenOver(
        _ stored: [String], by network: Symbol, rule: Rule = .keptLayers
    ) throws -> [String] {
        // The old network's last layer may have the new head's name: that one is new regardless of its shape.
        let wanted = Set(try network.argumentNames() + network.auxiliaryNames())
            .subtracting(headParameters(of: network))
        return stored.filter { wanted.contains($0) && (rule == .keptLayers || !$0.contains("fc")) }
    }
}
