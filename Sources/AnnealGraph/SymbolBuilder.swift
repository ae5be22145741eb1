import AnnealCore

/// Builds symbols with MXNet's names: parameters are created automatically (`conv0_weight`), and layers without a name
/// get MXNet's default (`convolution0`), counted per builder.
///
/// ```swift
/// let net = SymbolBuilder()
/// var body = try net.convolution(.variable("data"), numFilter: 20, kernel: [5, 5], name: "conv1")
/// body = try net.fullyConnected(net.flatten(net.activation(body, .relu)), numHidden: 10)
/// let network = try net.softmaxOutput(body, name: "softmax")
/// ```
/// Attributes that the operator does not have are refused at once, by name; shapes are checked when they are inferred.
/// Each operator adds its typed method in its own file, e.g. `convolution(_:numFilter:kernel:…)`.
public final class SymbolBuilder {
    private var counts: [String: Int] = [:]
    /// Names of the variables that were created automatically.
    private var variables: Set<String> = []

    public init() {}

    /// Applies an operator. Missing inputs become variables named `LAYER_INPUT`, which carry a copy of the operator's
    /// attributes, as MXNet's do.
    ///
    /// - Parameters:
    ///   - hint: the stem of the automatic name; the operator's name in lower case if nil.
    ///   - inputs: the first inputs, in order.
    ///   - attributes: MXNet's names and values as text; nil values are omitted. `lr_mult`, `wd_mult` and other
    ///     annotations are written as `__lr_mult__` and apply to the automatic parameters.
    /// - Throws: `AnnealError` naming the layer and the unknown operator, the attribute that it does not have, or the
    ///   surplus inputs.
    public func apply(
        _ operation: String, name: String?, hint: String? = nil, inputs: [Symbol],
        attributes: KeyValuePairs<String, String?> = [:]
    ) throws -> Symbol {
        var written: [String: String] = [:]
        for (key, value) in attributes {
            if let value { written[AttributeReader.annotations.contains(key) ? "__\(key)__" : key] = value }
        }
        let layer = name ?? automaticName(hint ?? operation.lowercased())
        let op: any SymbolOperator
        do {
            op = try OperatorRegistry.make(operation, written)
        } catch let error as AnnealError {
            throw error.within(error.problem.contains(operation) ? "layer \(layer)" : "layer \(layer), a \(operation)")
        }
        var entries = try inputs.enumerated().map { index, symbol in
            guard let entry = symbol.outputs.first, symbol.outputs.count == 1 else {
                throw AnnealError(
                    "layer \(layer)", "input \(index) of \(operation) is a symbol with \(symbol.outputs.count) outputs",
                    suggestion: "choose one by its index, as in split[0]")
            }
            return entry
        }
        let known = op.inputNames + op.auxiliaryNames
        guard entries.count <= known.count else {
            throw AnnealError(
                "layer \(layer)", "\(operation) has \(entries.count) inputs",
                suggestion: "it takes \(known.count): \(known.prefix(8).joined(separator: ", "))")
        }
        let initializers = op.inputInitializers
        for input in known.dropFirst(entries.count) {
            var copied = written
            copied["__init__"] = initializers[input]
            let variable = Node(operation: nil, name: "\(layer)_\(input)", attributes: copied)
            guard variables.insert(variable.name).inserted else {
                throw AnnealError(
                    "layer \(layer)", "a second layer of this name would have the variable \(variable.name) too",
                    suggestion: "give each layer its own name")
            }
            // The operator updates its auxiliary states: it reads their first version.
            entries.append(Entry(variable, version: op.auxiliaryNames.contains(input) ? 1 : 0))
        }
        let node = Node(op, operation: operation, name: layer, attributes: written, inputs: entries)
        return Symbol((0..<op.outputNames.count).map { Entry(node, $0) })
    }

    private func automaticName(_ hint: String) -> String {
        defer { counts[hint, default: 0] += 1 }
        return "\(hint)\(counts[hint, default: 0])"
    }
}
