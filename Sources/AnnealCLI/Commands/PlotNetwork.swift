import Anneal
import ArgumentParser
import Foundation

/// MXNet's `plot_network`.
struct PlotNetwork: ParsableCommand {
    enum Format: String, CaseIterable, ExpressibleByArgument { case svg, png, dot }

    static let configuration = CommandConfiguration(
        commandName: "plot-network",
        abstract: "Draw a network's graph.",
        discussion: """
            Labels and colours are those of MXNet's plot_network; shapes are shown at the edges, without the batch. Long networks \
            are drawn in several columns, to be read from left to right.

            anneal plot-network --network resnet --num-layers 20 --image-shape 3,28,28 --num-classes 10 --to resnet-20.svg
            """)

    @OptionGroup var source: NetworkSource
    @Option(help: ArgumentHelp("Output file (default: NETWORK.svg).", valueName: "FILE"))
    var to: String?
    @Option(help: "svg, png, or dot for Graphviz (default: the file name's suffix, or svg).")
    var format: Format?
    @Flag(help: "Draw parameters too.")
    var showWeights = false

    func run() throws {
        let ending = to.flatMap { name in name.lastIndex(of: ".").map { String(name[name.index(after: $0)...]) } }
        guard
            let format = format
                ?? (to.map(Files.isStandardOutput) ?? true
                    ? .svg : ending.flatMap { Format(rawValue: $0.lowercased()) })
        else {
            throw UsageError(
                "--to \(to ?? "")", "has no known suffix",
                suggestion: "end it in .svg, .png or .dot, or give --format"
            )
        }
        let network = try source.load()
        let inputs = [try network.symbol.dataName(): Shape([1] + network.imageShape)]
        let summary = try NetworkSummary(network.symbol, inputs: inputs)
        // A number and its unit stay on one line.
        let multiplyAdds = Readable.scaled(summary.multiplyAdds).replacingOccurrences(of: " ", with: "\u{A0}")
        let plot = try NetworkPlot(
            network.symbol, inputs: inputs, title: network.name,
            subtitle:
                "images of \(network.imageShape.map(String.init).joined(separator: "x")): \(Readable.count(summary.parameters)) parameters, \(multiplyAdds) multiply-adds",
            showsWeights: showWeights)
        let path = to ?? "\(network.name).\(format.rawValue)"
        let data =
            switch format {
            case .svg: try plot.svg()
            case .png: try plot.png()
            case .dot: Data(plot.dot().utf8)
            }
        try Files.writeAtomically(data, to: path)
        print(path, about: path)
    }
}
