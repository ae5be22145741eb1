import AnnealCore

/// The combined result of the shards in a training step: the sum of their gradients, and the mean of their moving
/// statistics.
///
/// The pieces are in the order in which a pass completes them, in buckets of consecutive ones: a bucket is summed as
/// soon as all workers have it, during the backward pass.
final class StepSum {
    let layout: PieceLayout
    let buckets: [Bucket]
    private let pieces: [Piece]
    private let main: KernelPlan
    private let target: [UnsafeMutablePointer<Float>]
    /// The places of the statistics among the pieces.
    private let statistics: [Int]
    /// The statistics before the step, from which every shard starts.
    private let before: Arena
    private let beforeLayout: PieceLayout
    private let threshold: Float?
    private let residuals: Residuals?
    /// Called in place of additions on the caller's thread.
    var aroundSum: ShardSum.Around?

    /// A gradient or a moving statistic.
    private struct Piece {
        let name: String
        let isStatistic: Bool

        func value(in program: Program) -> Program.ValueID? {
            isStatistic ? program.variables[name] : program.gradients[name]
        }
    }

    /// Pieces that are exchanged together.
    struct Bucket {
        let pieces: Range<Int>
        let layout: PieceLayout
        let exchange: SumExchange
        /// Contains only statistics.
        let isStatistics: Bool
    }

    /// - Parameter shards: those whose residuals this process has.
    init(_ main: KernelPlan, shards: Range<Int>, store: ParameterStore, engine: ShardedEngine) throws {
        self.main = main
        let compression = engine.compression
        // Compressed gradients are not exchanged together with statistics, which are not compressed. If gradients
        // arrive late, the next step begins with the statistics.
        let separates = compression != .none || main.program.holdsGradients
        let last = main.lastSteps
        let all = Self.pieces(of: main.program)
        let order = all.indices.sorted { a, b in
            func step(_ piece: Int) -> Int { all[piece].value(in: main.program).flatMap { last[$0] } ?? -1 }
            let isLater = separates ? (all[a].isStatistic, all[b].isStatistic) : (false, false)
            return (isLater.0 ? 1 : 0, step(a), a) < (isLater.1 ? 1 : 0, step(b), b)
        }
        pieces = order.map { all[$0] }
        let memory = try Self.memory(pieces, of: main)
        layout = PieceLayout(memory.map(\.count))
        target = memory.compactMap(\.baseAddress)
        statistics = pieces.indices.filter { [pieces] in pieces[$0].isStatistic }
        beforeLayout = PieceLayout(statistics.map { [layout] in layout.counts[$0] })
        before = try Arena(beforeLayout.total)
        let first = separates ? pieces.count - statistics.count : pieces.count
        // Nothing is exchanged within a process.
        let limit: Int = engine.group == nil ? .max : engine.bucketBytes / MemoryLayout<Float>.size
        let groups: [(pieces: Range<Int>, format: WireFormat, isStatistics: Bool)] = [
            (pieces: 0..<first, format: compression.format, isStatistics: false),
            (pieces: first..<pieces.count, format: .float32, isStatistics: true),
        ]
        buckets = groups.flatMap { [layout] group in
            StepSum.ranges(Array(layout.counts[group.pieces]), limit: limit).map { range in
                let begin = group.pieces.lowerBound
                let range = (range.lowerBound + begin)..<(range.upperBound + begin)
                let part = PieceLayout(Array(layout.counts[range]))
                return Bucket(
                    pieces: range, layout: part, exchange: SumExchange(part, group.format),
                    isStatistics: group.isStatistics)
            }
        }
        guard case .twoBit(let threshold) = compression else {
            (self.threshold, residuals) = (nil, nil)
            return
        }
        self.threshold = threshold
        let gradients = pieces[..<first].compactMap { piece in
            main.program.gradients[piece.name].map { (name: piece.name, value: main.program.values[$0]) }
        }
        residuals = try Residuals(
            gradients, shards: shards, threshold: threshold, store: store, engine: engine.devices[0])
    }

    private static func pieces(of program: Program) -> [Piece] {
        let reduction = ShardReduction(program)
        return reduction.gradients.map { Piece(name: $0, isStatistic: false) }
            + reduction.statistics.map { Piece(name: $0, isStatistic: true) }
    }

    private static func memory(
        _ pieces: [Piece], of plan: KernelPlan
    ) throws -> [UnsafeMutableBufferPointer<Float>] {
        try pieces.compactMap { $0.value(in: plan.program) }.map(plan.memory(of:))
    }

