import AnnealCore
import AnnealGraph

/// Restores batch norm after convolutions into which exporters folded it.
///
/// A folded convolution computes y with a bias b. Let m and v be the mean and variance of y over some images. A norm
/// with moving mean m - b, moving variance v, gamma √(v + eps) and beta m, after the convolution without its bias,
/// gives the same y: inference computes the same, and training gets the norm that it needs.
package struct BatchNormRestoration {
    /// The output of a convolution that gets a norm, from which statistics are taken.
    package struct Site {
        package let layer: String
        package let output: Entry
    }

    package struct Statistics {
        /// One number for each channel.
        package var mean: [Double]
        package var variance: [Double]

        package init(mean: [Double], variance: [Double]) { (self.mean, self.variance) = (mean, variance) }
    }

    private static let eps = 1e-5
    private let symbol: Symbol
    package let sites: [Site]

    /// - Parameter image: (channels, height, width)
    package init(_ symbol: Symbol, image: [Int]) throws {
        self.symbol = symbol
        let nodes = symbol.nodes, shapes = try symbol.inferShapes([try symbol.dataName(): Shape([2] + image)]).nodes
        var readers: [ObjectIdentifier: [Node]] = [:]
        for node in nodes {
            for input in node.inputs { readers[ObjectIdentifier(input.node), default: []].append(node) }
        }
        let last = nodes.lastIndex { [Convolution.name, FullyConnected.name].contains($0.operation) }
        sites = zip(nodes.indices, zip(nodes, shapes)).compactMap { index, found in
            let (node, shape) = found
            guard node.operation == Convolution.name, node.inputs.count == 3, let output = shape.first,
                // One position per image: a gate, which never had a norm. The last layer computes the scores.
                output.dims.dropFirst(2).reduce(1, *) > 1, index != last,
                readers[ObjectIdentifier(node)]?.contains(where: { $0.operation == BatchNorm.name }) != true
            else { return nil }
            return Site(layer: node.name, output: Entry(node))
        }
    }

    /// The network with norms, and the new or changed arrays; the convolutions' biases are no longer read.
    package func restored(
        _ statistics: [Statistics], biases: [String: [Float]]
    ) throws -> (symbol: Symbol, arguments: [String: Tensor], auxiliary: [String: Tensor]) {
        var arguments: [String: Tensor] = [:], auxiliary: [String: Tensor] = [:]
        let known = Dictionary(zip(sites.map(\.layer), statistics)) { first, _ in first }
        let taken = Set(symbol.nodes.map(\.name))
        var copies: [ObjectIdentifier: Node] = [:]
        func copied(_ entry: Entry) -> Entry {
            Entry(copies[ObjectIdentifier(entry.node)] ?? entry.node, entry.index, version: entry.version)
        }
        for node in symbol.nodes where !node.isVariable {
            var inputs = node.inputs.map(copied), attributes = node.attributes
            guard let found = known[node.name], let bias = biases[node.inputs[2].node.name],
                bias.count == found.mean.count
            else {
                copies[ObjectIdentifier(node)] = Node(
                    operation: node.operation, name: node.name, attributes: attributes, inputs: inputs)
                continue
            }
            inputs.removeLast()
            attributes["no_bias"] = AttributeText.bool(true)
            let plain = Node(operation: node.operation, name: node.name, attributes: attributes, inputs: inputs)
            let names = ["\(node.name)_bn"] + (2...taken.count + 2).map { "\(node.name)_bn\($0)" }
            let name = names.first { taken.isDisjoint(with: [$0, "\($0)_gamma", "\($0)_moving_mean"]) } ?? names[0]
            let channels: Shape = [found.mean.count]
            arguments["\(name)_gamma"] = Tensor(channels, found.variance.map { Float(($0 + Self.eps).squareRoot()) })
            arguments["\(name)_beta"] = Tensor(channels, found.mean.map { Float($0) })
            auxiliary["\(name)_moving_mean"] = Tensor(channels, zip(found.mean, bias).map { Float($0 - Double($1)) })
            auxiliary["\(name)_moving_var"] = Tensor(channels, found.variance.map { Float($0) })
            let parameters = ["gamma", "beta"].map { Entry(Node(operation: nil, name: "\(name)_\($0)")) }
            let states = ["moving_mean", "moving_var"].map {
                Entry(Node(operation: nil, name: "\(name)_\($0)"), version: 1)
            }
            copies[ObjectIdentifier(node)] = Node(
                operation: BatchNorm.name, name: name,
                attributes: [
                    "eps": AttributeText.float(Self.eps), "momentum": "0.9", "fix_gamma": AttributeText.bool(false),
                ], inputs: [Entry(plain)] + parameters + states)
        }
        return (Symbol(symbol.outputs.map(copied)), arguments, auxiliary)
    }
}
