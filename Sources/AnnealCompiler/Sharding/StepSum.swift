import AnnealCore

/// What the shards of a training step give together: the sum of their gradients, and the mean of their moving statistics.
final class StepSum {
    let layout: PieceLayout
    private let main: KernelPlan
    private let target: [UnsafeMutablePointer<Float>]
    /// Parameters whose gradients are summed, then statistics.
    private let gradients: [String]
    private let statistics: [String]
    /// The statistics before the step, from which every shard starts.
    private let before: Arena
    private let beforeLayout: PieceLayout
    private let exchange: SumExchange

    init(_ main: KernelPlan) throws {
        self.main = main
        let reduction = ShardReduction(main.program)
        (gradients, statistics) = (reduction.gradients, reduction.statistics)
        let memory = try Self.memory(gradients, statistics, of: main)
        layout = PieceLayout(memory.map(\.count))
        target = memory.compactMap(\.baseAddress)
        beforeLayout = PieceLayout(memory.suffix(statistics.count).map(\.count))
        before = try Arena(beforeLayout.total)
        exchange = SumExchange(layout)
    }

    var bytes: Int { 4 * layout.total }

    private static func memory(
        _ gradients: [String], _ statistics: [String], of plan: KernelPlan
    ) throws -> [UnsafeMutableBufferPointer<Float>] {
        let program = plan.program
        return try gradients.compactMap { program.gradients[$0] }.map(plan.memory(of:))
            + statistics.compactMap { program.variables[$0] }.map(plan.memory(of:))
    }

    func pieces(of plan: KernelPlan) throws -> [UnsafeMutablePointer<Float>] {
        if plan === main { return target }
        return try Self.memory(gradients, statistics, of: plan).compactMap(\.baseAddress)
    }

    /// Remembers the statistics.
    func begin() {
        for (index, piece) in target.suffix(statistics.count).enumerated() {
            (before.base + beforeLayout.offsets[index]).update(from: piece, count: beforeLayout.counts[index])
        }
    }

    /// Sets a worker's statistics to those before the step.
    func giveStatistics(to pieces: [UnsafeMutablePointer<Float>]) {
        for (index, piece) in pieces.suffix(statistics.count).enumerated() {
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
        for (piece, elements) in zip(target, layout.counts).suffix(statistics.count) {
            for i in 0..<elements { piece[i] /= shards }
        }
    }
}
