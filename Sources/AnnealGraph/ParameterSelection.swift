import AnnealCore

/// Choosing parameters by name, and what freezing them means for batch norm.
extension Symbol {
    /// The parameters and auxiliary states that a regular expression names: those whose own name it matches, and those of
    /// the layers whose name it matches. As in MXNet's `collect_params`, a match may end before the name does.
    ///
    /// - Parameters:
    ///   - names: what may be chosen.
    ///   - flag: where the expression comes from, for messages.
    /// - Throws: if the expression is none, or names nothing.
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
                suggestion: "near are \(near); 'anneal summary' lists the layers", code: .notFound)
        }
        return chosen
    }

    /// The moving means and variances that stay as they are when `frozen` do: those in it, and those of batch norms whose
    /// gamma and beta are both in it.
    package func frozenStatistics(_ frozen: Set<String>) throws -> Set<String> {
        var result: Set<String> = []
        for node in nodes where !node.isVariable {
            guard try node.makeOperator() is BatchNorm, node.inputs.count == 5 else { continue }
            let names = node.inputs.map(\.node.name)
            if frozen.isSuperset(of: names[1...2]) || !frozen.isDisjoint(with: names[3...4]) {
                result.formUnion(names[3...4])
            }
        }
        return result
    }

    /// The same network, with batch norms of these moving means that normalise by them in training too and do not change
    /// them (`use_global_stats`).
    package func usingStoredStatistics(_ statistics: Set<String>) throws -> Symbol {
        guard !statistics.isEmpty else { return self }
        return try rewritten { node in
            guard try node.makeOperator() is BatchNorm, node.inputs.count == 5,
                statistics.contains(node.inputs[3].node.name)
            else { return [:] }
            return ["use_global_stats": AttributeText.bool(true)]
        }
    }
}
