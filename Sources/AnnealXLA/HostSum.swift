import AnnealCompiler
import AnnealCore

/// Sums of shards' rows on their way between processes, through host memory.
final class HostSum {
    private let exchange: RowExchange
    private let rows: [(node: Range<Int>, memory: Arena)]
    private let whole: Arena
    private let elements: Int

    /// - Parameter nodes: nodes of the tree whose sums this process has.
    init(
        _ layout: PartWriter.RowLayout, nodes: [Range<Int>], _ group: any ProcessGroup,
        _ compression: GradientCompression
    ) throws {
        elements = layout.elements
        exchange = RowExchange(count: layout.elements, gradients: layout.gradients, group, compression)
        rows = try nodes.map { ($0, try Arena(layout.elements)) }
        whole = try Arena(layout.elements)
    }

    /// Starts copying the nodes' sums from the devices.
    func download(_ buffers: [PJRTBuffer]) throws -> [PJRTEvent] {
        try zip(rows, buffers).map { row, buffer in
            try buffer.download(to: UnsafeMutableRawBufferPointer(memory(row.memory)))
        }
    }

    /// Exchanges them.
    /// - Returns: the sum over all processes, valid until the next one.
    func add(of shards: Int) throws -> UnsafeBufferPointer<Float> {
        try exchange.add(rows.map { ($0, memory($1)) }, of: shards, into: memory(whole))
        return UnsafeBufferPointer(memory(whole))
    }

    private func memory(_ arena: Arena) -> UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: arena.base, count: elements)
    }
}
