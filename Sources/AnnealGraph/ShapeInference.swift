import AnnealCore

/// The shapes of a graph for given input shapes.
public struct InferredShapes: Sendable {
    /// Shapes by variable name: inputs, parameters, auxiliary states.
    public let variables: [String: Shape]
    /// Shapes of each node's outputs, in the order of `Symbol.nodes`.
    public let nodes: [[Shape]]
    /// Shapes of the symbol's outputs.
    public let outputs: [Shape]
}

extension Symbol {
    /// MXNet's `infer_shape`: from the shapes of the inputs to those of every parameter and output.
    ///
    /// Errors name the layer whose shapes do not fit, or the variables that remain unknown.
    public func inferShapes(_ given: [String: Shape]) throws -> InferredShapes {
        if let name = given.filter({ $0.value.dims.isEmpty }).keys.min() {
            throw AnnealError(
                "input \(name)", "has a shape without axes", suggestion: "give it all of them, as in (1, 3, 28, 28)")
        }
        for (name, shape) in given where shape.isTooLarge {
            throw AnnealError(
                "input \(name)", "would have the shape \(shape), which is larger than any memory",
                suggestion: "lower --batch-size or the image shape", code: .outOfMemory)
        }
        let nodes = self.nodes
        var position: [ObjectIdentifier: Int] = [:]
        for (index, node) in nodes.enumerated() { position[ObjectIdentifier(node)] = index }
        let operators = try nodes.map { $0.isVariable ? nil : try $0.op }
        var shapes: [[Shape?]] = zip(nodes, operators).map { node, op in
            guard let op else { return [given[node.name] ?? Symbol.declaredShape(node)] }
            return Array(repeating: nil, count: op.outputNames.count)
        }

        var readers = Array(repeating: [Int](), count: nodes.count)
        for (index, node) in nodes.enumerated() {
            for entry in node.inputs {
                if let at = position[ObjectIdentifier(entry.node)] { readers[at].append(index) }
            }
        }
        // Each layer once, in order, and again when a shape that it depends on has become known through another layer.
        var queue = nodes.indices.filter { operators[$0] != nil }, next = 0
        var isQueued = operators.map { $0 != nil }
        while next < queue.count {
            let index = queue[next], node = nodes[index]
            next += 1
            isQueued[index] = false
            guard let op = operators[index] else { continue }
            let known = op.inputNames.count + op.auxiliaryNames.count
            guard node.inputs.count == known else {
                throw AnnealError(
                    "layer \(node.name)", "\(op.operation) has \(node.inputs.count) inputs, expected \(known)")
            }
            var inputs = node.inputs.map { entry -> Shape? in
                guard let at = position[ObjectIdentifier(entry.node)], entry.index < shapes[at].count else {
                    return nil
                }
                return shapes[at][entry.index]
            }
            let before = inputs
            let outputs: [Shape]?
            do {
                outputs = try op.inferShapes(&inputs)
            } catch let error as AnnealError {
                throw error.within("layer \(node.name)")
            }
            var changed: [Int] = []
            for (entry, (old, new)) in zip(node.inputs, zip(before, inputs)) where old == nil && new != nil {
                if let new, new.isTooLarge {
                    throw AnnealError(
                        "layer \(node.name)", "its parameter \(entry.node.name) would have the shape \(new)",
                        suggestion: "check the layer's attributes and the image shape")
                }
                guard let at = position[ObjectIdentifier(entry.node)], entry.index < shapes[at].count else {
                    continue
                }
                if shapes[at][entry.index] == nil { changed.append(at) }
                shapes[at][entry.index] = new
            }
            if let outputs, shapes[index].contains(nil) {
                for shape in outputs where shape.dims.contains(where: { $0 <= 0 }) || shape.isTooLarge {
                    throw AnnealError(
                        "layer \(node.name)", "its output would have the shape \(shape)",
                        suggestion: "the input is too small or too large for this layer; check the image shape")
                }
                shapes[index] = outputs
                changed.append(index)
            }
            for at in changed {
                for reader in readers[at] where reader != index && !isQueued[reader] {
                    isQueued[reader] = true
                    queue.append(reader)
                }
            }
        }

        let unknown = nodes.indices.filter { shapes[$0].contains(nil) }.map { nodes[$0].name }
        guard unknown.isEmpty else {
            throw AnnealError(
                "symbol", "the shapes of \(unknown.prefix(5).joined(separator: ", ")) cannot be inferred",
                suggestion: "give the shapes of the inputs \(try inputNames(unknown: unknown))")
        }
        let complete = shapes.map { $0.compactMap { $0 } }
        var variables: [String: Shape] = [:]
        for (node, shape) in zip(nodes, complete) where node.isVariable { variables[node.name] = shape[0] }
        let outputs = self.outputs.map { complete[position[ObjectIdentifier($0.node)] ?? 0][$0.index] }
        return InferredShapes(variables: variables, nodes: complete, outputs: outputs)
    }

    private func inputNames(unknown: [String]) throws -> String {
        let unknown = Set(unknown)
        return try argumentNames().filter { unknown.contains($0) }.prefix(5).joined(separator: ", ")
    }

    private static func declaredShape(_ node: Node) -> Shape? {
        guard let text = node.attributes["__shape__"] else { return nil }
        var reader = AttributeReader(operation: "variable", ["shape": text])
        // An empty tuple, and an extent of 0, are unknown.
        guard let dims = try? reader.tuple("shape"), !dims.isEmpty, dims.allSatisfy({ $0 > 0 }) else { return nil }
        return Shape(dims).isTooLarge ? nil : Shape(dims)
    }
}

extension Shape {
    /// More elements than fit into any memory; the products cannot overflow.
    package var isTooLarge: Bool {
        var product = 1
        for extent in dims {
            let (next, overflow) = product.multipliedReportingOverflow(by: extent)
            if overflow || next > 1 << 40 { return true }
            product = next
        }
        return false
    }
}
