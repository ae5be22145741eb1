import AnnealCore

/// How a batch is split into shards. Each shard is computed independently, with its own batch statistics, and the
/// shards' results are added in a fixed tree: the results depend on the shards, but not on who computes them.
package struct Shards: Sendable, Equatable {
    /// The rows of each shard.
    package let rows: [Range<Int>]
    package var count: Int { rows.count }
    /// Rows of the whole batch.
    package var batch: Int { rows.last?.upperBound ?? 0 }

    /// MXNet's slices (`_split_input_slice`): round(batch / count) rows each, and the rest in the last one.
    /// - Throws: `AnnealError` if one would be empty.
    package init(batch: Int, count: Int) throws {
        let rows = Self.slices(batch, count)
        guard !rows.contains(where: \.isEmpty) else {
            let less = batch / count * count
            throw AnnealError(
                "batch size \(batch)", "does not divide into \(count) shards",
                suggestion: less > 0 ? "use \(less) or \(less + count)" : "use \(count) or more", code: .mismatch)
        }
        self.rows = rows
    }

    /// For inference, where any batch size is accepted: as many shards as possible, up to `most`.
    package init(batch: Int, most: Int) {
        let count = (1...max(1, min(batch, most))).last { !Self.slices(batch, $0).contains(where: \.isEmpty) } ?? 1
        rows = Self.slices(batch, count)
    }

    private static func slices(_ batch: Int, _ count: Int) -> [Range<Int>] {
        let size = Int((Double(batch) / Double(count)).rounded(.toNearestOrEven))
        var end = 0
        return (0..<count).map { shard in
            let begin = end
            end = shard == count - 1 ? batch : min(batch, begin + size)
            return begin..<end
        }
    }

    /// The shards of a worker: each worker takes consecutive ones.
    package static func range(of worker: Int, workers: Int, count: Int) -> Range<Int> {
        (worker * count / workers)..<((worker + 1) * count / workers)
    }

    /// - Throws: `AnnealError` if there are more devices than shards.
    package static func check(_ shards: Int, devices: Int, processes: Int) throws {
        let workers = devices * processes
        guard devices > 0, workers <= shards else {
            let over = processes > 1 ? " of \(processes) processes" : ""
            throw AnnealError(
                "--shards \(shards)", "are fewer than the \(workers) devices\(over)",
                suggestion: "give --shards \(workers) or more, or fewer devices")
        }
    }

    /// The rows of some shards.
    package func rows(of shards: Range<Int>) -> Range<Int> {
        shards.isEmpty ? 0..<0 : rows[shards.lowerBound].lowerBound..<rows[shards.upperBound - 1].upperBound
    }
}

extension Shards {
    /// The shards of this process.
    package func own(_ group: (any ProcessGroup)?) -> Range<Int> {
        Self.range(of: group?.rank ?? 0, workers: group?.size ?? 1, count: count)
    }

    /// Gathers the rows of a batch from all processes, in every process.
    package func gather(
        _ own: UnsafeBufferPointer<Float>, _ group: (any ProcessGroup)?, into all: UnsafeMutableBufferPointer<Float>
    ) throws {
        guard let group else { return _ = all.update(from: own) }
        let width = all.count / max(1, batch)
        let counts = (0..<group.size).map { rank in
            width * rows(of: Self.range(of: rank, workers: group.size, count: count)).count
        }
        try group.gather(own, counts: counts, into: all, purpose: "results")
    }
}

extension PlanRequest {
    /// The same for a shard with a number of rows.
    package func shard(rows: Int) -> PlanRequest {
        guard case .network(let symbol, let inputs, let gradients) = source else { return self }
        var request = self
        request.source = .network(
            symbol, inputs: inputs.mapValues { Shape([rows] + $0.dims.dropFirst()) }, gradients: gradients)
        return request
    }
}
