import AnnealCore

/// Sums vectors over several processes, in the tree of the shards: each process sums one slice of the elements for all,
/// and sends it to all. So the result does not depend on the order in which messages arrive, and every element is sent
/// about twice.
final class SumExchange {
    private let layout: PieceLayout
    private let format: WireFormat
    private let flushes: Bool
    private var sent: Arena?
    private var arrived: Arena?
    /// Sums of other processes, as floats.
    private var received: Arena?
    private var whole: Arena?
    /// The whole sum in its encoded form, if that is not floats.
    private var packed: Arena?
    private var scratch: Arena?

    /// - Parameter flushes: whether subnormal sums are flushed to zero.
    init(_ layout: PieceLayout, _ format: WireFormat = .float32, flushes: Bool = false) {
        self.layout = layout
        self.format = format
        self.flushes = flushes
    }

    /// - Parameters:
    ///   - nodes: this process's sums.
    ///   - target: receives the sum over all processes.
    func run(
        _ nodes: [ShardSum], of count: Int, _ group: any ProcessGroup, into target: [UnsafeMutablePointer<Float>]
    ) throws {
        let size = group.size
        let nodesOfRanks = (0..<size).map { rank in
            SumTree.nodes(within: Shards.range(of: rank, workers: size, count: count), of: count)
        }
        let slices = (0..<size).map { Parallel.slice(layout.total, part: $0, parts: size) }
        let own = slices[group.rank]
        let send = try pack(nodes, slices)
        let (receive, blocks) = try places(nodesOfRanks, own.count)
        try group.exchange(send, receive, purpose: "gradients")

        let received = try block(&received, format == .float32 ? 0 : blocks.count * own.count)
        var sums: [Range<Int>: UnsafeMutablePointer<Float>] = [:]
        for (index, (node, source)) in blocks.enumerated() {
            guard format != .float32 else {
                sums[node] = source.assumingMemoryBound(to: Float.self)
                continue
            }
            let place = received.base + index * own.count
            format.decode(source, own.count, shards: node.count, to: place)
            sums[node] = place
        }
        let total = SumTree.sum(0..<count, known: { sums[$0] }) { a, b in
            for i in 0..<own.count { a[i] += b[i] }
            if flushes {
                for i in 0..<own.count where abs(a[i]) < Float.leastNormalMagnitude { a[i] = 0 }
            }
            return a
        }
        guard let total else { throw AnnealError("shards", "have no sum", code: .internalDefect) }
        let whole = try gather(total, slices, of: count, group)
        for (piece, pointer) in target.enumerated() {
            pointer.update(from: whole + layout.offsets[piece], count: layout.counts[piece])
        }
    }

    /// The message for each process: its slice of each sum.
    private func pack(_ nodes: [ShardSum], _ slices: [Range<Int>]) throws -> [UnsafeRawBufferPointer] {
        let bytes = slices.reduce(0) { sum, slice in
            nodes.reduce(sum) { $0 + format.bytes(slice.count, shards: $1.node.count) }
        }
        let scratch = try block(&scratch, format == .float32 ? 0 : slices.map(\.count).max() ?? 0)
        var place = UnsafeMutableRawPointer(try block(&sent, (bytes + 3) / 4).base)
        return slices.map { slice in
            let first = place
            for node in nodes {
                if format == .float32 {
                    node.copy(slice, layout, to: place.assumingMemoryBound(to: Float.self))
                } else {
                    node.copy(slice, layout, to: scratch.base)
                    format.encode(scratch.base, slice.count, shards: node.node.count, to: place)
                }
                place += format.bytes(slice.count, shards: node.node.count)
            }
            return UnsafeRawBufferPointer(start: first, count: place - first)
        }
    }

    /// Where the messages of all processes arrive, and the sum of each node in them.
    private func places(
        _ nodesOfRanks: [[Range<Int>]], _ elements: Int
    ) throws -> ([UnsafeMutableRawBufferPointer], [(node: Range<Int>, source: UnsafeMutableRawPointer)]) {
        let bytes = nodesOfRanks.joined().reduce(0) { $0 + format.bytes(elements, shards: $1.count) }
        var place = UnsafeMutableRawPointer(try block(&arrived, (bytes + 3) / 4).base)
        var blocks: [(node: Range<Int>, source: UnsafeMutableRawPointer)] = []
        let receive = nodesOfRanks.map { nodes in
            let first = place
            for node in nodes {
                blocks.append((node, place))
                place += format.bytes(elements, shards: node.count)
            }
            return UnsafeMutableRawBufferPointer(start: first, count: place - first)
        }
        return (receive, blocks)
    }

    /// Sends this process's slice of the whole sum to the others, and receives theirs.
    private func gather(
        _ own: UnsafeMutablePointer<Float>, _ slices: [Range<Int>], of count: Int, _ group: any ProcessGroup
    ) throws -> UnsafeMutablePointer<Float> {
        let whole = try block(&whole, layout.total).base, elements = slices[group.rank].count
        let sizes = slices.map { format.bytes($0.count, shards: count) }
        var starts: [Int] = [], bytes = 0
        for size in sizes {
            starts.append(bytes)
            bytes += size
        }
        let memory =
            format == .float32
            ? UnsafeMutableRawPointer(whole) : UnsafeMutableRawPointer(try block(&packed, (bytes + 3) / 4).base)
        let mine = memory + starts[group.rank]
        format.encode(own, elements, shards: count, to: mine)
        let send = UnsafeRawBufferPointer(start: mine, count: sizes[group.rank])
        try group.exchange(
            Array(repeating: send, count: group.size),
            zip(starts, sizes).map { UnsafeMutableRawBufferPointer(start: memory + $0, count: $1) },
            purpose: "sums of gradients")
        if format != .float32 {
            for (slice, start) in zip(slices, starts) {
                format.decode(memory + start, slice.count, shards: count, to: whole + slice.lowerBound)
            }
        }
        return whole
    }

    private func block(_ block: inout Arena?, _ count: Int) throws -> Arena {
        if let block, block.count >= count { return block }
        let made = try Arena(count)
        block = made
        return made
    }
}
