import AnnealCore

/// Builds symbols with MXNet's names: parameters are made automatically (`conv0_weight`), and layers without a name
/// get MXNet's (`convolution0`), counted for each builder.
///
/// Each operator adds its typed method in its own file, e.g. `convolution(_:numFilter:kernel:…)`.
public final class SymbolBuilder {
    private var counts: [String: Int] = [:]

    public init() {}

    /// Applies an operator. Inputs that are not given become variables named `LAYER_INPUT`, which carry a copy of the
    /// operator's attributes, as MXNet's do.
    ///
    /// - Parameters:
    ///   - hint: the stem of the automatic name; the operator's name in lower case if nil.
    ///   - inputs: the first inputs, in order.
    ///   - attributes: MXNet's names and texts; those that are nil are not written.
    public func apply(
        _ operation: String, name: String?, hint: String? = nil, inputs: [Symbol],
        attributes: KeyValuePairs<String, String?> = [:]
    ) -> Symbol {
        var written: [String: String] = [:]
        for (key, value) in attributes { if let value { written[key] = value } }
        let layer = name ?? automaticName(hint ?? operation.lowercased())
        var entries = inputs.map { symbol in
            precondition(symbol.outputs.count == 1, "\(layer): an input with \(symbol.outputs.count) outputs")
            return symbol.outputs[0]
        }
        let op: any Operator
        do {
            op = try OperatorRegistry.make(operation, written)
        } catch {
            preconditionFailure("\(layer): \(error)")
        }
        let initializers = op.inputInitializers
        for input in (op.inputNames + op.auxiliaryNames).dropFirst(entries.count) {
            var copied = written
            copied["__init__"] = initializers[input]
            let variable = Node(operation: nil, name: "\(layer)_\(input)", attributes: copied)
            // The operator changes its auxiliary states: it reads their first version.
            entries.append(Entry(variable, version: op.auxiliaryNames.contains(input) ? 1 : 0))
        }
        let node = Node(operation: operation, name: layer, attributes: written, inputs: entries)
        return Symbol((0..<op.outputNames.count).map { Entry(node, $0) })
    }

    private func automaticName(_ hint: String) -> String {
        defer { counts[hint, default: 0] += 1 }
        return "\(hint)\(counts[hint, default: 0])"
    }
}
