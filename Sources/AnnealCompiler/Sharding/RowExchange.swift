import AnnealCore

/// Sums the rows of numbers that shards return, over all processes and in the tree of the shards, in host memory: for
/// engines whose devices return a row as a whole. As on devices, subnormal sums are flushed to zero.
package final class RowExchange {
    private let group: any ProcessGroup
    /// The gradients' part of a row, which may be exchanged in fewer bits, and the rest.
    private let parts: [(elements: Range<Int>, layout: PieceLayout, exchange: SumExchange)]
    private let count: Int

    /// - Parameters:
    ///   - count: the number of elements in a row.
    ///   - gradients: how many of its first elements are gradients.
    package init(count: Int, gradients: Int, _ group: any ProcessGroup, _ compression: GradientCompression) {
        self.group = group
        self.count = count
        let ranges =
            compression == .none
            ? [(0..<count, WireFormat.float32)]
            : [(0..<gradients, compression.format), (gradients..<count, .float32)]
        parts = ranges.filter { !$0.0.isEmpty }.map { elements, format in
            let layout = PieceLayout([elements.count])
            return (elements, layout, SumExchange(layout, format, flushes: true))
        }
    }

    /// - Parameters:
    ///   - rows: this process's sums, by node of the tree.
    ///   - shards: the number of shards of all processes.
    ///   - target: receives the sum over all.
    package func add(
        _ rows: [(node: Range<Int>, row: UnsafeMutableBufferPointer<Float>)], of shards: Int,
        into target: UnsafeMutableBufferPointer<Float>
    ) throws {
        guard let target = target.baseAddress, rows.allSatisfy({ $0.row.count == count }) else {
            throw AnnealError("rows of shards", "are not of \(count) elements", code: .internalDefect)
        }
        for part in parts {
            let sums = rows.compactMap { node, row in
                row.baseAddress.map { ShardSum(node, [$0 + part.elements.lowerBound]) }
            }
            try part.exchange.run(sums, of: shards, group, into: [target + part.elements.lowerBound])
        }
    }
}
