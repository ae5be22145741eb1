import AnnealCore
import AnnealGraph

/// One node of an ONNX model being imported: its attributes, its inputs, and the graph to add layers to.
struct ImportSite {
    let node: ONNXFile.Node
    /// The version of ONNX's operator set.
    let opset: Int
    /// A name for the layer that it becomes.
    let layer: String
    let inputs: [ImportedValue?]
    /// How often each input is read in the model.
    let uses: [Int]
    /// Whether the model accepts only one batch size.
    let isFixedBatch: Bool
    let graph: ImportGraph

    func refusal(_ problem: String) -> AnnealError { AnnealError("", problem, code: .unsupported) }

    // MARK: Attributes

    func int(_ name: String) -> Int? { node.attributes[name]?.integer }
    func int(_ name: String, default value: Int) -> Int { int(name) ?? value }
    func ints(_ name: String) -> [Int]? {
        // An empty list is encoded as no value at all.
        node.attributes[name].map(\.integers)
    }
    func float(_ name: String, default value: Float) -> Float { node.attributes[name]?.float ?? value }
    func string(_ name: String, default value: String) -> String {
        node.attributes[name]?.string.flatMap { String(data: $0, encoding: .utf8) } ?? value
    }

    // MARK: Inputs

    func has(_ index: Int) -> Bool { index < inputs.count && inputs[index] != nil }

    func value(_ index: Int) throws -> ImportedValue {
        guard index < inputs.count, let value = inputs[index] else { throw refusal("its input \(index) is missing") }
        return value
    }

    /// The shapes in the order of the file, for both batch sizes.
    func shapes(_ index: Int) throws -> [Shape] {
        guard let shapes = try value(index).shapes else { throw refusal("its input \(index) is not known") }
        return shapes
    }

    func shape(_ index: Int) throws -> Shape { try shapes(index)[0] }
    func rank(_ index: Int) throws -> Int { try shape(index).rank }

    /// A nonnegative axis.
    func axis(_ axis: Int, of rank: Int) throws -> Int { try ONNXShapes.axis(axis, of: rank) }

    func isConstant(_ index: Int) -> Bool {
        if index < inputs.count, case .constant? = inputs[index] { return true }
        return false
    }

    /// An input that is known and independent of the batch size.
    func constant(_ index: Int, _ what: String) throws -> ModelArray {
        guard case .constant(let constant) = try value(index) else {
            throw refusal("\(what) is computed from the image, it must be constant")
        }
        guard let fixed = constant.fixed else { throw refusal("\(what) depends on the batch size") }
        return fixed
    }

    /// The same, for both batch sizes.
    func constants(_ index: Int, _ what: String) throws -> [ModelArray] {
        guard case .constant(let constant) = try value(index) else {
            throw refusal("\(what) is computed from the image, it must be constant")
        }
        return (0..<2).map { constant.array(batch: $0) }
    }

    /// Integers from an attribute, or in later versions from an input; nil if there is neither.
    func integers(attribute: String, input: Int) throws -> [Int]? {
        if let values = ints(attribute) { return values }
        return has(input) ? try constant(input, attribute).integers : nil
    }

    /// An input in the file's order of axes; a constant becomes a parameter.
    func data(_ index: Int) throws -> Stored {
        switch try value(index) {
        case .computed(let stored, let order): return try transposed(stored, order)
        case .constant(let constant):
            guard let array = constant.fixed else { throw refusal("its input \(index) depends on the batch size") }
            return parameter(array, index)
        case .failed: throw refusal("its input \(index) is not known")
        }
    }

    /// A constant input as a parameter, with its name in the file.
    func parameter(_ array: ModelArray, _ index: Int, name: String? = nil) -> Stored {
        graph.parameter(name ?? "\(layer)_\(ImportNames.constant(node.inputs[index]))", array)
    }

    /// An input as it is stored, and the order of its axes; a constant becomes a parameter.
    func ordered(_ index: Int) throws -> (Stored, [Int]?) {
        if case .computed(let stored, let order) = try value(index) { return (stored, order) }
        return (try data(index), nil)
    }

    func transposed(_ stored: Stored, _ order: [Int]?) throws -> Stored {
        guard let order else { return stored }
        // Transposing axes of extent 1 moves no elements.
        let moved = order.filter { axis in stored.shapes.contains { $0[axis] != 1 } }
        if moved == moved.sorted(),
            let target = try? target(stored.shapes.map { s in Shape(order.map { s[$0] }) }, of: stored)
        {
            return try graph.add("Reshape", "\(layer)_order", [stored], ["shape": AttributeText.tuple(target)])[0]
        }
        return try graph.add("transpose", "\(layer)_order", [stored], ["axes": AttributeText.tuple(order)])[0]
    }

    // MARK: Layers

    /// Adds a layer with one output, named after the node with `suffix`.
    func op(
        _ operation: String, _ inputs: [Stored], _ attributes: KeyValuePairs<String, String?> = [:],
        suffix: String = ""
    ) throws -> Stored {
        try graph.add(operation, layer + suffix, inputs, attributes)[0]
    }

    func scalar(_ operation: String, _ input: Stored, _ value: Float, suffix: String = "") throws -> Stored {
        try op(operation, [input], ["scalar": AttributeText.float(Double(value))], suffix: suffix)
    }

    /// A value under other shapes with as many elements.
    func reshape(_ stored: Stored, to shapes: [Shape], suffix: String = "") throws -> Stored {
        if stored.shapes == shapes { return stored }
        // The new head of a fine-tuned network follows a layer of this kind, which also accepts images of other sizes.
        if shapes[0].rank == 2, zip(shapes, stored.shapes).allSatisfy({ $0[0] == $1.dims.first }), stored.rank >= 2 {
            return try op("Flatten", [stored], suffix: suffix)
        }
        return try op(
            "Reshape", [stored], ["shape": AttributeText.tuple(target(shapes, of: stored))], suffix: suffix)
    }

    /// The codes with which MXNet's Reshape produces these shapes: 0 keeps the first extent, -1 is inferred.
    private func target(_ shapes: [Shape], of stored: Stored) throws -> [Int] {
        guard shapes[0].rank == shapes[1].rank else { throw refusal("the number of axes depends on the batch size") }
        var target: [Int] = []
        for axis in shapes[0].dims.indices {
            let extents = shapes.map { $0[axis] }
            let isBatch = axis == 0 && stored.rank > 0 && extents == stored.shapes.map { $0[0] }
            if isBatch, extents[0] != extents[1] || isFixedBatch {
                target.append(0)
            } else {
                target.append(extents[0] == extents[1] ? extents[0] : -1)
            }
        }
        guard target.filter({ $0 == -1 }).count < 2 else {
            throw refusal("several axes of the shape \(shapes[0]) depend on the batch size")
        }
        return target.isEmpty ? [1] : target
    }
}
