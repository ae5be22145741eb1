import AnnealCore
import AnnealGraph

extension OperatorImport {
    static let layers: [String: Convert] = [
        "Conv": { site in
            let weight = try site.constant(1, "its weight")
            var data = try site.data(0)
            guard weight.rank == data.rank, weight.rank >= 3 else {
                throw site.refusal("a weight \(Shape(weight.shape)) does not fit data \(data.shape)")
            }
            var window = try ImportWindow(
                site, kernel: Array(weight.shape[2...]), extents: Array(data.shape.dims[2...]))
            if !window.isSymmetric {
                data = try site.padded(data, window.pads, 0)
                window.pads = window.pads.map { _ in (0, 0) }
            }
            var parameters = [(name: "weight", array: weight)]
            if site.has(2) { parameters.append((name: "bias", array: try site.constant(2, "its bias"))) }
            return [
                try site.graph.add(
                    "Convolution", site.layer, [data], parameters: parameters,
                    [
                        "kernel": AttributeText.tuple(window.kernel), "num_filter": "\(weight.shape[0])",
                        "stride": AttributeText.tuple(window.strides), "pad": AttributeText.tuple(window.pads.map(\.0)),
                        "dilate": AttributeText.tuple(window.dilations),
                        "num_group": "\(site.int("group", default: 1))",
                        "no_bias": AttributeText.bool(!site.has(2)),
                    ])[0].value
            ]
        },
        "BatchNormalization": { site in
            guard site.int("training_mode", default: 0) == 0 else {
                throw site.refusal("it is in training mode: export the model after model.eval()")
            }
            guard site.int("spatial", default: 1) != 0 else {
                throw site.refusal("it has statistics for each position")
            }
            return [
                try site.graph.add(
                    "BatchNorm", site.layer, [site.data(0)],
                    parameters: [
                        (name: "gamma", array: site.constant(1, "its scale")),
                        (name: "beta", array: site.constant(2, "its bias")),
                    ],
                    auxiliary: [
                        (name: "moving_mean", array: site.constant(3, "its mean")),
                        (name: "moving_var", array: site.constant(4, "its variance")),
                    ],
                    [
                        "eps": AttributeText.float(Double(site.float("epsilon", default: 1e-5))),
                        "momentum": AttributeText.float(Double(site.float("momentum", default: 0.9))),
                        "fix_gamma": AttributeText.bool(false),
                    ])[0].value
            ]
        },
        "LRN": { site in
            [
                try site.op(
                    "LRN", [site.data(0)],
                    [
                        "alpha": AttributeText.float(Double(site.float("alpha", default: 1e-4))),
                        "beta": AttributeText.float(Double(site.float("beta", default: 0.75))),
                        "knorm": AttributeText.float(Double(site.float("bias", default: 1))),
                        "nsize": "\(site.int("size", default: 0))",
                    ]
                ).value
            ]
        },
        "Dropout": { site in
            if site.has(2), try site.constant(2, "its training mode").integers.contains(where: { $0 != 0 }) {
                throw site.refusal("it is in training mode: export the model after model.eval()")
            }
            let (stored, order) = try site.ordered(0)
            return [stored.value(order)]
        },
    ]
}
