import AnnealCore

/// What the shards of a training step give together: the sum of their gradients, and the mean of their moving statistics.
final class StepSum {
    let layout: PieceLayout
    private let main: KernelPlan
    private let target: [UnsafeMutablePointer<Float>]
    /// How many of the last pieces are statistics.
    private let statisticsCount: Int
    /// Of all pieces, padding left out.
    private let elements: Int
    /// The statistics before the step, from which every shard starts.
    private let before: Arena
    private let beforeLayout: PieceLayout
    private let exchange: SumExchange

    init(_ main: KernelPlan) throws {
        self.main = main
        let memory = try Self.memory(of: main), values = Self.values(main.program)
        statisticsCount = memory.means.count
        elements = (values.sums + values.means).reduce(0) { $0 + main.program.values[$1].shape.count }
        layout = PieceLayout((memory.sums + memory.means).map(\.count))
        target = (memory.sums + memory.means).compactMap(\.baseAddress)
        beforeLayout = PieceLayout(memory.means.map(\.count))
        before = try Arena(beforeLayout.total)
        exchange = SumExchange(layout)
    }

    var bytes: Int { 4 * layout.total }

    /// What profiles say of one addition, which reads two summands and writes their sum.
    var cost: OperationCost {
        OperationCost(
            layer: "shards", kind: "sum over shards", phase: .update, flops: Double(elements),
            bytes: Double(3 * 4 * elements))
    }

    private typealias Pieces = [UnsafeMutableBufferPointer<Float>]

    private static func values(_ program: Program) -> (sums: [Program.ValueID], means: [Program.ValueID]) {
        let reduction = ShardReduction(program)
        // A fixed gamma is in the memory that all workers share, and is 1.
        return (reduction.sums, reduction.means.filter { program.values[$0].kind == .auxiliary })
    }

    /// Each plan numbers its values for itself; their order is the same in all.
    private static func memory(of plan: KernelPlan) throws -> (sums: Pieces, means: Pieces) {
        let values = Self.values(plan.program)
        return (try values.sums.map(plan.memory(of:)), try values.means.map(plan.memory(of:)))
    }

    func pieces(of plan: KernelPlan) throws -> [UnsafeMutablePointer<Float>] {
        if plan === main { return target }
        let memory = try Self.memory(of: plan)
        return (memory.sums + memory.means).compactMap(\.baseAddress)
    }

    /// Remembers the statistics.
    func begin() {
        for (index, piece) in target.suffix(statisticsCount).enumerated() {
            (before.base + beforeLayout.offsets[index]).update(from: piece, count: beforeLayout.counts[index])
        }
    }

    /// Sets a worker's statistics to those before the step.
    func giveStatistics(to pieces: [UnsafeMutablePointer<Float>]) {
        for (index, piece) in pieces.suffix(statisticsCount).enumerated() {
            piece.update(from: before.base + beforeLayout.offsets[index], count: beforeLayout.counts[index])
        }
    }

    /// Puts the sums, and the statistics' means, into the main plan.
    /// - Parameters:
    ///   - sums: of the workers of this process.
    ///   - own: its shards.
    func finish(_ sums: [ShardSum], own: Range<Int>, of count: Int, _ group: (any ProcessGroup)?) throws {
        func known(_ node: Range<Int>) -> ShardSum? { sums.first { $0.node == node } }
        let nodes = try SumTree.nodes(within: own, of: count).map { node in
            guard let sum = SumTree.sum(node, known: known, add: { $0.adding($1, layout) }) else {
                throw AnnealError("shards \(node)", "have no sum", code: .internalDefect)
            }
            return sum
        }
        if let group, group.size > 1 {
            try exchange.run(nodes, of: count, group, into: target)
        } else {
            nodes[0].copy(layout, to: target)
        }
        let shards = Float(count)
        for (piece, elements) in zip(target, layout.counts).suffix(statisticsCount) {
            for i in 0..<elements { piece[i] /= shards }
        }
    }
}
