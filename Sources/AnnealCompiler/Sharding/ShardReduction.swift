/// What is reduced over the shards of a batch between their passes and the rest of the step. An engine that runs shards
/// sums it in its devices' memory, in the tree of the shards (`SumTree`).
package struct ShardReduction {
    /// Parameters whose gradients are summed. A gradient may belong to two parameters, and counts once.
    package let gradients: [String]
    /// Auxiliary states that are averaged: moving statistics that the step changes.
    package let statistics: [String]
    /// Parameters that operators set to the same value in each shard: gammas that batch norm fixes.
    package let fixed: [String]

    package init(_ program: Program) {
        var known: Set<Program.ValueID> = []
        gradients = program.gradients.keys.sorted().filter { name in
            guard let variable = program.variables[name], program.values[variable].kind == .parameter,
                let gradient = program.gradients[name], program.values[gradient].kind == .temporary
            else { return false }
            return known.insert(gradient).inserted
        }
        let changed = program.instructions.flatMap { instruction in
            (instruction.action.op?.changedInputs ?? []).compactMap { instruction.reading(.input($0)) }
        }.filter { known.insert($0).inserted }.map { program.values[$0] }
        statistics = changed.filter { $0.kind == .auxiliary }.map(\.name)
        fixed = changed.filter { $0.kind == .parameter }.map(\.name)
    }
}
