import AnnealCore

/// How a batch is cut into shards. A shard is computed by itself, with batch statistics of its own, and what the shards give is
/// added in a fixed tree: results depend on the shards, and not on who computes them.
package struct Shards: Sendable, Equatable {
    /// The rows of each shard.
    package let rows: [Range<Int>]
    package var count: Int { rows.count }
    /// Rows of the whole batch.
    package var batch: Int { rows.last?.upperBound ?? 0 }

    /// MXNet's slices (`_split_input_slice`): round(batch / count) rows each, and the rest for the last one.
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

    /// For inference, where any batch will do: as many shards as there can be, up to `most`.
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

    /// The shards of a worker: each takes some that follow one another.
    package static func range(of worker: Int, workers: Int, count: Int) -> Range<Int> {
        (worker * count / workers)..<((worker + 1) * count / workers)
    }

    /// The rows of some shards.
    package func rows(of shards: Range<Int>) -> Range<Int> {
        shards.isEmpty ? 0..<0 : rows[shards.lowerBound].lowerBound..<rows[shards.upperBound - 1].upperBound
    }
}

/// The binary tree in which what the shards give is added. A node is a range of shards; it splits at the largest power of two
/// below its size, so that the sum of the first 2^k shards is the same in trees of any size.
package enum SumTree {
    package static func children(_ node: Range<Int>) -> (Range<Int>, Range<Int>) {
        let size = node.count
        let left = 1 << (Int.bitWidth - 1 - (size - 1).leadingZeroBitCount)
        let middle = node.lowerBound + left
        return (node.lowerBound..<middle, middle..<node.upperBound)
    }

    /// The largest nodes that lie within some shards, in order: what a worker can add up by itself.
    package static func nodes(within shards: Range<Int>, of count: Int) -> [Range<Int>] {
        nodes(within: shards, below: 0..<count)
    }

    private static func nodes(within shards: Range<Int>, below node: Range<Int>) -> [Range<Int>] {
        guard shards.overlaps(node) else { return [] }
        if shards.lowerBound <= node.lowerBound, node.upperBound <= shards.upperBound { return [node] }
        let (left, right) = children(node)
        return nodes(within: shards, below: left) + nodes(within: shards, below: right)
    }

    /// Adds up a node from those that are there.
    /// - Parameters:
    ///   - known: the sum of a node; nil if it is not there.
    ///   - add: adds its second argument to its first.
    package static func sum<Value>(
        _ node: Range<Int>, known: (Range<Int>) -> Value?, add: (Value, Value) -> Value
    ) -> Value? {
        if let value = known(node) { return value }
        guard node.count > 1 else { return nil }
        let (left, right) = children(node)
        guard let a = sum(left, known: known, add: add), let b = sum(right, known: known, add: add) else { return nil }
        return add(a, b)
    }
}
