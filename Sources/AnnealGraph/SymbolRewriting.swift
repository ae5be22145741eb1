import AnnealCore

extension Symbol {
    /// The same graph with the attributes that `changes` returns overriding each operator's own.
    func rewritten(_ changes: (Node) throws -> [String: String]) rethrows -> Symbol {
        var copies: [ObjectIdentifier: Node] = [:]
        func copied(_ entry: Entry) -> Entry {
            Entry(copies[ObjectIdentifier(entry.node)] ?? entry.node, entry.index, version: entry.version)
        }
        for node in nodes {
            copies[ObjectIdentifier(node)] = node.copied(
                inputs: node.inputs.map(copied), changes: node.isVariable ? [:] : try changes(node))
        }
        return Symbol(outputs.map(copied))
    }

    /// The same network, trained on rows of label probabilities that need not sum to 1: its loss is -sum(label * log p)
    /// (`SoftmaxOutput.labelSum`).
    ///
    /// - Throws: unless the symbol is one `SoftmaxOutput` that reads the variable `label`.
    package func takingSoftLabels(_ label: String) throws -> Symbol {
        guard outputs.count == 1, try outputs[0].node.op is SoftmaxOutput,
            outputs[0].node.inputs.last?.node.name == label
        else {
            throw AnnealError(
                "symbol", "ends in \(outputs.last?.node.operation ?? "a variable"), soft labels require SoftmaxOutput",
                suggestion: "leave out --label-smoothing, --mixup, --cutmix and --class-weights")
        }
        let loss = outputs[0].node.name
        return rewritten { $0.name == loss ? [SoftmaxOutput.labelSumAttribute: AttributeText.bool(true)] : [:] }
    }
}