    /// Consecutive pieces with at least a number of elements; the last bucket may have fewer.
    static func ranges(_ counts: [Int], limit: Int) -> [Range<Int>] {
        var ranges: [Range<Int>] = [], first = 0, elements = 0
        for (piece, count) in counts.enumerated() {
            elements += count
            guard elements >= limit || piece == counts.count - 1 else { continue }
            ranges.append(first..<(piece + 1))
            (first, elements) = (piece + 1, 0)
        }
        return ranges
    }

    /// A hash of how the pieces lie in memory, where they are added element by element: equal in processes that can add
    /// theirs.
    func fingerprint(_ engine: any KernelEngine) throws -> Int {
        // FNV-1a, by words.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ word: UInt32) { hash = (hash ^ UInt64(word)) &* 0x100_0000_01B3 }
        for piece in pieces {
            piece.name.utf8.forEach { add(UInt32($0)) }
            guard let id = piece.value(in: main.program) else { continue }
            let value = main.program.values[id], memory = try Arena(value.layout.elements(value.shape))
            // Each element's place in plain order.
            let places = Tensor(value.shape, (0..<value.shape.count).map { Float($0) })
            try engine.write(places, to: memory.base, layout: value.layout)
            for index in 0..<value.layout.elements(value.shape) { add(memory.base[index].bitPattern) }
        }
        return Int(bitPattern: UInt(hash))
    }

    var bytes: Int { 4 * layout.total }

    /// The bucket of each gradient and statistic of the main plan.
    var bucketOfValue: [Program.ValueID: Int] {
        var result: [Program.ValueID: Int] = [:]
        for (number, bucket) in buckets.enumerated() {
            for piece in bucket.pieces { result[pieces[piece].value(in: main.program) ?? -1] = number }
        }
        return result
    }

    func pieces(of plan: KernelPlan) throws -> [UnsafeMutablePointer<Float>] {
        if plan === main { return target }
        return try Self.memory(pieces, of: plan).compactMap(\.baseAddress)
    }

    /// The step of a plan after which each bucket, and those before it, are complete.
    func completions(of plan: KernelPlan) -> [Int] {
        let last = plan.lastSteps
        var step = -1
        return buckets.map { bucket in
            for piece in bucket.pieces {
                step = max(step, pieces[piece].value(in: plan.program).flatMap { last[$0] } ?? -1)
            }
            return step
        }
    }

    /// Compresses a shard's gradients of a bucket.
    func compress(_ bucket: Bucket, _ shard: Int, _ pieces: [UnsafeMutablePointer<Float>]) {
        guard let residuals, !bucket.isStatistics else { return }
        for piece in bucket.pieces { residuals.quantize(pieces[piece], shard: shard, index: piece) }
    }

    /// Sends all residuals to the process that saves.
    func collect(_ shards: Int, _ group: any ProcessGroup) throws { try residuals?.collect(shards, group) }

    /// Copies the statistics.
    func begin() {
        for (index, piece) in statistics.enumerated() {
            (before.base + beforeLayout.offsets[index]).update(from: target[piece], count: beforeLayout.counts[index])
        }
    }

    /// Resets a worker's statistics to those before the step.
    func giveStatistics(to pieces: [UnsafeMutablePointer<Float>]) {
        for (index, piece) in statistics.enumerated() {
            pieces[piece].update(from: before.base + beforeLayout.offsets[index], count: beforeLayout.counts[index])
        }
    }

    /// Stores a bucket's sums, and its statistics' means, in the main plan.
    /// - Parameters:
    ///   - sums: the sums of this process's workers.
    ///   - own: this process's shards.
    func finish(
        _ bucket: Bucket, _ sums: [ShardSum], own: Range<Int>, of count: Int, _ group: (any ProcessGroup)?
    ) throws {
        let parts = sums.map { $0.part(bucket.pieces) }, target = Array(target[bucket.pieces])
        func known(_ node: Range<Int>) -> ShardSum? { parts.first { $0.node == node } }
        let nodes = try SumTree.nodes(within: own, of: count).map { node in
            guard let sum = SumTree.sum(node, known: known, add: { $0.adding($1, bucket.layout, aroundSum) }) else {
                throw AnnealError("shards \(node)", "have no sum", code: .internalDefect)
            }
            return sum
        }
        if let group, group.size > 1 {
            try bucket.exchange.run(nodes, of: count, group, into: target)
        } else {
            nodes[0].copy(bucket.layout, to: target)
        }
        let shards = Float(count)
        for piece in bucket.pieces {
            if pieces[piece].isStatistic {
                for i in 0..<layout.counts[piece] { self.target[piece][i] /= shards }
            } else if let threshold {
                for i in 0..<layout.counts[piece] { self.target[piece][i] *= threshold }
            }
        }
    }
}
