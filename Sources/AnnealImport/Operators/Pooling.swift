import AnnealCore
import AnnealGraph

extension OperatorImport {
    static let pooling: [String: Convert] = [
        "MaxPool": { site in
            guard site.node.outputs.count < 2 || site.node.outputs[1].isEmpty else {
                throw site.refusal("it gives the places of its maxima too")
            }
            return [try pool(site, .max)]
        },
        "AveragePool": { site in [try pool(site, .avg)] },
        "GlobalAveragePool": { site in [try global(site, .avg)] },
        "GlobalMaxPool": { site in [try global(site, .max)] },
    ]

    private static func global(_ site: ImportSite, _ kind: Pooling.Kind) throws -> ImportedValue {
        let data = try site.data(0)
        return try site.op(
            "Pooling", [data],
            [
                "pool_type": kind.rawValue, "global_pool": AttributeText.bool(true),
                "kernel": AttributeText.tuple(Array(repeating: 1, count: max(data.rank - 2, 1))),
            ]
        ).value
    }

    private static func pool(_ site: ImportSite, _ kind: Pooling.Kind) throws -> ImportedValue {
        guard let kernel = site.ints("kernel_shape") else { throw site.refusal("its kernel_shape is missing") }
        let data = try site.data(0)
        guard data.rank == kernel.count + 2 else {
            throw site.refusal("its kernel \(kernel) does not fit \(data.shape)")
        }
        let extents = Array(data.shape.dims[2...]), window = try ImportWindow(site, kernel: kernel, extents: extents)
        guard window.dilations.allSatisfy({ $0 == 1 }) else { throw site.refusal("pooling with dilation") }
        let output = window.outputExtents(extents, roundsUp: site.int("ceil_mode", default: 0) != 0)
        guard output.allSatisfy({ $0 > 0 }) else {
            throw site.refusal("its kernel \(kernel) is larger than \(data.shape)")
        }
        let countsPadding = site.int("count_include_pad", default: 0) != 0
        let fits = window.isSymmetric && zip(window.pads, kernel).allSatisfy { $0.0 < $1 }
        // MXNet divides by the number of a window's cells inside the data or its padding, as ONNX does.
        for convention in ["valid", "full"] where fits {
            let attributes: KeyValuePairs<String, String?> = [
                "pool_type": kind.rawValue, "kernel": AttributeText.tuple(kernel),
                "stride": AttributeText.tuple(window.strides), "pad": AttributeText.tuple(window.pads.map(\.0)),
                "pooling_convention": convention,
                "count_include_pad": kind == .avg ? AttributeText.bool(countsPadding) : nil,
            ]
            let probe = try Node(operation: "Pooling", name: "", attributes: attributes.dictionary).op
            var shapes: [Shape?] = [data.shape]
            if try probe.inferShapes(&shapes)?[0].dims.dropFirst(2) == output[...] {
                return try site.op("Pooling", [data], attributes).value
            }
        }
        return try explicit(site, data, window, output, kind, countsPadding: countsPadding).value
    }

    /// With padding as a separate layer; an average as a sum divided by the counts.
    private static func explicit(
        _ site: ImportSite, _ data: Stored, _ window: ImportWindow, _ output: [Int], _ kind: Pooling.Kind,
        countsPadding: Bool
    ) throws -> Stored {
        let extents = Array(data.shape.dims[2...])
        // As much padding at the end as the last window needs.
        let pads = window.kernel.indices.map { axis in
            let needed = (output[axis] - 1) * window.strides[axis] + window.kernel[axis]
            return (window.pads[axis].0, max(0, needed - extents[axis] - window.pads[axis].0))
        }
        let padded = try site.padded(data, pads, kind == .max ? -Float.greatestFiniteMagnitude : 0)
        let pooled = try site.op(
            "Pooling", [padded],
            [
                "pool_type": kind == .avg ? "sum" : "max", "kernel": AttributeText.tuple(window.kernel),
                "stride": AttributeText.tuple(window.strides), "pooling_convention": "valid",
            ])
        guard pooled.shape.dims.dropFirst(2) == output[...] else {
            throw site.refusal("its windows do not fit \(data.shape)")
        }
        guard kind == .avg else { return pooled }
        let counts = window.kernel.indices.map { axis in
            (0..<output[axis]).map { place in
                let first = place * window.strides[axis] - window.pads[axis].0, last = first + window.kernel[axis]
                let bounds =
                    countsPadding
                    ? (-window.pads[axis].0, extents[axis] + window.pads[axis].1) : (0, extents[axis])
                return Float(max(1, min(last, bounds.1) - max(first, bounds.0)))
            }
        }
        let weights = counts.reduce([Float(1)]) { all, axis in all.flatMap { a in axis.map { a * $0 } } }.map { 1 / $0 }
        let scale = site.graph.parameter(
            "\(site.layer)_inverse_count", ModelArray([1, 1] + output, weights), isFrozen: true)
        return try site.op("broadcast_mul", [pooled, scale], suffix: "_average")
    }
}

extension KeyValuePairs where Key == String, Value == String? {
    fileprivate var dictionary: [String: String] {
        reduce(into: [:]) { result, pair in result[pair.key] = pair.value }
    }
}
