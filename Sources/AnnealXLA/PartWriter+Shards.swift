import AnnealCompiler
import AnnealGraph

/// What the shards of a batch exchange.
extension PartWriter {
    /// What shards exchange, in the order of their rows: gradients and flags, which are summed, and statistics (and
    /// fixed gammas), which are averaged.
    var exchanged: [Program.ValueID] { exchangedGradients + exchangedFlags + means }

    var exchangedGradients: [Program.ValueID] {
        ShardReduction(program).gradients.compactMap { program.gradients[$0] }
    }

    private var exchangedFlags: [Program.ValueID] {
        key.phases.contains(.check) ? program.checks.filter { isOfCheck($0.value) }.map(\.value) : []
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

    func elements(of values: [Program.ValueID]) -> Int { values.reduce(0) { $0 + program.values[$1].shape.count } }

    /// A program that sums rows in their tree. It does nothing else, so that the program that uses the sum is the same
    /// wherever the sum was computed: on one device, on several together, or in several processes. Subnormal sums are
    /// flushed to zero, since some devices compute that way.
    /// - Parameter reducing: devices that sum their rows by a collective.
    static func sum(rows: Int, elements: Int, reducing: Int) -> Text {
        let function = HLOFunction(usesTF32: false)
        let values = (0..<rows).map { _ in function.argument([elements], .f32) }
        let own = SumTree.sum(values) { a, b in
            let sum = a + b, isSubnormal = sum.absolute().compare(.less, Double(Float.leastNormalMagnitude))
            return isSubnormal.select(sum.like(0), sum)
        }
        let sum = reducing > 1 ? own.reducedOverReplicas(reducing) : own
        return Text(
            module: function.module(results: [sum], donated: [:]), arguments: (0..<rows).map { .row($0) },
            results: [.row])
    }

    /// Splits the sum of the shards' rows.
    func takeSum() throws {
        let exchanged = exchanged, count = elements(of: exchanged)
        guard count > 0 else { return }
        let sum = argument(.row(0), [count], .f32)
        // The values that statistics are restored to.
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
