import AnnealCore
import AnnealGraph

extension OperatorImport {
    static let products: [String: Convert] = [
        "Gemm": { site in
            let alpha = site.float("alpha", default: 1), beta = site.float("beta", default: 1)
            var data = try site.data(0)
            guard data.rank == 2, try site.rank(1) == 2 else { throw site.refusal("its matrices are not of two axes") }
            let (transposesA, transposesB) = (site.int("transA", default: 0) != 0, site.int("transB", default: 0) != 0)
            guard site.isConstant(1) else {
                var product = try site.op(
                    "dot", [data, site.data(1)],
                    ["transpose_a": AttributeText.bool(transposesA), "transpose_b": AttributeText.bool(transposesB)])
                if alpha != 1 { product = try site.scalar("_mul_scalar", product, alpha, suffix: "_alpha") }
                return [try adding(site, beta, to: product).value]
            }
            if transposesA { data = try site.op("transpose", [data], ["axes": "(1, 0)"], suffix: "_data") }
            var weight = try site.constant(1, "its matrix")
            if !transposesB { weight = weight.transposed([1, 0]) }
            if alpha != 1 { weight = weight.map { $0 * alpha } }
            let outputs = weight.shape[0]
            // A row is the layer's bias.
            if site.has(2), site.isConstant(2) {
                let c = try site.constant(2, "its bias")
                if c.count == outputs || c.count == 1, c.shape.dropLast().allSatisfy({ $0 == 1 }),
                    let bias = c.reshaped(checking: [c.count])?.broadcast([outputs])
                {
                    return [try fullyConnected(site, data, weight, beta == 1 ? bias : bias.map { $0 * beta }).value]
                }
            }
            return [try adding(site, beta, to: fullyConnected(site, data, weight, nil)).value]
        },
        "MatMul": { site in
            let (left, right) = (try site.shape(0), try site.shape(1))
            if site.isConstant(1), right.rank == 2, left.rank >= 2, !site.isConstant(0) {
                let weight = try site.constant(1, "its matrix").transposed([1, 0])
                return [try fullyConnected(site, try site.data(0), weight, nil, flattens: false).value]
            }
            guard left.rank >= 2, right.rank >= 2 else {
                throw site.refusal("a product of \(left) and \(right), one of which is a vector")
            }
            if left.rank == 2, right.rank == 2 { return [try site.op("dot", [site.data(0), site.data(1)]).value] }
            return [try batchProduct(site).value]
        },
    ]

    private static func adding(_ site: ImportSite, _ beta: Float, to product: Stored) throws -> Stored {
        guard site.has(2), beta != 0 else { return product }
        var c: Stored
        if site.isConstant(2) {
            let array = try site.constant(2, "its bias")
            c = site.parameter(array.rank == 0 ? array.reshaped([1]) : array, 2)
        } else {
            c = try site.data(2)
        }
        if beta != 1 { c = try site.scalar("_mul_scalar", c, beta, suffix: "_beta") }
        return try site.combine(product, c, "elemwise_add", "broadcast_add", suffix: "_sum")
    }

    private static func fullyConnected(
        _ site: ImportSite, _ data: Stored, _ weight: ModelArray, _ bias: ModelArray?, flattens: Bool = true
    ) throws -> Stored {
        try site.graph.add(
            "FullyConnected", site.layer, [data],
            parameters: [(name: "weight", array: weight)] + (bias.map { [(name: "bias", array: $0)] } ?? []),
            [
                "num_hidden": "\(weight.shape[0])", "no_bias": AttributeText.bool(bias == nil),
                "flatten": flattens ? nil : AttributeText.bool(false),
            ])[0]
    }

    /// Matrix products over leading axes, of which MXNet supports one.
    private static func batchProduct(_ site: ImportSite) throws -> Stored {
        var (a, b) = (try site.data(0), try site.data(1))
        guard a.rank == b.rank else { throw site.refusal("a product of \(a.shape) and \(b.shape), of different axes") }
        for axis in 0..<a.rank - 2 where a.shapes.map({ $0[axis] }) != b.shapes.map({ $0[axis] }) {
            // One side is broadcast along the axis.
            if a.shapes.allSatisfy({ $0[axis] == 1 }) {
                a = try repeated(site, a, axis, like: b)
            } else if b.shapes.allSatisfy({ $0[axis] == 1 }) {
                b = try repeated(site, b, axis, like: a)
            } else {
                throw site.refusal("a product of \(a.shape) and \(b.shape)")
            }
        }
        if a.rank == 3 { return try site.op("batch_dot", [a, b]) }
        func joined(_ stored: Stored, _ suffix: String) throws -> Stored {
            try site.op(
                "Reshape", [stored], ["shape": AttributeText.tuple([-1] + stored.shape.dims.suffix(2))], suffix: suffix)
        }
        let product = try site.op("batch_dot", [joined(a, "_a"), joined(b, "_b")])
        let shapes = zip(a.shapes, b.shapes).map { Shape($0.dims.dropLast() + [$1[-1]]) }
        // The batch is the first axis here, whatever it was joined with.
        guard shapes[0].dims.dropFirst() == shapes[1].dims.dropFirst() else {
            throw site.refusal("the batch is not the first axis of \(shapes[0])")
        }
        return try site.op(
            "Reshape", [product], ["shape": AttributeText.tuple([-1] + shapes[0].dims.dropFirst())], suffix: "_c")
    }

    private static func repeated(_ site: ImportSite, _ stored: Stored, _ axis: Int, like: Stored) throws -> Stored {
        try site.op(
            "broadcast_like", [stored, like], ["lhs_axes": "(\(axis),)", "rhs_axes": "(\(axis),)"], suffix: "_like")
    }
}
