/// Cuts a long layout into columns side by side, where few edges lead from one to the next.
package struct ColumnCut {
    package struct Column {
        package let ranks: Range<Int>
        /// The extent of the layout in it.
        let left: Double
        let right: Double
        var width: Double { right - left }
    }

    package let columns: [Column]

    /// - Parameters:
    ///   - pitch: the distance between ranks.
    ///   - gutter: the distance between columns.
    ///   - ratio: the desired ratio of width to height.
    package init(_ graph: LayeredGraph, pitch: Double, gutter: Double, ratio: Double = 1.4) {
        // A short network reads best in one piece.
        let most = graph.layers.count <= 24 ? 1 : min(16, graph.layers.count / 12)
        let options = (1...max(most, 1)).map { Self.cut(graph, into: $0) }
        func badness(_ columns: [Column]) -> Double {
            let width = columns.reduce(0) { $0 + $1.width + gutter }
            let height = Double(columns.map(\.ranks.count).max() ?? 1) * pitch
            let found = width / height
            return found > ratio ? found / ratio : ratio / found
        }
        columns = options.min { badness($0) < badness($1) } ?? []
    }

    private static func cut(_ graph: LayeredGraph, into count: Int) -> [Column] {
        let ranks = graph.layers.count
        // Vertices of each rank that have edges further down, and the number of links.
        var leading = Array(repeating: Set<Int>(), count: ranks), links = Array(repeating: 0, count: ranks)
        for link in graph.links {
            leading[graph.rank[link.from]].insert(link.from)
            links[graph.rank[link.from]] += 1
        }
        var columns: [Column] = []
        var start = 0
        while start < ranks {
            let length = Double(ranks - start) / Double(max(count - columns.count, 1))
            var end = ranks
            if columns.count < count - 1 {
                let near = Int(length * 0.8)...Int(length * 1.15)
                let choices = near.map { start + $0 }.filter { $0 > start && $0 < ranks }
                func cost(_ end: Int) -> (Int, Int, Double) {
                    (leading[end - 1].count, links[end - 1], abs(Double(end - start) - length))
                }
                end = choices.min { cost($0) < cost($1) } ?? ranks
            }
            let vertices = graph.layers[start..<end].joined()
            columns.append(
                Column(
                    ranks: start..<end, left: vertices.map { graph.left($0) }.min() ?? 0,
                    right: vertices.map { graph.right($0) }.max() ?? 0))
            start = end
        }
        return columns
    }
}
