import AnnealCore

/// A directed acyclic graph, laid out in ranks: every edge leads downwards (Sugiyama, Tagawa and Toda 1981).
///
/// Edges over several ranks are divided into links by bends, one in each rank between; the edges of one vertex share
/// theirs.
package struct LayeredGraph {
    /// Vertices, the given ones first, then bends.
    package private(set) var rank: [Int]
    package private(set) var x: [Double]
    package private(set) var layers: [[Int]] = []
    /// Between neighbouring ranks, downwards.
    package private(set) var links: [(from: Int, to: Int)] = []
    package let vertexCount: Int

    private var width: [Double]
    private var above: [[Int]] = []
    private var below: [[Int]] = []
    private let gap = 16.0

    /// - Parameters:
    ///   - widths: of the vertices, which are numbered so that every edge leads to a larger number.
    ///   - edges: duplicates count once.
    /// - Throws: `AnnealError` for a graph with so many long edges that a picture would be useless.
    package init(widths: [Double], edges: [(from: Int, to: Int)]) throws {
        width = widths
        vertexCount = widths.count
        rank = Array(repeating: 0, count: widths.count)
        x = []
        setRanks(edges)
        try checkSize(edges)
        cutLongEdges(edges)
        setOrder()
        setPlaces()
    }

    package func isBend(_ vertex: Int) -> Bool { vertex >= vertexCount }
    /// The left and right edge of a vertex.
    package func left(_ vertex: Int) -> Double { x[vertex] - width[vertex] / 2 }
    package func right(_ vertex: Int) -> Double { x[vertex] + width[vertex] / 2 }

    /// The longest path from a source; a source itself is placed right above its successors.
    private mutating func setRanks(_ edges: [(from: Int, to: Int)]) {
        for edge in edges.sorted(by: { $0.to < $1.to }) { rank[edge.to] = max(rank[edge.to], rank[edge.from] + 1) }
        let targets = Set(edges.map(\.to))
        var first: [Int: Int] = [:]
        for edge in edges where !targets.contains(edge.from) {
            first[edge.from] = min(first[edge.from] ?? .max, rank[edge.to])
        }
        for (vertex, below) in first { rank[vertex] = below - 1 }
    }

    private static let mostVertices = 100_000

    private func checkSize(_ edges: [(from: Int, to: Int)]) throws {
        var bends: [Int: Int] = [:]
        for edge in edges {
            bends[edge.from] = max(bends[edge.from] ?? 0, rank[edge.to] - rank[edge.from] - 1)
        }
        let count = bends.values.reduce(vertexCount, +)
        guard count <= Self.mostVertices else {
            throw AnnealError(
                "network", "has \(vertexCount) layers, and edges that pass \(count - vertexCount) of them",
                suggestion: "it is too large to draw; write it for Graphviz with --format dot")
        }
    }

    private mutating func cutLongEdges(_ edges: [(from: Int, to: Int)]) {
        var bends: [Int: [Int]] = [:]
        var seen: Set<[Int]> = []
        for edge in edges where seen.insert([edge.from, edge.to]).inserted {
            var last = edge.from
            for (index, level) in (rank[edge.from] + 1..<rank[edge.to]).enumerated() {
                if index == bends[edge.from, default: []].count {
                    bends[edge.from, default: []].append(rank.count)
                    links.append((last, rank.count))
                    rank.append(level)
                    width.append(8)
                }
                last = bends[edge.from, default: []][index]
            }
            links.append((last, edge.to))
        }
        above = Array(repeating: [], count: rank.count)
        below = above
        for link in links {
            below[link.from].append(link.to)
            above[link.to].append(link.from)
        }
        layers = Array(repeating: [], count: (rank.max() ?? -1) + 1)
        for vertex in rank.indices { layers[rank[vertex]].append(vertex) }
    }

    // MARK: The order within ranks

    /// Moves each vertex to the median of its neighbours above, then below, repeatedly; keeps the order with the fewest
    /// crossings.
    private mutating func setOrder() {
        var places = Array(repeating: 0, count: rank.count)
        func note(_ layer: [Int]) { for (index, vertex) in layer.enumerated() { places[vertex] = index } }
        layers.forEach(note)
        var best = layers, least = crossings(places)
        for sweep in 0..<12 where least > 0 {
            let downwards = sweep % 2 == 0
            let neighbours = downwards ? above : below
            for index in downwards ? Array(layers.indices) : layers.indices.reversed() {
                func middle(_ vertex: Int) -> Double {
                    let others = neighbours[vertex]
                    return others.isEmpty
                        ? Double(places[vertex]) : Double(others.reduce(0) { $0 + places[$1] }) / Double(others.count)
                }
                layers[index] = layers[index].map { (middle($0), places[$0], $0) }
                    .sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2)
                note(layers[index])
            }
            let now = crossings(places)
            if now < least { (best, least) = (layers, now) }
        }
        layers = best
    }

    /// The number of crossing pairs of links between two ranks: the inversions of their lower ends, in the order of the
    /// upper ones.
    private func crossings(_ places: [Int]) -> Int {
        var count = 0
        for layer in layers {
            // The links of one vertex do not cross: they are in the order of their lower ends.
            let ends = layer.flatMap { vertex in below[vertex].map { places[$0] }.sorted() }
            count += Inversions.count(ends)
        }
        return count
    }

    // MARK: Places

    private mutating func setPlaces() {
        x = Array(repeating: 0, count: rank.count)
        for layer in layers { fit(layer, wishes: layer.map { _ in 0 }) }
        for sweep in 0..<24 {
            let downwards = sweep % 2 == 0
            let neighbours = downwards ? above : below
            for layer in downwards ? layers : layers.reversed() {
                fit(layer, wishes: layer.map { wish($0, neighbours[$0]) })
            }
        }
    }

    /// Bends and sources give way, so that a trunk stays straight next to the edges that pass it and to its inputs.
    private func isLight(_ vertex: Int) -> Bool { isBend(vertex) || above[vertex].isEmpty }

    /// In line with its neighbours; with the heavy ones if there are any.
    private func wish(_ vertex: Int, _ neighbours: [Int]) -> Double {
        let solid = neighbours.filter { !isLight($0) }
        let wanted = solid.isEmpty || isLight(vertex) ? neighbours : solid
        return wanted.isEmpty ? x[vertex] : wanted.reduce(0) { $0 + x[$1] } / Double(wanted.count)
    }

    /// Places a rank's vertices as near to their target positions as their widths allow: least squares, by pooling
    /// neighbours that overlap.
    private mutating func fit(_ layer: [Int], wishes: [Double]) {
        var pools: [(mean: Double, weight: Double, count: Int)] = []
        var offsets: [Double] = []
        for (index, vertex) in layer.enumerated() {
            let before = index > 0 ? (width[layer[index - 1]] + width[vertex]) / 2 + gap : 0
            offsets.append((offsets.last ?? 0) + before)
            pools.append((wishes[index] - offsets[index], isLight(vertex) ? 1e-6 : 1, 1))
            while pools.count > 1, pools[pools.count - 2].mean > pools[pools.count - 1].mean {
                let last = pools.removeLast(), other = pools.removeLast()
                let weight = last.weight + other.weight
                pools.append(
                    (
                        (last.mean * last.weight + other.mean * other.weight) / weight, weight,
                        last.count + other.count
                    ))
            }
        }
        let means = pools.flatMap { pool in Array(repeating: pool.mean, count: pool.count) }
        for (index, vertex) in layer.enumerated() { x[vertex] = means[index] + offsets[index] }
    }
}

/// Pairs that are out of order.
package enum Inversions {
    /// The number of pairs i < j with `values[i] > values[j]`, in O(n log n).
    /// - Precondition: no value is negative.
    package static func count(_ values: [Int]) -> Int {
        guard values.count > 1, let largest = values.max() else { return 0 }
        // A Fenwick tree of how often each value has occurred.
        var tree = Array(repeating: 0, count: largest + 2)
        var count = 0
        for (met, value) in values.enumerated() {
            var notLarger = 0, index = value + 1
            while index > 0 {
                notLarger += tree[index]
                index -= index & -index
            }
            count += met - notLarger
            index = value + 1
            while index < tree.count {
                tree[index] += 1
                index += index & -index
            }
        }
        return count
    }
}
