/// The binary tree in which the shards' results are added. A node is a range of shards; it splits at the largest power
/// of two below its size, so that the sum of the first 2^k shards is the same in trees of any size.
package enum SumTree {
    package static func children(_ node: Range<Int>) -> (Range<Int>, Range<Int>) {
        let size = node.count
        let left = 1 << (Int.bitWidth - 1 - (size - 1).leadingZeroBitCount)
        let middle = node.lowerBound + left
        return (node.lowerBound..<middle, middle..<node.upperBound)
    }

    /// The largest nodes that lie within some shards, in order: those that a worker can sum by itself.
    package static func nodes(within shards: Range<Int>, of count: Int) -> [Range<Int>] {
        nodes(within: shards, below: 0..<count)
    }

    private static func nodes(within shards: Range<Int>, below node: Range<Int>) -> [Range<Int>] {
        guard shards.overlaps(node) else { return [] }
        if shards.lowerBound <= node.lowerBound, node.upperBound <= shards.upperBound { return [node] }
        let (left, right) = children(node)
        return nodes(within: shards, below: left) + nodes(within: shards, below: right)
    }

    /// Sums a node from the nodes that are available.
    /// - Parameters:
    ///   - known: the sum of a node; nil if it is not available.
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

    /// Sums one value per shard, or per summand.
    /// - Precondition: there is at least one.
    package static func sum<Value>(_ values: [Value], add: (Value, Value) -> Value) -> Value {
        precondition(!values.isEmpty, "there is nothing to add")
        guard let total = sum(values.indices, known: { $0.count == 1 ? values[$0.lowerBound] : nil }, add: add) else {
            preconditionFailure("a summand is missing")
        }
        return total
    }
}
