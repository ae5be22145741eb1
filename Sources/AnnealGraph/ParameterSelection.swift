import AnnealCore

/// Choosing parameters by name, and what freezing them means for batch norm.
extension Symbol {
    /// The parameters and auxiliary states that a regular expression selects: those that it matches by name, and all of
    /// a layer that it matches. As in MXNet's `collect_params`, a match is a prefix match.
    ///
    /// - Parameters:
    ///   - names: the names to choose from.
    ///   - flag: the source of the expression, for messages.
    /// - Throws: if it is not a valid regular expression, or matches nothing.
    public func parameters(matching pattern: String, among names: Set<String>, flag: String) throws -> Set<String> {
        let expression: Regex<AnyRegexOutput>
        do {
            expression = try Regex(pattern)
        } catch {
            throw AnnealError(
                "\(flag) '\(pattern)'", "is not a regular expression",
                suggestion: "write it as 'conv0' or '(conv|bn).*_gamma'")
        }
        func matches(_ name: String) throws -> Bool { try expression.prefixMatch(in: name) != nil }
        var chosen = try names.filter(matches)
        for node in nodes where !node.isVariable {
            let own = node.inputs.map(\.node).filter { $0.isVariable && names.contains($0.name) }.map(\.name)
            if !own.isEmpty, !chosen.isSuperset(of: own), try matches(node.name) { chosen.formUnion(own) }
        }
        guard !chosen.isEmpty else {
            let near = Spelling.nearest(to: pattern, among: names).joined(separator: ", ")
            throw AnnealError(
                "\(flag) '\(pattern)'", "matches no parameter and no layer",
                suggestion: "the closest are \(near); 'anneal summary' lists the layers", code: .notFound)
        }
        return chosen
    }

    /// The auxiliary states (a batch norm's moving mean and variance) that stay fixed when `frozen` do: those in it,
    /// and those of layers with all parameters (gamma and beta) in it.
    package func frozenStatistics(_ frozen: Set<String>) throws -> Set<String> {
        var result: Set<String> = []
        for node in nodes where !node.isVariable {
            let states = try node.states
            guard !states.isEmpty else { continue }
            let parameters = node.inputs.dropFirst().dropLast(states.count).map(\.node.name)
            if frozen.isSuperset(of: parameters) || !frozen.isDisjoint(with: states) { result.formUnion(states) }
        }
        return result
    }

    /// The same network, with layers that use these auxiliary states in training too and do not update them (batch norm
    /// with `use_global_stats`).
    package func usingStoredStatistics(_ statistics: Set<String>) throws -> Symbol {
        guard !statistics.isEmpty else { return self }
        return try rewritten { node in
            try node.states.contains(where: statistics.contains) ? node.op.attributesKeepingStates : [:]
        }
    }
}

extension Node {
    /// The names of its auxiliary states.
    fileprivate var states: [String] {
        get throws {
            let op = try op, first = op.inputNames.count
            return inputs.count == first + op.auxiliaryNames.count ? inputs[first...].map(\.node.name) : []
        }
    }
}
