/// What the shards of a batch make one of between their passes and the rest of the step: an engine that runs shards adds it up
/// as its devices lie, in the tree of the shards (`SumTree`).
package struct ShardReduction {
    /// Gradients of parameters, which are added. A gradient may be of two parameters, and is here once.
    package let sums: [Program.ValueID]
    /// What operators change in place, of which the mean is taken: moving statistics, and gammas that batch norm fixes.
    package let means: [Program.ValueID]

    package init(_ program: Program) {
        var known: Set<Program.ValueID> = []
        sums = program.gradients.keys.sorted().compactMap { name in
            guard let variable = program.variables[name], program.values[variable].kind == .parameter,
                let gradient = program.gradients[name], program.values[gradient].kind == .temporary
            else { return nil }
            return known.insert(gradient).inserted ? gradient : nil
        }
        means = program.instructions.flatMap { instruction in
            (instruction.action.op?.changedInputs ?? []).compactMap { instruction.reading(.input($0)) }
        }.filter { known.insert($0).inserted }
    }
}
