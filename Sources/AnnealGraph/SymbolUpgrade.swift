import AnnealCore

/// What MXNet does itself when it opens symbol files of its older versions.
enum SymbolUpgrade {
    /// MXNet's version number of a file, e.g. 10901; 800 when it has none.
    static func version(_ root: [String: Any]) -> Int {
        guard let attributes = root["attrs"] as? [String: Any], let pair = attributes["mxnet_version"] as? [Any],
            pair.count == 2, let number = pair[1] as? Int
        else { return 800 }
        return number
    }

    static func upgrade(_ stored: StoredNode, from version: Int) throws -> Node {
        var node = stored
        for key in AttributeReader.annotations {
            // Annotations got their underscores in 0.9: lr_mult, and NAME_lr_mult for an operator's variable.
            if let value = node.attributes.removeValue(forKey: key) { node.attributes["__\(key)__"] = value }
        }
        guard let operation = node.operation else {
            return Node(operation: nil, name: node.name, attributes: node.attributes)
        }
        guard let canonical = OperatorRegistry.canonicalName(operation) else {
            throw AnnealError("layer \(node.name)", "the operator \(operation) is not known to Anneal")
        }
        moveVariableAnnotations(&node)
        if version < 905, canonical == "argmax" || canonical == "argmin", node.attributes["axis"] == "-1" {
            node.attributes["axis"] = nil
        }
        let op: any Operator
        do {
            op = try OperatorRegistry.make(canonical, node.attributes)
        } catch let error as AnnealError {
            throw error.within("layer \(node.name)")
        }
        // Before 0.9 files left auxiliary states out.
        if version < 900, node.inputs.count == op.inputNames.count {
            for name in op.auxiliaryNames {
                node.inputs.append(Entry(Node(operation: nil, name: "\(node.name)_\(name)", attributes: node.attributes)))
            }
        }
        return Node(operation: canonical, name: node.name, attributes: node.attributes, inputs: node.inputs)
    }

    /// `weight_lr_mult` on an operator belongs to the variable LAYER_weight that feeds it.
    private static func moveVariableAnnotations(_ node: inout StoredNode) {
        for key in node.attributes.keys.sorted() {
            for annotation in AttributeReader.annotations where key.hasSuffix("_\(annotation)") {
                let variable = key.dropLast(annotation.count + 1)
                for (index, entry) in node.inputs.enumerated()
                where entry.node.isVariable && entry.node.name == "\(node.name)_\(variable)" {
                    var attributes = entry.node.attributes
                    attributes["__\(annotation)__"] = node.attributes[key]
                    node.inputs[index] = Entry(Node(operation: nil, name: entry.node.name, attributes: attributes))
                }
                node.attributes[key] = nil
            }
        }
    }
}
