import AnnealCore
import AnnealGraph

extension OperatorImport {
    static let reductions: [String: Convert] = [
        "ReduceMean": reduction("mean"), "ReduceSum": reduction("sum"), "ReduceMax": reduction("max"),
        "ReduceMin": reduction("min"), "ReduceProd": reduction("prod"),
        "ReduceL1": reduction("sum", before: ["abs"]),
        "ReduceL2": reduction("sum", before: ["square"], after: "sqrt"),
        "ReduceSumSquare": reduction("sum", before: ["square"]), "ReduceLogSum": reduction("sum", after: "log"),
        "ReduceLogSumExp": { site in
            let (stored, order) = try site.ordered(0), axes = try axes(site)
            guard !axes.isEmpty else { return [stored.value(order)] }
            // The maximum is subtracted first, so that no exponential overflows.
            let named = AttributeText.tuple(axes.map { order?[$0] ?? $0 }), kept = AttributeText.bool(true)
            let largest = try site.op("max", [stored], ["axis": named, "keepdims": kept], suffix: "_largest")
            let shifted = try site.op("broadcast_sub", [stored, largest], suffix: "_shifted")
            let powers = try site.op("exp", [shifted], suffix: "_exp")
            let sum = try site.op("sum", [powers], ["axis": named, "keepdims": kept], suffix: "_sum")
            let result = try site.op("elemwise_add", [site.op("log", [sum], suffix: "_log"), largest])
            return [try dropping(site, result, order, axes)]
        },
    ]

    private static func axes(_ site: ImportSite) throws -> [Int] {
        let rank = try site.rank(0), named = try site.integers(attribute: "axes", input: 1) ?? []
        if named.isEmpty { return site.int("noop_with_empty_axes", default: 0) != 0 ? [] : Array(0..<rank) }
        let axes = try named.map { try site.axis($0, of: rank) }
        guard Set(axes).count == axes.count else { throw site.refusal("axes \(named) are named twice") }
        let shapes = try site.shapes(0)
        guard axes.allSatisfy({ shapes[0][$0] == shapes[1][$0] }) else {
            throw site.refusal("it reduces over the images of a batch")
        }
        return axes
    }

    private static func reduction(_ operation: String, before: [String] = [], after: String? = nil) -> Convert {
        { site in
            var (stored, order) = try site.ordered(0)
            let axes = try axes(site), keeps = site.int("keepdims", default: 1) != 0
            for function in before { stored = try site.op(function, [stored], suffix: "_\(function)") }
            if axes.isEmpty {
                if let after { stored = try site.op(after, [stored], suffix: "_\(after)") }
                return [stored.value(order)]
            }
            let places = axes.map { order?[$0] ?? $0 }.sorted()
            // The mean over an image's positions is a global pooling, as in MXNet's networks.
            if operation == "mean", stored.rank == 4, places == [2, 3] {
                let pooled = try site.op(
                    "Pooling", [stored],
                    ["pool_type": "avg", "global_pool": AttributeText.bool(true), "kernel": "(1, 1)"])
                if keeps { return [pooled.value(order)] }
                let channels = order?.firstIndex(of: 1) ?? 1, batch = order?.firstIndex(of: 0) ?? 0
                if batch < channels { return [try site.op("Flatten", [pooled], suffix: "_flat").value] }
            }
            var result = try site.op(
                operation, [stored], ["axis": AttributeText.tuple(places), "keepdims": AttributeText.bool(true)])
            if let after { result = try site.op(after, [result], suffix: "_\(after)") }
            return [try dropping(site, result, order, axes)]
        }
    }

    /// Removes the reduced axes, which have extent 1, unless the node keeps them.
    private static func dropping(
        _ site: ImportSite, _ result: Stored, _ order: [Int]?, _ axes: [Int]
    ) throws -> ImportedValue {
        if site.int("keepdims", default: 1) != 0 { return result.value(order) }
        guard axes.count < result.rank else { throw site.refusal("its output is a number without axes") }
        let plain = try site.transposed(result, order)
        let shapes = plain.shapes.map { shape in
            Shape(shape.dims.enumerated().filter { !axes.contains($0.offset) }.map(\.element))
        }
        return try site.reshape(plain, to: shapes, suffix: "_squeezed").value
    }
}
