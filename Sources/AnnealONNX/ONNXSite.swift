import AnnealCore
import AnnealGraph

/// One layer during its export to ONNX: its inputs, the shapes of its outputs, and the graph to add nodes to.
///
/// Every value of the graph is float32, as in Anneal's engine; where ONNX requires another type it is cast there and
/// back.
package struct ONNXSite {
    /// A value that the layer reads.
    struct Input {
        let name: String
        let shape: BatchShape
        /// The elements, if it is a parameter.
        let tensor: Tensor?
    }

    static let fixBatch = "export it for one batch size, with --batch-size"

    let layer: String
    let inputs: [Input]
    let outputs: [BatchShape]
    let graph: GraphBuilder

    /// Names of all inputs.
    var names: [String] { inputs.map(\.name) }

    /// Adds a node with one output. An empty name among `reads` omits an optional input.
    func node(
        _ type: String, _ reads: [String], _ attributes: KeyValuePairs<String, ONNXAttribute> = [:]
    ) throws -> String {
        try nodes(type, reads, outputs: 1, attributes)[0]
    }

    /// Adds a node with several outputs.
    func nodes(
        _ type: String, _ reads: [String], outputs: Int, _ attributes: KeyValuePairs<String, ONNXAttribute> = [:]
    ) throws -> [String] {
        try graph.add(
            type, layer: layer, reads: reads, outputs: outputs, attributes.map { (name: $0.key, value: $0.value) })
    }

    func constant(_ tensor: Tensor, _ name: String = "constant") -> String {
        define(name, tensor.shape, .floats(tensor.elements))
    }

    /// A scalar, to be broadcast.
    func scalar(_ value: Float) -> String { constant(Tensor([], [value])) }

    /// A list of int64, for inputs such as shapes and axes.
    func integers(_ values: [Int], _ name: String) -> String {
        define(name, [values.count], .integers(values.map(Int64.init)))
    }

    /// An int64 scalar.
    func integer(_ value: Int, _ name: String) -> String { define(name, [], .integers([Int64(value)])) }

    private func define(_ name: String, _ shape: Shape, _ elements: ONNXTensor.Elements) -> String {
        let name = graph.unique("\(layer)/\(name)")
        graph.define(ONNXTensor(name: name, shape: shape, elements: elements))
        return name
    }

    func reshape(_ value: String, to target: [Int]) throws -> String {
        try node("Reshape", [value, integers(target, "shape")])
    }

    func reshape(_ value: String, to shape: BatchShape) throws -> String {
        try reshape(value, to: try shape.reshapeTarget())
    }

    func cast(_ value: String, to type: ONNXType) throws -> String {
        try node("Cast", [value], ["to": .int(type.rawValue)])
    }

    func transpose(_ value: String, _ order: [Int]) throws -> String {
        try node("Transpose", [value], ["perm": .ints(order)])
    }

    /// An input with one axis, the channels, reshaped with `trailing` axes of extent 1, so that it is broadcast over
    /// images.
    func channels(_ input: Input, trailing: Int) throws -> String {
        guard trailing > 0 else { return input.name }
        let shape = input.shape.shape.dims + Array(repeating: 1, count: trailing)
        if let tensor = input.tensor { return constant(Tensor(Shape(shape), tensor.elements), input.name) }
        return try reshape(input.name, to: shape)
    }

    func refusal(_ problem: String, suggestion: String? = nil) -> AnnealError {
        AnnealError("", problem, suggestion: suggestion, code: .unsupported)
    }
}
