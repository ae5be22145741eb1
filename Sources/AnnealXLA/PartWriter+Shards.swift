import AnnealCompiler
import AnnealGraph

/// What the shards of a batch exchange.
extension PartWriter {
    /// What shards exchange, in the order of their rows: gradients and flags, which are added, and statistics (and fixed
    /// gammas), whose mean is taken.
    var exchanged: [Program.ValueID] {
        let flags = key.phases.contains(.check) ? program.checks.filter { isOfCheck($0.value) }.map(\.value) : []
        return ShardReduction(program).gradients.compactMap { program.gradients[$0] } + flags + means
    }

    private var means: [Program.ValueID] {
        let reduction = ShardReduction(program)
        return (reduction.statistics + reduction.fixed).compactMap { program.variables[$0] }
    }

    private func isOfCheck(_ flags: Program.ValueID) -> Bool {
        program.instructions.contains { instruction in
            guard case .update(.checkFinite) = instruction.action else { return false }
            return instruction.writing(.output(0)) == flags
        }
    }

    /// Adds up the shards' rows in their tree, and takes them apart.
    func addShards() throws {
        let count = exchanged.reduce(0) { $0 + program.values[$1].shape.count }
        guard count > 0 else { return }
        let rows = (0..<shards / reducing).map { argument(.row(shard: $0), [count], .f32) }
        let own = SumTree.sum(rows) { $0 + $1 }, sum = reducing > 1 ? own.reducedOverReplicas(reducing) : own
        // What statistics go back to.
        for instruction in program.instructions {
            guard case .update(.copy(.forward)) = instruction.action else { continue }
            for (role, id) in instruction.writes {
                guard case .output(let index) = role, let from = instruction.reading(.input(index)) else { continue }
                values[id] = try value(from)
            }
        }
        let means = Set(means), flags = Set(program.checks.map(\.value))
        var start = 0
        for id in exchanged {
            let dims = Order.channelsLast(program.values[id].shape.dims), size = dims.reduce(1, *)
            var value = sum.sliced(axis: 0, from: start, to: start + size).reshaped(dims)
            if means.contains(id) { value = value / Double(shards) }
            if flags.contains(id) { value = value.compare(.atLeast, Double(shards)).converted(to: .f32) }
            set(id, value)
            start += size
        }
    }
}
