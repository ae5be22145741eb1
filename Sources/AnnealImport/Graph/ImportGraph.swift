import AnnealCore
import AnnealGraph

/// An MXNet graph under construction: its nodes' names, its parameters, and the shapes of every value, which are
/// inferred as nodes are added, so that errors are reported where they occur.
package final class ImportGraph {
    /// Parameters by name.
    package private(set) var arguments: [String: ModelArray] = [:]
    /// Auxiliary states by name.
    package private(set) var auxiliary: [String: ModelArray] = [:]
    private var taken: Set<String> = []
    private var numbers: [String: Int] = [:]

    package init() {}

    /// A name that is not used by another node, of letters, digits and underscores.
    package func unique(_ name: String) -> String {
        let plain = Self.plainName(name)
        var candidate = plain
        while !taken.insert(candidate).inserted {
            let number = numbers[plain, default: 0] + 1
            numbers[plain] = number
            candidate = "\(plain)_\(number)"
        }
        return candidate
    }

    private static func plainName(_ name: String) -> String {
        var plain = ""
        for character in name.unicodeScalars {
            let isWord =
                character.isASCII && (character.properties.isAlphabetic || character.properties.numericType != nil)
            if isWord { plain.unicodeScalars.append(character) } else if plain.last != "_" { plain += "_" }
        }
        while plain.last == "_" { plain.removeLast() }
        plain = String(plain.drop { $0 == "_" })
        return plain.isEmpty ? "layer" : plain
    }

    /// The network's input.
    func input(_ name: String, _ shapes: [Shape]) -> Stored {
        taken.insert(name)
        return Stored(entry: Entry(Node(operation: nil, name: name)), shapes: shapes)
    }

    /// A parameter.
    /// - Parameters:
    ///   - isFrozen: it is not a weight, and training must not change it.
    func parameter(_ name: String, _ array: ModelArray, isAuxiliary: Bool = false, isFrozen: Bool = false) -> Stored {
        let name = unique(name)
        var attributes: [String: String] = [:]
        if !Self.inferredEndings.contains(where: { name.hasSuffix($0) }) {
            attributes["__shape__"] = AttributeText.tuple(array.shape)
        }
        if isFrozen { attributes.merge(["__lr_mult__": "0.0", "__wd_mult__": "0.0"]) { first, _ in first } }
        if isAuxiliary { auxiliary[name] = array } else { arguments[name] = array }
        let node = Node(operation: nil, name: name, attributes: attributes)
        return Stored(entry: Entry(node), shapes: [Shape(array.shape), Shape(array.shape)])
    }

    /// For parameters whose shapes follow from their layers.
    private static let inferredEndings = ["_weight", "_bias", "_gamma", "_beta", "_moving_mean", "_moving_var"]

    /// Adds a layer.
    /// - Returns: its outputs.
    func add(
        _ operation: String, _ name: String, _ inputs: [Stored], _ attributes: KeyValuePairs<String, String?> = [:]
    ) throws -> [Stored] {
        try add(operation, uniqueName: unique(name), inputs, attributes)
    }

    /// Adds a layer with parameters called `LAYER_INPUT`, its auxiliary inputs included.
    /// - Parameters:
    ///   - data: the first inputs.
    ///   - parameters: the others, in the operator's order.
    func add(
        _ operation: String, _ name: String, _ data: [Stored], parameters: [(name: String, array: ModelArray)],
        auxiliary: [(name: String, array: ModelArray)] = [], _ attributes: KeyValuePairs<String, String?> = [:]
    ) throws -> [Stored] {
        let layer = unique(name)
        let inputs =
            parameters.map { parameter("\(layer)_\($0.name)", $0.array) }
            + auxiliary.map { parameter("\(layer)_\($0.name)", $0.array, isAuxiliary: true) }
        return try add(operation, uniqueName: layer, data + inputs, attributes)
    }

    private func add(
        _ operation: String, uniqueName layer: String, _ inputs: [Stored],
        _ attributes: KeyValuePairs<String, String?>
    ) throws -> [Stored] {
        var written: [String: String] = [:]
        for (key, value) in attributes { if let value { written[key] = value } }
        let probe = Node(operation: operation, name: layer, attributes: written)
        let op = try probe.op, states = op.inputNames.count
        let entries = inputs.enumerated().map { index, input in
            index >= states ? Entry(input.entry.node, input.entry.index, version: 1) : input.entry
        }
        let node = Node(op, operation: operation, name: layer, attributes: written, inputs: entries)
        let outputs = try (0..<2).map { batch in
            var shapes: [Shape?] = inputs.map { $0.shapes[batch] }
            guard let outputs = try op.inferShapes(&shapes) else {
                throw AnnealError("", "its shape does not follow from its inputs'", code: .unsupported)
            }
            for shape in outputs where shape.dims.contains(where: { $0 <= 0 }) || shape.isTooLarge {
                throw AnnealError(
                    "", "its output would have the shape \(shape)", suggestion: "check the image shape",
                    code: .unsupported)
            }
            return outputs
        }
        return outputs[0].indices.map { Stored(entry: Entry(node, $0), shapes: [outputs[0][$0], outputs[1][$0]]) }
    }

    /// A copy of a layer with a bias; nil if it has one already. The original layer must no longer be read.
    func addingBias(_ bias: ModelArray, to output: Stored) throws -> Stored? {
        let old = output.entry.node
        guard old.attributes["no_bias"] == AttributeText.bool(true), let operation = old.operation else { return nil }
        var attributes = old.attributes
        attributes["no_bias"] = AttributeText.bool(false)
        let variable = parameter("\(old.name)_bias", bias)
        let node = Node(
            operation: operation, name: old.name, attributes: attributes, inputs: old.inputs + [variable.entry])
        _ = try node.op
        return Stored(entry: Entry(node), shapes: output.shapes)
    }

    /// Removes parameters that the network does not read.
    func keepParameters(of symbol: Symbol) {
        let names = Set(symbol.nodes.filter(\.isVariable).map(\.name))
        arguments = arguments.filter { names.contains($0.key) }
        auxiliary = auxiliary.filter { names.contains($0.key) }
    }
}
