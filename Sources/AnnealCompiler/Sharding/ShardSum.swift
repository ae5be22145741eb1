import AnnealCore

/// The memory of a vector's pieces: a gradient for each parameter, and the moving statistics. Sizes are the same for
/// all workers.
struct PieceLayout {
    let counts: [Int]
    /// The offset of each piece in one block of memory.
    let offsets: [Int]
    let total: Int

    init(_ counts: [Int]) {
        self.counts = counts
        var total = 0
        offsets = counts.map { count in
            defer { total += MemoryPlan.aligned(count) }
            return total
        }
        self.total = total
    }

    /// Calls `body` for each piece within a range of the block's elements, with the piece, its first element, and the
    /// count.
    func forEach(in range: Range<Int>, _ body: (_ piece: Int, _ first: Int, _ count: Int) -> Void) {
        // The piece that contains the range's first element.
        var low = 0, high = offsets.count
        while low + 1 < high {
            let middle = (low + high) / 2
            if offsets[middle] <= range.lowerBound { low = middle } else { high = middle }
        }
        for piece in low..<counts.count {
            let first = max(0, range.lowerBound - offsets[piece])
            let end = min(counts[piece], range.upperBound - offsets[piece])
            if offsets[piece] >= range.upperBound { return }
            if first < end { body(piece, first, end - first) }
        }
    }
}

/// The sum of a node of the tree: pieces in a plan's own memory, or in a block of memory.
final class ShardSum {
    let node: Range<Int>
    private(set) var pieces: [UnsafeMutablePointer<Float>]
    /// nil: the pieces are in a plan's own memory.
    private(set) var block: Arena?

    init(_ node: Range<Int>, _ pieces: [UnsafeMutablePointer<Float>], block: Arena? = nil) {
        self.node = node
        self.pieces = pieces
        self.block = block
    }

    /// Some of its pieces, in the same memory.
    func part(_ range: Range<Int>) -> ShardSum { ShardSum(node, Array(pieces[range])) }

    /// Frees the plan's memory for the next shard.
    func move(to block: Arena, _ layout: PieceLayout) {
        let target = layout.offsets.map { block.base + $0 }
        Self.forEachPart(layout) { piece, first, count in
            (target[piece] + first).update(from: self.pieces[piece] + first, count: count)
        }
        (pieces, self.block) = (target, block)
    }

    /// The sum of this and another one, in this one's memory.
    func adding(_ other: ShardSum, _ layout: PieceLayout) -> ShardSum {
        Self.forEachPart(layout) { piece, first, count in
            let a = self.pieces[piece] + first, b = other.pieces[piece] + first
            for i in 0..<count { a[i] += b[i] }
        }
        return ShardSum(node.lowerBound..<other.node.upperBound, pieces, block: block)
    }

    /// Called in place of an addition, with its code: for profiles.
    typealias Around = (_ run: () -> Void) -> Void

    func adding(_ other: ShardSum, _ layout: PieceLayout, _ around: Around?) -> ShardSum {
        guard let around else { return adding(other, layout) }
        var sum = self
        around { sum = adding(other, layout) }
        return sum
    }

    /// Copies all pieces that are not there already.
    func copy(_ layout: PieceLayout, to target: [UnsafeMutablePointer<Float>]) {
        guard pieces != target else { return }
        Self.forEachPart(layout) { piece, first, count in
            (target[piece] + first).update(from: self.pieces[piece] + first, count: count)
        }
    }

    /// Copies a range of the block's elements.
    func copy(_ range: Range<Int>, _ layout: PieceLayout, to target: UnsafeMutablePointer<Float>) {
        layout.forEach(in: range) { piece, first, count in
            (target + (layout.offsets[piece] + first - range.lowerBound)).update(
                from: pieces[piece] + first, count: count)
        }
    }

    /// Runs on all threads, each with a part of the vector.
    private static func forEachPart(
        _ layout: PieceLayout, _ body: (_ piece: Int, _ first: Int, _ count: Int) -> Void
    ) {
        withoutActuallyEscaping(body) { body in
            // Parts do not overlap, and the call waits for all.
            let shared = Handover(body)
            Parallel.run { part, parts in
                layout.forEach(in: Parallel.slice(layout.total, part: part, parts: parts), shared.value)
            }
        }
    }
}
