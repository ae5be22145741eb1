import AnnealCore
import Foundation

/// MXNet's `-symbol.json`.
extension Symbol {
    /// Writes the graph as MXNet 1.9.1 does, byte for byte.
    public func json() throws -> String {
        let nodes = self.nodes
        var position: [ObjectIdentifier: Int] = [:]
        for (index, node) in nodes.enumerated() { position[ObjectIdentifier(node)] = index }
        func reference(_ entry: Entry) -> String {
            "[\(position[ObjectIdentifier(entry.node)] ?? 0), \(entry.index), \(entry.version)]"
        }

        var rowPointer = [0]
        var texts: [String] = []
        for node in nodes {
            var lines = ["      \"op\": \(quoted(node.operation ?? "null"))", "      \"name\": \(quoted(node.name))"]
            let pairs = node.attributes.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                .map { "\(quoted($0.key)): \(quoted($0.value))" }
            // An object with one pair stays on its line.
            if pairs.count == 1 {
                lines.append("      \"attrs\": {\(pairs[0])}")
            } else if pairs.count > 1 {
                let body = pairs.map { "        \($0)" }.joined(separator: ", \n")
                lines.append("      \"attrs\": {\n\(body)\n      }")
            }
            let stored = node.isVariable ? 1 : try node.op.storedOutputCount
            lines.append("      \"inputs\": \(list(node.inputs.map(reference), indent: "      "))")
            texts.append("    {\n\(lines.joined(separator: ", \n"))\n    }")
            rowPointer.append(rowPointer[rowPointer.count - 1] + stored)
        }
        let variables = nodes.indices.filter { nodes[$0].isVariable }
        return """
            {
              "nodes": [
            \(texts.joined(separator: ", \n"))
              ],\u{20}
              "arg_nodes": \(list(variables.map(String.init))),\u{20}
              "node_row_ptr": \(list(rowPointer.map(String.init))),\u{20}
              "heads": \(list(outputs.map(reference))),\u{20}
              "attrs": {"mxnet_version": ["int", 10901]}
            }
            """
    }

    /// A list of more than ten elements has each on its own line, as MXNet writes it.
    private func list(_ elements: [String], indent: String = "  ") -> String {
        guard elements.count > 10 else { return "[" + elements.joined(separator: ", ") + "]" }
        return "[\n" + elements.map { "\(indent)  \($0)" }.joined(separator: ", \n") + "\n\(indent)]"
    }

    private func quoted(_ text: String) -> String {
        var result = "\""
        for character in text.unicodeScalars {
            switch character {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default: result.unicodeScalars.append(character)
            }
        }
        return result + "\""
    }

    /// Reads a symbol file.
    public static func load(_ path: String) throws -> Symbol {
        do {
            return try Symbol(json: try Files.read(path))
        } catch let error as AnnealError where error.place != path {
            throw error.within(path)
        }
    }

    /// Reads symbol JSON of MXNet 0.8 to 1.9, upgrading what older versions wrote differently.
    public init(json: Data) throws {
        let object: Any
        do {
            object = try JSONSerialization.jsonObject(with: json)
        } catch {
            throw AnnealError(
                "", "is not JSON", suggestion: "a symbol file is written by Anneal or MXNet as PREFIX-symbol.json",
                code: .damaged)
        }
        guard let root = object as? [String: Any], let list = root["nodes"] as? [Any],
            let heads = root["heads"] as? [Any]
        else {
            throw AnnealError(
                "", "is JSON, but not an MXNet symbol", suggestion: "it has no nodes and heads", code: .damaged)
        }

        let stored = try list.enumerated().map { try Symbol.storedNode($1, at: $0) }
        let nodes = try SymbolUpgrade.nodes(stored, from: SymbolUpgrade.version(root))
        outputs = try heads.map {
            let head = try Symbol.storedEntry($0, of: "heads", before: stored.count)
            return Entry(nodes[head.node], head.index, version: head.version)
        }
        guard !outputs.isEmpty else {
            throw AnnealError("heads", "is empty", suggestion: "a symbol has at least one output", code: .damaged)
        }
        // Unknown operators and attributes are reported now, not in the middle of a run.
        var outputCounts: [ObjectIdentifier: Int] = [:]
        for node in self.nodes where !node.isVariable {
            let op = try node.op
            let wanted = op.inputNames.count + op.auxiliaryNames.count
            guard node.inputs.count == wanted else {
                throw AnnealError(
                    "layer \(node.name)", "has \(node.inputs.count) inputs, \(op.operation) requires \(wanted)",
                    code: .damaged)
            }
            outputCounts[ObjectIdentifier(node)] = op.outputNames.count
            for input in node.inputs where input.index >= outputCounts[ObjectIdentifier(input.node)] ?? 1 {
                // Throws if there is no such output.
                _ = try Symbol.outputName(input)
            }
        }
        for output in outputs { _ = try Symbol.outputName(output) }
        var names = Set<String>()
        for node in self.nodes where node.isVariable {
            guard names.insert(node.name).inserted else {
                throw AnnealError(
                    "node \(node.name)", "occurs twice in the graph", suggestion: "each variable needs its own name",
                    code: .damaged)
            }
        }
    }

    private static func storedNode(_ item: Any, at index: Int) throws -> StoredNode {
        guard let item = item as? [String: Any], let operation = item["op"] as? String,
            let name = item["name"] as? String
        else { throw AnnealError("node \(index)", "has no op and name", code: .damaged) }
        var stored = StoredNode(operation: operation == "null" ? nil : operation, name: name)
        // "attrs" since 1.2, "attr" before; operator parameters were in "param" before 0.9.
        for key in ["param", "attr", "attrs"] {
            guard let values = item[key] else { continue }
            guard let values = values as? [String: Any] else {
                throw AnnealError("node \(name)", "\(key) is not an object of strings", code: .damaged)
            }
            for (attribute, value) in values {
                guard let text = value as? String else {
                    throw AnnealError("node \(name)", "attribute \(attribute) is not a string", code: .damaged)
                }
                stored.attributes[attribute] = text
            }
        }
        for input in item["inputs"] as? [Any] ?? [] {
            stored.inputs.append(try storedEntry(input, of: "node \(name)", before: index))
        }
        return stored
    }

    private static func storedEntry(_ value: Any, of place: String, before limit: Int) throws -> StoredEntry {
        guard let numbers = value as? [Int], (2...3).contains(numbers.count) else {
            throw AnnealError(place, "an input is not [node, output, version]", code: .damaged)
        }
        guard (0..<limit).contains(numbers[0]) else {
            throw AnnealError(place, "refers to node \(numbers[0]), which does not come before it", code: .damaged)
        }
        guard (0..<maximumInputs).contains(numbers[1]) else {
            throw AnnealError(place, "refers to output \(numbers[1])", code: .damaged)
        }
        return StoredEntry(node: numbers[0], index: numbers[1], version: numbers.count > 2 ? numbers[2] : 0)
    }
}
