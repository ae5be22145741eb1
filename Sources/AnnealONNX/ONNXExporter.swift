import AnnealCore
import AnnealGraph

/// Walks a network in order and lets each operator add its nodes.
struct ONNXExporter {
    private let symbol: Symbol
    /// The input that is preprocessed; nil without preprocessing.
    private let dataName: String?
    private let parameters: [String: Tensor]
    private let options: ONNXModel.Options
    private let graph: GraphBuilder
    /// The shapes of each node's outputs, in the order of `symbol.nodes`.
    private let shapes: [[BatchShape]]
    /// The values of each node's outputs, as far as they exist.
    private var values: [ObjectIdentifier: [(name: String, shape: BatchShape)]] = [:]

    init(
        _ network: Symbol, parameters: [String: Tensor], inputs: [String: Shape], options: ONNXModel.Options
    ) throws {
        symbol =
            switch options.ending {
            case .asIs: network
            case .logits: try network.endingInLogits()
            case .probabilities: try network.endingInProbabilities()
            }
        dataName =
            options.preprocessing == nil ? nil : try network.dataName(parameters: Set(parameters.keys))
        self.parameters = parameters
        self.options = options
        let arguments = try network.argumentNames()
        for name in inputs.keys.sorted() where !arguments.contains(name) {
            throw AnnealError("input \(name)", "is not in the network", code: .notFound)
        }
        let known = Set(symbol.nodes.filter(\.isVariable).map(\.name))
        let given = inputs.filter { known.contains($0.key) }
        shapes = try ONNXExporter.shapes(symbol, given, anyBatchSize: options.anyBatchSize)
        graph = GraphBuilder(reserved: Array(known))
        try addVariables(inputs: Set(given.keys))
    }

    /// Infers shapes, for two batch sizes if any size is allowed: extents that differ grow with the batch.
    private static func shapes(_ symbol: Symbol, _ inputs: [String: Shape], anyBatchSize: Bool) throws
        -> [[BatchShape]]
    {
        func inferred(batch: Int) throws -> [[Shape]] {
            try symbol.inferShapes(inputs.mapValues { Shape([batch] + $0.dims.dropFirst()) }).nodes
        }
        guard anyBatchSize else {
            return try symbol.inferShapes(inputs).nodes.map { $0.map { BatchShape($0) } }
        }
        // Neither size is 1, which some operators treat specially.
        return try zip(symbol.nodes, zip(inferred(batch: 2), inferred(batch: 3))).map { node, shapes in
            try within(node) { try zip(shapes.0, shapes.1).map { try BatchShape($0, $1) } }
        }
    }

    private static func within<T>(_ node: Node, _ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch let error as AnnealError where !error.place.hasPrefix("layer ") && error.place != "ONNX" {
            throw error.within("layer \(node.name)")
        }
    }

    // MARK: Variables

    private mutating func addVariables(inputs: Set<String>) throws {
        for (node, shapes) in zip(symbol.nodes, shapes) where node.isVariable {
            var name = node.name
            if inputs.contains(name) {
                name = try addInput(name, shapes[0])
            } else if let tensor = parameters[name] {
                guard tensor.shape == shapes[0].shape, shapes[0].batchAxes.isEmpty else {
                    throw AnnealError(
                        "parameter \(name)",
                        "has the shape \(tensor.shape), but the network requires \(shapes[0].shape)",
                        suggestion: "the parameters are of another network or image shape", code: .mismatch)
                }
                graph.define(ONNXTensor(name: name, shape: tensor.shape, elements: .floats(tensor.elements)))
            }
            values[ObjectIdentifier(node)] = [(name, shapes[0])]
        }
    }

    /// The value that the network reads: the input, or its preprocessed form.
    private func addInput(_ name: String, _ shape: BatchShape) throws -> String {
        guard name == dataName, let preprocessing = options.preprocessing else {
            graph.addInput(ONNXModel.Port(name: name, type: .float32, extents: shape.extents))
            return name
        }
        let channels = shape.rank > 1 ? shape[1] : 0
        guard preprocessing.mean.count == channels, preprocessing.std.count == channels else {
            throw AnnealError(
                "preprocessing", "has \(preprocessing.mean.count) means and \(preprocessing.std.count) deviations",
                suggestion: "the data \(shape.shape) has \(channels.counted("channel"))")
        }
        guard preprocessing.std.allSatisfy({ $0 != 0 }) else {
            throw AnnealError("preprocessing", "divides by 0", suggestion: "every standard deviation must be positive")
        }
        let integral = preprocessing.pixels == .uint8
        graph.addInput(ONNXModel.Port(name: name, type: integral ? .uint8 : .float32, extents: shape.extents))
        let site = ONNXSite(layer: "preprocessing", inputs: [], outputs: [], graph: graph)
        let broadcast = Shape([1, channels] + shape.shape.dims.dropFirst(2).map { _ in 1 })
        let pixels = integral ? try site.cast(name, to: .float32) : name
        let centred = try site.node("Sub", [pixels, site.constant(Tensor(broadcast, preprocessing.mean), "mean")])
        return try site.node("Div", [centred, site.constant(Tensor(broadcast, preprocessing.std), "std")])
    }

    // MARK: Layers

    mutating func addLayers() throws {
        for (node, shapes) in zip(symbol.nodes, shapes) where !node.isVariable {
            let op = try node.op
            guard let exported = op as? any ONNXOperator else {
                throw AnnealError(
                    "layer \(node.name)", "the operator \(op.operation) cannot be exported to ONNX", code: .unsupported)
            }
            let inputs = try node.inputs.map { entry in
                let value = try value(entry, readBy: "layer \(node.name)")
                return ONNXSite.Input(
                    name: value.name, shape: value.shape,
                    tensor: entry.node.isVariable ? parameters[entry.node.name] : nil)
            }
            let start = graph.nodes.count
            let site = ONNXSite(layer: node.name, inputs: inputs, outputs: shapes, graph: graph)
            let names = try ONNXExporter.within(node) { try exported.export(site) }
            values[ObjectIdentifier(node)] = zip(names, zip(op.outputNames, shapes)).map { name, output in
                (graph.rename(name, to: "\(node.name)_\(output.0)", layer: node.name, from: start), output.1)
            }
        }
    }

    private func value(_ entry: Entry, readBy reader: String) throws -> (name: String, shape: BatchShape) {
        guard let outputs = values[ObjectIdentifier(entry.node)], entry.index < outputs.count else {
            throw AnnealError(
                reader, "reads output \(entry.index) of \(entry.node.name), which ONNX does not have",
                code: .unsupported)
        }
        return outputs[entry.index]
    }

    func finished() throws -> ONNXGraph {
        var used = Set<String>()
        let outputs = try zip(symbol.outputs, symbol.outputNames()).map { entry, outputName in
            var (name, shape) = try value(entry, readBy: "output \(outputName)")
            // A model's outputs are computed by nodes, each under its own name.
            if !graph.isComputedByNode(name) || !used.insert(name).inserted {
                let start = graph.nodes.count
                name = try graph.add("Identity", layer: entry.node.name, reads: [name], outputs: 1, [])[0]
                name = graph.rename(name, to: outputName, layer: entry.node.name, from: start)
            }
            return ONNXModel.Port(name: name, type: .float32, extents: shape.extents)
        }
        let read = Set(graph.nodes.flatMap(\.inputs))
        return ONNXGraph(
            name: options.name, nodes: graph.nodes, initializers: graph.initializers,
            inputs: graph.inputs.filter { read.contains($0.name) }, outputs: outputs)
    }
}
