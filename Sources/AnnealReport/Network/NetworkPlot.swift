import AnnealCore
import AnnealGraph
import Foundation

/// A picture of a network's graph with the labels and colours of MXNet's `plot_network`: data at the top, edges
/// downwards with the shapes of their arrays, long networks in several columns.
public struct NetworkPlot {
    struct Vertex {
        /// `Convolution 3x3/1, 64`
        let label: String
        let name: String
        let colour: Colour
        /// `64x28x28`, without the batch if there is one.
        let shape: String
    }

    let title: String
    let subtitle: String
    let vertices: [Vertex]
    let edges: [(from: Int, to: Int)]

    /// - Parameters:
    ///   - inputs: shapes of the data, by name.
    ///   - showsWeights: whether parameters and auxiliary states are drawn.
    public init(
        _ symbol: Symbol, inputs: [String: Shape], title: String, subtitle: String, showsWeights: Bool = false
    ) throws {
        let nodes = symbol.nodes, shapes = try symbol.inferShapes(inputs).nodes
        let parameters = Set(try symbol.argumentNames() + symbol.auxiliaryNames())
            .subtracting(inputs.keys).subtracting(try symbol.labelNames())
        var place: [ObjectIdentifier: Int] = [:]
        var vertices: [Vertex] = []
        var edges: [(from: Int, to: Int)] = []
        for (index, node) in nodes.enumerated() {
            let isParameter = node.isVariable && parameters.contains(node.name)
            guard showsWeights || !isParameter else { continue }
            let detail = node.isVariable ? "" : try node.op.detail
            place[ObjectIdentifier(node)] = vertices.count
            for input in node.inputs {
                if let from = place[ObjectIdentifier(input.node)] { edges.append((from, vertices.count)) }
            }
            vertices.append(
                Vertex(
                    label: node.operation.map { detail.isEmpty ? $0 : "\($0) \(detail)" } ?? node.name,
                    name: node.isVariable ? "" : node.name, colour: Self.colour(node.operation),
                    shape: shapes[index][0].dims.dropFirst(isParameter ? 0 : 1).map(String.init).joined(separator: "x"))
            )
        }
        self.title = title
        self.subtitle = subtitle
        self.vertices = vertices
        self.edges = edges
    }

    /// The colours of MXNet's `plot_network` (ColorBrewer's Set3).
    private static func colour(_ operation: String?) -> Colour {
        switch operation {
        case nil: Colour(0x8DD3C7)
        case "Convolution", "Convolution_v1", "Deconvolution", "FullyConnected": Colour(0xFB8072)
        case "Activation", "LeakyReLU": Colour(0xFFFFB3)
        case "BatchNorm", "BatchNorm_v1": Colour(0xBEBADA)
        case "Pooling", "Pooling_v1": Colour(0x80B1D3)
        case "Concat", "Flatten", "Reshape": Colour(0xFDB462)
        case "softmax", "SoftmaxOutput", "SoftmaxActivation": Colour(0xB3DE69)
        default: Colour(0xFCCDE5)
        }
    }

    /// As an SVG. Text is drawn as outlines, so that it looks the same without the font.
    public func svg() throws -> Data { try NetworkPlotRenderer(self).draw(.svg) }

    /// As a PNG with two pixels per point, fewer for large networks.
    public func png() throws -> Data {
        let renderer = try NetworkPlotRenderer(self)
        return try renderer.draw(.png(scale: min(2, 16_000 / max(renderer.width, renderer.height))))
    }

    /// For Graphviz's `dot`, as MXNet writes it: outputs at the top.
    public func dot() -> String {
        func quoted(_ text: String) -> String {
            "\"" + text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"") + "\""
        }
        var lines = ["digraph \(quoted(title)) {", "node [shape=box style=filled fontname=\"sans-serif\"]"]
        for (index, vertex) in vertices.enumerated() {
            let label = vertex.name.isEmpty ? quoted(vertex.label) : quoted(vertex.label + "\n" + vertex.name)
            lines.append(
                "n\(index) [label=\(label.replacingOccurrences(of: "\n", with: "\\n")) fillcolor=\"\(vertex.colour.hex)\"]"
            )
        }
        for edge in edges {
            lines.append(
                "n\(edge.to) -> n\(edge.from) [dir=back arrowtail=open label=\(quoted(vertices[edge.from].shape))]")
        }
        return (lines + ["}", ""]).joined(separator: "\n")
    }
}

extension Colour {
    fileprivate var hex: String {
        "#" + [red, green, blue].map { String(format: "%02x", Int(($0 * 255).rounded())) }.joined()
    }
}
