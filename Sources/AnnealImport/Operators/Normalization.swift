import AnnealCore
import AnnealGraph

extension OperatorImport {
    static let normalization: [String: Convert] = [
        "LayerNormalization": { site in
            let shapes = try site.shapes(0), rank = shapes[0].rank
            let axis = try site.axis(site.int("axis", default: -1), of: rank)
            let scale = try site.constant(1, "its scale"), width = shapes[0].dims[axis...].reduce(1, *)
            let bias =
                site.has(2) ? try site.constant(2, "its bias") : ModelArray(scale.shape, scale.floats.map { _ in 0 })
            guard let gamma = scale.broadcast(Array(shapes[0].dims[axis...])),
                let beta = bias.broadcast(Array(shapes[0].dims[axis...]))
            else { throw site.refusal("a scale \(Shape(scale.shape)) does not fit \(shapes[0])") }
            // Statistics over several axes are computed over one axis that joins them.
            let joined = shapes.map { Shape($0.dims[..<axis] + [width]) }
            let data = try site.reshape(site.data(0), to: joined, suffix: "_rows")
            let givesStatistics = site.node.outputs.dropFirst().contains { !$0.isEmpty }
            let outputs = try site.graph.add(
                "LayerNorm", site.layer, [data],
                parameters: [
                    (name: "gamma", array: gamma.reshaped([width])), (name: "beta", array: beta.reshaped([width])),
                ],
                [
                    "axis": "-1", "eps": AttributeText.float(Double(site.float("epsilon", default: 1e-5))),
                    "output_mean_var": givesStatistics ? AttributeText.bool(true) : nil,
                ])
            let result = try site.reshape(outputs[0], to: shapes, suffix: "_shaped").value
            guard givesStatistics else { return [result] }
            let statistics = shapes.map { Shape($0.dims[..<axis] + $0.dims[axis...].map { _ in 1 }) }
            let inverse = try site.op("reciprocal", [outputs[2]], suffix: "_inverse")
            return [
                result, try site.reshape(outputs[1], to: statistics, suffix: "_mean").value,
                try site.reshape(inverse, to: statistics, suffix: "_inverse_std").value,
            ]
        },
        "RMSNormalization": { site in
            let data = try site.data(0), axis = try site.axis(site.int("axis", default: -1), of: data.rank)
            let axes = AttributeText.tuple(Array(axis..<data.rank))
            let square = try site.op("square", [data], suffix: "_square")
            let mean = try site.op(
                "mean", [square], ["axis": axes, "keepdims": AttributeText.bool(true)], suffix: "_mean")
            let shifted = try site.scalar(
                "_plus_scalar", mean, site.float("epsilon", default: 1e-5), suffix: "_shifted")
            let factor = try site.op("rsqrt", [shifted], suffix: "_factor")
            let normal = try site.op("broadcast_mul", [data, factor], suffix: "_normal")
            return [
                try site.op("broadcast_mul", [normal, site.parameter(site.constant(1, "its scale"), 1)]).value
            ]
        },
        "InstanceNormalization": { site in
            [
                try instanceNorm(
                    site, site.data(0), site.constant(1, "its scale"), site.constant(2, "its bias"), site.layer
                ).value
            ]
        },
        "GroupNormalization": { site in
            let data = try site.data(0), shapes = data.shapes, channels = shapes[0].dims.count > 1 ? shapes[0][1] : 0
            let groups = site.int("num_groups", default: 1)
            guard groups > 0, channels % groups == 0, channels > 0 else {
                throw site.refusal("\(channels) channels do not divide into \(groups) groups")
            }
            var scale = try site.constant(1, "its scale"), bias = try site.constant(2, "its bias")
            // Before version 21 there is one number per group.
            if site.opset < 21 {
                let each = channels / groups
                guard let s = scale.reshaped(checking: [groups, 1])?.broadcast([groups, each]),
                    let b = bias.reshaped(checking: [groups, 1])?.broadcast([groups, each])
                else { throw site.refusal("its scale \(Shape(scale.shape)) is not of \(groups) groups") }
                (scale, bias) = (s, b)
            }
            return [
                try site.graph.groupNorm(
                    data, groups: groups, scale: scale, bias: bias, eps: site.float("epsilon", default: 1e-5),
                    name: site.layer
                ).value
            ]
        },
        "MeanVarianceNormalization": { site in
            let data = try site.data(0),
                axes = try site.ints("axes")?.map { try site.axis($0, of: data.rank) } ?? [0, 2, 3]
            guard !axes.contains(0) || data.shapes[0] == data.shapes[1] else {
                throw site.refusal("its statistics are over the images of a batch")
            }
            let named = AttributeText.tuple(axes), kept = AttributeText.bool(true)
            let mean = try site.op("mean", [data], ["axis": named, "keepdims": kept], suffix: "_mean")
            let centred = try site.op("broadcast_sub", [data, mean], suffix: "_centred")
            let square = try site.op("square", [centred], suffix: "_square")
            let variance = try site.op("mean", [square], ["axis": named, "keepdims": kept], suffix: "_variance")
            let deviation = try site.scalar(
                "_plus_scalar", site.op("sqrt", [variance], suffix: "_deviation"), 1e-9, suffix: "_shifted")
            return [try site.op("broadcast_div", [centred, deviation]).value]
        },
        "LpNormalization": { site in
            let (stored, order) = try site.ordered(0),
                axis = try site.axis(site.int("axis", default: -1), of: stored.rank)
            let power = site.int("p", default: 2)
            guard power == 1 || power == 2 else { throw site.refusal("its p is \(power)") }
            let norm = try site.op(
                "norm", [stored],
                ["ord": "\(power)", "axis": "(\(order?[axis] ?? axis),)", "keepdims": AttributeText.bool(true)],
                suffix: "_norm")
            // 0 stays 0.
            let divisor = try site.scalar("_maximum_scalar", norm, .leastNormalMagnitude, suffix: "_divisor")
            return [try site.op("broadcast_div", [stored, divisor]).value(order)]
        },
    ]

    private static func instanceNorm(
        _ site: ImportSite, _ data: Stored, _ scale: ModelArray, _ bias: ModelArray, _ name: String
    ) throws -> Stored {
        try site.graph.add(
            "InstanceNorm", name, [data], parameters: [(name: "gamma", array: scale), (name: "beta", array: bias)],
            ["eps": AttributeText.float(Double(site.float("epsilon", default: 1e-5)))])[0]
    }
}
