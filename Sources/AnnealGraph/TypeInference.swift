import AnnealCore

/// How an operator's element types are related, in MXNet's names (`float32`).
public enum TypeRule: Sendable, Equatable {
    /// All inputs and outputs have one type.
    case same
    /// As `same`, but parameters and auxiliary states stay in float32 when the data is float16.
    case float32Parameters
    /// The inputs have one type, the outputs this one.
    case output(String)
}

extension Symbol {
    /// MXNet's `infer_type`: the types of all variables. A variable without any type information, such as an input, is
    /// float32.
    ///
    /// - Parameter given: types of variables by name; for others the variable's `__dtype__` is used.
    public func inferTypes(_ given: [String: String] = [:]) throws -> [String: String] {
        let nodes = self.nodes
        var types: [ObjectIdentifier: String] = [:]
        for node in nodes where node.isVariable {
            types[ObjectIdentifier(node)] = given[node.name] ?? Symbol.declaredType(node)
        }
        for node in nodes where !node.isVariable {
            let op = try node.op
            // The first input with a type decides; parameters come after the data and take its type.
            let known = node.inputs.lazy.compactMap { types[ObjectIdentifier($0.node)] }.first ?? "float32"
            var output = known
            if case .output(let type) = op.typeRule { output = type }
            for (index, entry) in node.inputs.enumerated() where types[ObjectIdentifier(entry.node)] == nil {
                let narrow = op.typeRule == .float32Parameters && index > 0 && known == "float16"
                types[ObjectIdentifier(entry.node)] = narrow ? "float32" : known
            }
            types[ObjectIdentifier(node)] = output
        }
        var result: [String: String] = [:]
        for node in nodes where node.isVariable { result[node.name] = types[ObjectIdentifier(node)] ?? "float32" }
        return result
    }

    private static func declaredType(_ node: Node) -> String? {
        // A number as in .params files; -1 means unknown.
        guard let text = node.attributes["__dtype__"], let code = Int32(text) else { return nil }
        return StoredArray.DType(rawValue: code).map { "\($0)" }
    }
}
