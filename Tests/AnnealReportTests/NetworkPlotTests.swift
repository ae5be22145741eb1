import Anneal
import Foundation
import Testing

@Suite struct NetworkPlotTests {
    private func plot(_ name: String, layers: Int? = nil, showsWeights: Bool = false) throws -> NetworkPlot {
        let shape = Networks.usualImageShape(name)
        let symbol = try Networks.symbol(name, NetworkOptions(numClasses: 10, imageShape: shape, numLayers: layers))
        return try NetworkPlot(
            symbol, inputs: ["data": Shape([1] + shape)], title: name, subtitle: "", showsWeights: showsWeights)
    }

    @Test(arguments: ["lenet", "inception-v3", "mlp"]) func draws(_ name: String) throws {
        let plot = try plot(name)
        #expect(try plot.svg().starts(with: Data("<?xml".utf8)))
        #expect(try plot.png().starts(with: [0x89, 0x50, 0x4e, 0x47]))
        #expect(try plot.svg() == plot.svg())
    }

    @Test func saysWhatMXNetSays() throws {
        let dot = try plot("lenet").dot()
        #expect(dot.contains(##"label="Convolution 5x5/1, 20\nconvolution0" fillcolor="#fb8072""##))
        #expect(dot.contains(##"label="Pooling max, 2x2/2\npooling0" fillcolor="#80b1d3""##))
        // 28 - 5 + 1 = 24
        #expect(dot.contains(#"arrowtail=open label="20x24x24""#))
        #expect(!dot.contains("convolution0_weight"))
        #expect(try plot("lenet", showsWeights: true).dot().contains("convolution0_weight"))
    }

    /// Every edge leads down one rank at a time, and nothing overlaps.
    @Test func ranksAndPlaces() throws {
        // A diamond with a shortcut: 0 → 1 → 2 → 3, 0 → 3, and 4, which leads to 3 alone.
        let edges = [(0, 1), (1, 2), (2, 3), (0, 3), (4, 3), (0, 3)]
        let graph = try LayeredGraph(widths: [100, 60, 60, 100, 80], edges: edges.map { ($0.0, $0.1) })
        #expect(graph.rank.prefix(5) == [0, 1, 2, 3, 2])
        #expect(graph.rank.count == 7)
        for link in graph.links { #expect(graph.rank[link.to] == graph.rank[link.from] + 1) }
        for layer in graph.layers {
            for (left, right) in zip(layer, layer.dropFirst()) { #expect(graph.right(left) < graph.left(right)) }
        }
        // The trunk stays straight next to the shortcut.
        #expect(abs(graph.x[1] - graph.x[2]) < 1)
        #expect(abs(graph.x[2] - graph.x[3]) < 1)
    }

    @Test func columnsHoldEveryRankOnce() throws {
        let long = try LayeredGraph(
            widths: Array(repeating: 100, count: 300), edges: (1..<300).map { ($0 - 1, $0) })
        let columns = ColumnCut(long, pitch: 50, gutter: 50).columns
        #expect(columns.count > 3)
        #expect(columns.flatMap { Array($0.ranks) } == Array(0..<300))
        let short = try LayeredGraph(widths: Array(repeating: 100, count: 9), edges: (1..<9).map { ($0 - 1, $0) })
        #expect(ColumnCut(short, pitch: 50, gutter: 50).columns.count == 1)
    }

    @Test func crossingsAreInversions() {
        #expect(Inversions.count([]) == 0)
        #expect(Inversions.count([0, 1, 1, 2]) == 0)
        // 3 > 1, 3 > 0, 3 > 2, 1 > 0.
        #expect(Inversions.count([3, 1, 0, 2]) == 4)
        #expect(Inversions.count(Array((0..<1000).reversed())) == 999 * 500)
    }

    @Test func largeNetworksAreDrawnAndHugeOnesRefused() throws {
        let chain = (1..<20_000).map { (from: $0 - 1, to: $0) }
        let graph = try LayeredGraph(widths: Array(repeating: 90, count: 20_000), edges: chain)
        #expect(graph.layers.count == 20_000)
        // Every layer also feeds the last one: an edge for each pair of ranks.
        let edges = chain + (0..<19_998).map { (from: $0, to: 19_999) }
        let error = #expect(throws: AnnealError.self) {
            try LayeredGraph(widths: Array(repeating: 90, count: 20_000), edges: edges)
        }
        #expect(error?.suggestion?.contains("--format dot") == true)
        // Names of any length are shortened to a reasonable width.
        let name = String(repeating: "n", count: 16_000)
        let long = try SymbolBuilder().activation(.variable("data"), .relu, name: name)
        let plot = try NetworkPlot(long, inputs: ["data": [1, 4]], title: name, subtitle: name)
        #expect(try plot.png().starts(with: [0x89, 0x50, 0x4e, 0x47]))
    }

    @Test func comparesRuns() throws {
        let runs = ["a", "b"].map { RunComparison.Run(label: $0, epochs: Sample.run(4)) }
        let chart = RunComparison.chart(runs, title: "two")
        #expect(chart.panels.first?.title == "Validation accuracy")
        #expect(chart.panels.first?.series.map(\.label) == ["a", "b"])
        #expect(chart.panels.first?.series[0].points.count == 4)
        // A run without validation shows its training.
        let mixed = [runs[0], RunComparison.Run(label: "c", epochs: Sample.run(4, validation: false))]
        #expect(RunComparison.chart(mixed, title: "").panels.first?.series[1].label == "c (training)")
        #expect(try chart.svg().count > 1000)
    }
}
