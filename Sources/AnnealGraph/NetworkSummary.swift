import AnnealCore

/// The layers of a network and what they cost: a row for each layer, and totals.
public struct NetworkSummary: Sendable {
    /// A layer of the network: one operator of its symbol.
    public struct Layer: Sendable {
        public let name: String
        /// MXNet's name of the operator.
        public let operation: String
        /// A short form of its attributes, e.g. `3x3/2, 64`.
        public let detail: String
        /// With the batch as first axis.
        public let outputShape: Shape
        /// Trainable parameters; those shared with an earlier layer are counted there.
        public let parameters: Int
        /// Elements of auxiliary states.
        public let states: Int
        /// For one forward pass over the whole batch.
        public let multiplyAdds: Double
        /// Floating-point operations of one forward pass over the whole batch.
        public let flops: Double
    }

    public let layers: [Layer]
    public var parameters: Int { layers.reduce(0) { $0 + $1.parameters } }
    public var states: Int { layers.reduce(0) { $0 + $1.states } }
    public var multiplyAdds: Double { layers.reduce(0) { $0 + $1.multiplyAdds } }
    public var flops: Double { layers.reduce(0) { $0 + $1.flops } }

    /// - Parameter inputs: the shapes of the data, by name; labels are not parameters.
    /// - Throws: if shapes do not fit, or are not known.
    public init(_ symbol: Symbol, inputs: [String: Shape]) throws {
        let nodes = symbol.nodes, shapes = try symbol.inferShapes(inputs).nodes
        var position: [ObjectIdentifier: Int] = [:]
        for (index, node) in nodes.enumerated() { position[ObjectIdentifier(node)] = index }
        var counted: Set<String> = []
        let labels = Set(try symbol.labelNames())
        layers = try nodes.indices.filter { !nodes[$0].isVariable }.map { index in
            let node = nodes[index], op = try node.op, inputCount = op.inputNames.count
            let inputShapes = node.inputs.map { entry in
                position[ObjectIdentifier(entry.node)].map { shapes[$0][entry.index] } ?? []
            }
            var parameters = 0, states = 0
            for (place, input) in node.inputs.enumerated() where input.node.isVariable {
                let name = input.node.name
                guard inputs[name] == nil, !labels.contains(name), counted.insert(name).inserted else { continue }
                if place < inputCount {
                    parameters += inputShapes[place].count
                } else {
                    states += inputShapes[place].count
                }
            }
            return Layer(
                name: node.name, operation: op.operation, detail: op.detail, outputShape: shapes[index][0],
                parameters: parameters, states: states,
                multiplyAdds: op.multiplyAdds(inputs: inputShapes, outputs: shapes[index]),
                flops: op.flops(inputs: inputShapes, outputs: shapes[index]))
        }
    }
}
