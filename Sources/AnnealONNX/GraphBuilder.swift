import AnnealCore

/// A graph under construction: nodes in execution order, uniquely named values, and constants, which are written when a
/// node first reads them.
final class GraphBuilder {
    private(set) var nodes: [ONNXNode] = []
    private(set) var initializers: [ONNXTensor] = []
    private(set) var inputs: [ONNXModel.Port] = []
    /// Bytes of the initializers.
    private(set) var constantBytes = 0
    private var taken: Set<String>
    /// The last number that was appended to each name.
    private var numbers: [String: Int] = [:]
    private var computed: Set<String> = []
    private var constants: [String: ONNXTensor] = [:]

    /// - Parameter reserved: names that are not given to other values: the network's own.
    init(reserved: [String]) { taken = Set(reserved) }

    /// A name that no value and no node has yet.
    func unique(_ name: String) -> String {
        var candidate = name
        while !taken.insert(candidate).inserted {
            let number = numbers[name, default: 0] + 1
            numbers[name] = number
            candidate = "\(name)_\(number)"
        }
        return candidate
    }

    /// Registers a constant under its name.
    func define(_ constant: ONNXTensor) { constants[constant.name] = constant }

    func addInput(_ input: ONNXModel.Port) {
        inputs.append(input)
        computed.insert(input.name)
    }

    /// Adds a node.
    /// - Returns: the names of its outputs.
    func add(
        _ type: String, layer: String, reads: [String], outputs count: Int,
        _ attributes: [(name: String, value: ONNXAttribute)]
    ) throws -> [String] {
        for name in reads where !name.isEmpty && !computed.contains(name) { try writeConstant(name, readBy: layer) }
        let name = unique("\(layer)/\(type)")
        let values = (0..<count).map { unique("\(name)_output\(count > 1 ? "\($0)" : "")") }
        nodes.append(ONNXNode(name: name, type: type, inputs: reads, outputs: values, attributes: attributes))
        computed.formUnion(values)
        return values
    }

    /// Renames a value that a node from `start` on computes, and gives that node the layer's name.
    func rename(_ value: String, to name: String, layer: String, from start: Int) -> String {
        guard let index = nodes[start...].firstIndex(where: { $0.outputs.contains(value) }) else { return value }
        let name = unique(name)
        for i in start..<nodes.count {
            nodes[i].inputs = nodes[i].inputs.map { $0 == value ? name : $0 }
            nodes[i].outputs = nodes[i].outputs.map { $0 == value ? name : $0 }
        }
        if nodes[index].name.hasPrefix("\(layer)/") { nodes[index].name = unique(layer) }
        computed.insert(name)
        return name
    }

    func isComputedByNode(_ value: String) -> Bool {
        computed.contains(value) && !inputs.contains { $0.name == value } && !initializers.contains { $0.name == value }
    }

    private func writeConstant(_ name: String, readBy layer: String) throws {
        guard let constant = constants.removeValue(forKey: name) else {
            throw AnnealError(
                "layer \(layer)", "reads \(name), which is neither an input nor a parameter of the checkpoint",
                suggestion: "only a network whose outputs follow from its data can be exported", code: .notFound)
        }
        constantBytes += constant.byteCount
        try ONNXModel.checkSize(constantBytes)
        initializers.append(constant)
        computed.insert(name)
    }
}
