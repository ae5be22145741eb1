import AnnealCore

/// A node as stored in a file; its inputs are indices into the file's list.
struct StoredNode {
    var operation: String?
    var name: String
    var attributes: [String: String] = [:]
    var inputs: [StoredEntry] = []
    /// The parsed attributes of an upgraded node; nil for a variable.
    var op: (any SymbolOperator)?
}

struct StoredEntry {
    var node: Int
    var index = 0
    var version = 0
}

/// The upgrades that MXNet itself applies when it opens symbol files of older versions.
enum SymbolUpgrade {
    /// MXNet's version number of a file, e.g. 10901; 800 when it has none.
    static func version(_ root: [String: Any]) -> Int {
        guard let attributes = root["attrs"] as? [String: Any], let pair = attributes["mxnet_version"] as? [Any],
            pair.count == 2, let number = pair[1] as? Int
        else { return 800 }
        return number
    }

    /// The nodes of a file of that version, upgraded; in the file's order, with added nodes at the end.
    static func nodes(_ stored: [StoredNode], from version: Int) throws -> [Node] {
        var list = stored
        for index in stored.indices { try upgrade(&list, index, from: version) }
        // Variables first: operators may refer to variables at the end.
        var nodes: [Node?] = list.map {
            $0.operation == nil ? Node(operation: nil, name: $0.name, attributes: $0.attributes) : nil
        }
        for (index, node) in list.enumerated() {
            guard let operation = node.operation, let op = node.op else { continue }
            let inputs = node.inputs.compactMap { entry in
                nodes[entry.node].map { Entry($0, entry.index, version: entry.version) }
            }
            nodes[index] = Node(
                op, operation: operation, name: node.name, attributes: node.attributes, inputs: inputs)
        }
        return nodes.compactMap { $0 }
    }

    private static func upgrade(_ list: inout [StoredNode], _ index: Int, from version: Int) throws {
        for key in AttributeReader.annotations {
            // Annotations without underscores were written before 0.9: lr_mult, ctx_group.
            if let value = list[index].attributes.removeValue(forKey: key) {
                list[index].attributes["__\(key)__"] = value
            }
        }
        guard let operation = list[index].operation else { return }
        let place = "layer \(list[index].name)"
        guard let canonical = OperatorRegistry.canonicalName(operation) else {
            throw AnnealError(place, "the operator \(operation) is not known to Anneal", code: .unsupported)
        }
        list[index].operation = canonical
        let variableAnnotations = takeVariableAnnotations(&list[index])
        if version < 905, canonical == "argmax" || canonical == "argmin", list[index].attributes["axis"] == "-1" {
            list[index].attributes["axis"] = nil
        }
        let op: any SymbolOperator
        do {
            op = try OperatorRegistry.make(canonical, list[index].attributes)
        } catch let error as AnnealError {
            throw error.within(place)
        }
        list[index].op = op
        let inputNames = op.inputNames + op.auxiliaryNames
        func variable(_ name: String) -> Int? {
            guard let input = inputNames.firstIndex(of: name),
                input < list[index].inputs.count
            else { return nil }
            let node = list[index].inputs[input].node
            return list[node].operation == nil ? node : nil
        }
        for (name, key, value) in variableAnnotations {
            if let node = variable(name) { list[node].attributes[key] = value }
        }
        // Before 0.9 files omitted auxiliary states.
        if version < 900, list[index].inputs.count == op.inputNames.count {
            for name in op.auxiliaryNames {
                list[index].inputs.append(StoredEntry(node: list.count))
                list.append(
                    StoredNode(
                        operation: nil, name: "\(list[index].name)_\(name)", attributes: list[index].attributes))
            }
        }
        // Before 0.9.4 variables did not carry their initializers.
        if version < 904 {
            for (name, initializer) in op.inputInitializers {
                if let node = variable(name), list[node].attributes["__init__"] == nil {
                    list[node].attributes["__init__"] = initializer
                }
            }
        }
    }

    /// `weight_lr_mult` on an operator belongs to the variable that feeds its weight: (weight, `__lr_mult__`, value).
    private static func takeVariableAnnotations(_ node: inout StoredNode) -> [(String, String, String)] {
        var taken: [(String, String, String)] = []
        for (key, value) in node.attributes {
            for annotation in AttributeReader.annotations where key.hasSuffix("_\(annotation)") {
                taken.append((String(key.dropLast(annotation.count + 1)), "__\(annotation)__", value))
                node.attributes[key] = nil
            }
        }
        return taken
    }
}
