import AnnealCore
import AnnealGraph

/// ONNX's operators by name, each as layers of MXNet's operators.
enum OperatorImport {
    /// Adds a node's layers and returns its outputs; rarely used ones at the end may be missing.
    typealias Convert = @Sendable (ImportSite) throws -> [ImportedValue]

    static let table: [String: Convert] = [
        layers, pooling, products, arithmetic, functions, activations, normalization, reductions, views, joins,
    ].reduce(into: [:]) { $0.merge($1) { first, _ in first } }
}

extension Stored {
    var value: ImportedValue { .computed(self, order: nil) }

    /// - Parameter order: axis i of the value is axis `order[i]` of what is stored.
    func value(_ order: [Int]?) -> ImportedValue {
        .computed(self, order: order == Array(shape.dims.indices) ? nil : order)
    }
}

extension ImportSite {
    /// A constant, or if it has the same row for each image, that row: operators that broadcast repeat it.
    func fixedOrRow(_ index: Int) throws -> ModelArray {
        guard case .constant(let constant) = try value(index) else {
            throw refusal("its input \(index) is computed from the image, it must be constant")
        }
        guard let array = constant.fixed ?? constant.row else {
            throw refusal("its input \(index) depends on the batch size")
        }
        return array
    }

    /// Two inputs ready to be combined elementwise, in an order of axes that suits both.
    func operands(_ left: Int, _ right: Int) throws -> (Stored, Stored, [Int]?) {
        switch (isConstant(left), isConstant(right)) {
        case (false, false):
            let (a, orderA) = try ordered(left), (b, orderB) = try ordered(right)
            if orderA == orderB, a.rank == b.rank { return (a, b, orderA) }
            return (try data(left), try data(right), nil)
        case (false, true): return try operands(computed: left, constant: right)
        case (true, false):
            let (b, a, order) = try operands(computed: right, constant: left)
            return (a, b, order)
        case (true, true):
            return (parameter(try fixedOrRow(left), left), parameter(try fixedOrRow(right), right), nil)
        }
    }

    private func operands(computed: Int, constant: Int) throws -> (Stored, Stored, [Int]?) {
        let array = try fixedOrRow(constant), (stored, order) = try ordered(computed)
        guard let order, array.rank <= stored.rank else {
            return (try data(computed), parameter(array.rank == 0 ? array.reshaped([1]) : array, constant), nil)
        }
        let whole = array.reshaped(Array(repeating: 1, count: stored.rank - array.rank) + array.shape)
        var inverse = order
        for (axis, place) in order.enumerated() { inverse[place] = axis }
        return (stored, parameter(whole.transposed(inverse), constant), order)
    }

    /// Uses the elementwise operator if shapes are equal, else the one that broadcasts.
    func combine(_ a: Stored, _ b: Stored, _ elementwise: String, _ broadcast: String, suffix: String = "") throws
        -> Stored
    {
        try op(a.shapes == b.shapes ? elementwise : broadcast, [a, b], suffix: suffix)
    }

    /// A slice of an array: its begin and end along the first axes, and its steps, "None" where unspecified.
    func sliced(
        _ data: Stored, begin: [String], end: [String], step: [String], suffix: String = ""
    ) throws -> Stored {
        func text(_ parts: [String]) -> String {
            "(" + parts.joined(separator: ", ") + (parts.count == 1 ? ",)" : ")")
        }
        return try op("slice", [data], ["begin": text(begin), "end": text(end), "step": text(step)], suffix: suffix)
    }

    /// Data padded along spatial axes: Pad accepts only four and five axes.
    func padded(_ data: Stored, _ pads: [(Int, Int)], _ value: Float, mode: String = "constant") throws -> Stored {
        let isFlat = data.rank == 3
        let source = isFlat ? try op("expand_dims", [data], ["axis": "2"], suffix: "_high") : data
        let width = [0, 0, 0, 0] + (isFlat ? [0, 0] : []) + pads.flatMap { [$0.0, $0.1] }
        let padded = try op(
            "Pad", [source],
            [
                "mode": mode, "pad_width": AttributeText.tuple(width),
                "constant_value": mode == "constant" ? AttributeText.float(Double(value)) : nil,
            ], suffix: "_pad")
        return isFlat ? try op("squeeze", [padded], ["axis": "(2,)"], suffix: "_flat") : padded
    }
}
