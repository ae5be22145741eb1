import AnnealCore

/// Adds up what several processes have, in the tree of the shards: each process adds a slice of the elements for all, and
/// gives it to all. So nothing depends on the order in which messages arrive, and every element travels about twice.
final class SumExchange {
    private let layout: PieceLayout
    private var sent: Arena?
    private var received: Arena?
    private var whole: Arena?

    init(_ layout: PieceLayout) { self.layout = layout }

    /// - Parameters:
    ///   - nodes: this process's sums.
    ///   - target: gets the sum over all processes.
    func run(
        _ nodes: [ShardSum], of count: Int, _ group: any ProcessGroup, into target: [UnsafeMutablePointer<Float>]
    ) throws {
        let size = group.size
        let nodesOfRanks = (0..<size).map { rank in
            SumTree.nodes(within: Shards.range(of: rank, workers: size, count: count), of: count)
        }
        let slices = (0..<size).map { Parallel.slice(layout.total, part: $0, parts: size) }
        let own = slices[group.rank]
        let sent = try block(&sent, nodes.count * layout.total)
        let received = try block(&received, nodesOfRanks.reduce(0) { $0 + $1.count } * own.count)
        let whole = try block(&whole, layout.total)

        // Slice by slice, of each node.
        var start = sent.base
        var send: [UnsafeRawBufferPointer] = []
        for slice in slices {
            let first = start
            for node in nodes {
                node.copy(slice, layout, to: start)
                start += slice.count
            }
            send.append(UnsafeRawBufferPointer(UnsafeBufferPointer(start: first, count: start - first)))
        }
        var receive: [UnsafeMutableRawBufferPointer] = []
        var sums: [Range<Int>: UnsafeMutablePointer<Float>] = [:]
        start = received.base
        for nodes in nodesOfRanks {
            let first = start
            for node in nodes {
                sums[node] = start
                start += own.count
            }
            receive.append(
                UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(start: first, count: start - first)))
        }
        try group.exchange(send, receive, purpose: "gradients")
        let total = SumTree.sum(0..<count, known: { sums[$0] }) { a, b in
            for i in 0..<own.count { a[i] += b[i] }
            return a
        }
        guard let total else { throw AnnealError("shards", "have no sum", code: .internalDefect) }
        try group.gather(
            UnsafeBufferPointer(start: total, count: own.count), counts: slices.map(\.count),
            into: UnsafeMutableBufferPointer(start: whole.base, count: layout.total), purpose: "sums of gradients")
        for (piece, pointer) in target.enumerated() {
            pointer.update(from: whole.base + layout.offsets[piece], count: layout.counts[piece])
        }
    }

    private func block(_ block: inout Arena?, _ count: Int) throws -> Arena {
        if let block, block.count >= count { return block }
        let made = try Arena(count)
        block = made
        return made
    }
}
