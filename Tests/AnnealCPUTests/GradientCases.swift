import Anneal

/// An operator with small inputs whose gradient is compared with finite differences.
struct GradientCase: Sendable, CustomStringConvertible {
    var operation: String
    var attributes: [String: String] = [:]
    var inputs: [(name: String, shape: Shape)]
    /// The range of the inputs' values.
    var range: (Float, Float) = (-1.3, 1.3)
    /// Inputs that contain integers below this and have no gradient, by name.
    var indices: [String: Int] = [:]
    /// Auxiliary states, (name, shape), all 1.
    var auxiliary: [(String, Shape)] = []
    var outputs = 1

    var description: String { "\(operation) \(attributes)" }
}

private func one(_ operation: String, _ shape: Shape, _ attributes: [String: String] = [:]) -> GradientCase {
    GradientCase(operation: operation, attributes: attributes, inputs: [("data", shape)])
}

private func two(_ operation: String, _ lhs: Shape, _ rhs: Shape, _ attributes: [String: String] = [:]) -> GradientCase
{
    GradientCase(operation: operation, attributes: attributes, inputs: [("lhs", lhs), ("rhs", rhs)])
}

extension GradientCase {
    fileprivate func within(_ low: Float, _ high: Float) -> GradientCase {
        var result = self
        result.range = (low, high)
        return result
    }

    /// Every operator with a gradient that is the derivative of its output.
    static let all: [GradientCase] = elementwise + reductions + layers + shapes + indexing + sampling

    private static let positive = [
        "log", "log10", "log2", "sqrt", "rsqrt", "cbrt", "rcbrt", "gamma", "gammaln", "reciprocal",
    ]

    private static let elementwise: [GradientCase] =
        [
            "abs", "negative", "square", "exp", "expm1", "sin", "cos", "tan", "arctan", "sinh", "cosh", "tanh",
            "arcsinh",
            "degrees", "radians", "relu", "sigmoid", "softsign", "erf", "hard_sigmoid", "_copy",
        ].map { one($0, [2, 3, 4]) }
        + positive.map { one($0, [2, 3, 4]).within(0.4, 2.4) }
        + ["log1p", "arcsin", "arccos", "arctanh", "erfinv"].map { one($0, [2, 9]).within(-0.8, 0.8) }
        + [one("arccosh", [9]).within(1.3, 3)]
        + ["relu", "sigmoid", "tanh", "softrelu", "softsign"].map { one("Activation", [2, 9, 3], ["act_type": $0]) }
        + ["leaky", "elu", "selu", "gelu", "rrelu"].map {
            var item = one("LeakyReLU", [2, 9, 3], ["act_type": $0])
            if $0 == "rrelu" { item.outputs = 2 }
            return item
        }
        + [
            GradientCase(
                operation: "LeakyReLU", attributes: ["act_type": "prelu"],
                inputs: [("data", [2, 3, 4]), ("gamma", [3])]),
            one("clip", [4, 5], ["a_min": "-0.71", "a_max": "0.62"]), one("smooth_l1", [4, 5], ["scalar": "1.4"]),
            one("Dropout", [4, 9], ["p": "0.4"]), one("Dropout", [4, 9, 3], ["p": "0.4", "axes": "(1,)"]),
            one("Cast", [3, 4], ["dtype": "float64"]),
            GradientCase(
                operation: "add_n", attributes: ["num_args": "3"], inputs: [("a", [3]), ("b", [3]), ("c", [3])]),
            GradientCase(
                operation: "where", inputs: [("condition", [3, 4]), ("x", [3, 4]), ("y", [3, 4])],
                indices: ["condition": 2]),
        ]
        + ["plus", "minus", "rminus", "mul", "div", "maximum", "minimum", "hypot"].map {
            one("_\($0)_scalar", [2, 9, 3], ["scalar": "0.71"])
        }
        + ["rdiv", "power", "rpower", "mod", "rmod"].map {
            one("_\($0)_scalar", [2, 5], ["scalar": "1.7"]).within(0.4, 1.6)
        }
        + ["elemwise_add", "elemwise_sub", "elemwise_mul", "_maximum", "_minimum", "_hypot"].map {
            two($0, [3, 4], [3, 4])
        }
        + ["elemwise_div", "_power", "_mod"].map { two($0, [3, 4], [3, 4]).within(0.4, 2) }
        + ["add", "sub", "mul", "maximum", "minimum", "hypot"].map { two("broadcast_\($0)", [2, 1, 3], [1, 4, 3]) }
        + ["div", "power", "mod"].map { two("broadcast_\($0)", [2, 1, 3], [1, 4, 1]).within(0.45, 2.1) }

    private static let reductions: [GradientCase] =
        ["sum", "mean", "prod", "max", "min", "nansum", "nanprod"].flatMap {
            [
                one($0, [2, 3, 4], ["axis": "(0, 2)"]).within(0.4, 1.4), one($0, [2, 3], [:]).within(0.4, 1.4),
                one($0, [2, 3, 4], ["axis": "1", "exclude": "True", "keepdims": "True"]).within(0.4, 1.4),
            ]
        } + [
            one("norm", [3, 4], ["axis": "1"]), one("norm", [3, 4], ["ord": "1"]),
            two("dot", [3, 4], [4, 2]), two("dot", [4, 3], [2, 4], ["transpose_a": "True", "transpose_b": "True"]),
            two("batch_dot", [2, 3, 4], [2, 2, 4], ["transpose_b": "True"]),
            one("softmax", [2, 3, 4], ["axis": "1"]), one("log_softmax", [3, 4]), one("softmin", [3, 4]),
            one("softmax", [3, 4], ["temperature": "0.6"]),
            GradientCase(
                operation: "softmax", attributes: ["use_length": "True"], inputs: [("data", [3, 4]), ("length", [3])],
                indices: ["length": 4]),
            one("SoftmaxActivation", [2, 3, 4], ["mode": "channel"]),
            GradientCase(
                operation: "softmax_cross_entropy", inputs: [("data", [3, 4]), ("label", [3])], indices: ["label": 4]),
        ]

    private static let layers: [GradientCase] = [
        GradientCase(
            operation: "Convolution",
            attributes: ["kernel": "(3, 3)", "num_filter": "4", "pad": "(1, 1)", "stride": "(2, 2)", "num_group": "2"],
            inputs: [("data", [2, 4, 5, 5]), ("weight", [4, 2, 3, 3]), ("bias", [4])]),
        // Its result has one pixel per image.
        GradientCase(
            operation: "Convolution",
            attributes: ["kernel": "(1, 1)", "num_filter": "3", "stride": "(2, 2)", "no_bias": "True"],
            inputs: [("data", [2, 4, 2, 2]), ("weight", [3, 4, 1, 1])]),
        GradientCase(
            operation: "Deconvolution",
            attributes: [
                "kernel": "(3, 3)", "num_filter": "2", "stride": "(2, 2)", "no_bias": "False", "adj": "(1, 0)",
            ],
            inputs: [("data", [2, 3, 3, 3]), ("weight", [3, 2, 3, 3]), ("bias", [2])]),
        GradientCase(
            operation: "FullyConnected", attributes: ["num_hidden": "3"],
            inputs: [("data", [2, 2, 3]), ("weight", [3, 6]), ("bias", [3])]),
        GradientCase(
            operation: "BatchNorm", attributes: ["fix_gamma": "False", "eps": "0.01"],
            inputs: [("data", [3, 2, 4]), ("gamma", [2]), ("beta", [2])],
            auxiliary: [("mean", [2]), ("var", [2])]),
        GradientCase(
            operation: "InstanceNorm", attributes: ["eps": "0.01"],
            inputs: [("data", [2, 3, 4]), ("gamma", [3]), ("beta", [3])]),
        GradientCase(
            operation: "Convolution_v1", attributes: ["kernel": "(3, 3)", "num_filter": "2"],
            inputs: [("data", [2, 3, 4, 4]), ("weight", [2, 3, 3, 3]), ("bias", [2])]),
        GradientCase(
            operation: "BatchNorm_v1", attributes: ["fix_gamma": "False", "eps": "0.01"],
            inputs: [("data", [3, 2, 4]), ("gamma", [2]), ("beta", [2])],
            auxiliary: [("mean", [2]), ("var", [2])]),
        one("Pooling_v1", [2, 3, 5, 5], ["kernel": "(3, 3)", "stride": "(2, 2)", "pad": "(1, 1)"]),
        GradientCase(
            operation: "GroupNorm", attributes: ["num_groups": "2", "eps": "0.01"],
            inputs: [("data", [2, 4, 2, 3]), ("gamma", [2]), ("beta", [2])]),
        GradientCase(
            operation: "LayerNorm", attributes: ["axis": "1"],
            inputs: [("data", [2, 4, 3]), ("gamma", [4]), ("beta", [4])]),
        one("L2Normalization", [2, 3, 4]), one("L2Normalization", [2, 3, 4], ["mode": "channel"]),
        one("LRN", [2, 9, 2, 3], ["nsize": "3", "alpha": "0.5", "knorm": "1"]),
        one("Pooling", [2, 3, 5, 5], ["kernel": "(3, 3)", "stride": "(2, 2)", "pad": "(1, 1)"]),
        one("Pooling", [2, 3, 5, 5], ["kernel": "(3, 3)", "stride": "(2, 2)", "pool_type": "avg"]),
        one("Pooling", [1, 2, 4, 4], ["kernel": "(2, 2)", "pool_type": "lp"]),
        one("UpSampling", [1, 2, 2, 3], ["scale": "2", "sample_type": "nearest", "num_args": "1"]),
        GradientCase(
            operation: "UpSampling", attributes: ["scale": "2", "sample_type": "bilinear"],
            inputs: [("data", [1, 2, 2, 3]), ("weight", [2, 1, 4, 4])]),
    ]

    private static let shapes: [GradientCase] = [
        one("Flatten", [2, 3, 2]), one("Reshape", [2, 6], ["shape": "(3, -1)"]),
        one("expand_dims", [2, 3], ["axis": "1"]),
        one("squeeze", [2, 1, 3]), one("transpose", [2, 3, 4], ["axes": "(2, 0, 1)"]),
        one("SwapAxis", [2, 3, 4], ["dim1": "0", "dim2": "2"]), one("reverse", [2, 3], ["axis": "1"]),
        one("slice", [4, 5], ["begin": "(1, None)", "end": "(None, 0)", "step": "(2, -2)"]),
        one("slice_axis", [4, 5], ["axis": "1", "begin": "1", "end": "-1"]), one("tile", [2, 3], ["reps": "(2, 2)"]),
        one("repeat", [2, 3], ["repeats": "2", "axis": "0"]),
        one("broadcast_axis", [1, 3], ["axis": "0", "size": "4"]),
        one("broadcast_to", [1, 3], ["shape": "(4, 0)"]),
        one("Pad", [1, 1, 3, 3], ["mode": "reflect", "pad_width": "(0, 0, 0, 0, 2, 1, 1, 2)"]),
        one("Crop", [1, 2, 4, 5], ["num_args": "1", "h_w": "(2, 3)", "offset": "(1, 1)"]),
        one("depth_to_space", [1, 8, 2, 2], ["block_size": "2"]),
        one("space_to_depth", [1, 2, 4, 4], ["block_size": "2"]),
        GradientCase(
            operation: "SliceChannel", attributes: ["num_outputs": "2"], inputs: [("data", [2, 4, 3])], outputs: 2),
        two("Concat", [2, 3, 4], [2, 2, 4], ["num_args": "2"]),
        two("stack", [2, 3], [2, 3], ["num_args": "2", "axis": "1"]),
    ]

    private static let indexing: [GradientCase] = [
        GradientCase(operation: "take", inputs: [("a", [4, 3]), ("indices", [5])], indices: ["indices": 4]),
        GradientCase(
            operation: "Embedding", attributes: ["input_dim": "4", "output_dim": "3"],
            inputs: [("data", [5]), ("weight", [4, 3])], indices: ["data": 4]),
        GradientCase(operation: "pick", inputs: [("data", [4, 3]), ("index", [4])], indices: ["index": 3]),
        {
            var item = one("topk", [3, 5], ["k": "2", "ret_typ": "value"])
            item.outputs = 1
            return item
        }(), one("sort", [3, 5], ["axis": "0"]),
    ]

    private static let sampling: [GradientCase] = [
        GradientCase(
            operation: "BilinearSampler", inputs: [("data", [1, 2, 4, 5]), ("grid", [1, 2, 3, 3])], range: (-0.82, 0.83)
        ),
        GradientCase(
            operation: "GridGenerator", attributes: ["transform_type": "affine", "target_shape": "(3, 4)"],
            inputs: [("data", [2, 6])]),
        GradientCase(
            operation: "GridGenerator", attributes: ["transform_type": "warp"], inputs: [("data", [1, 2, 3, 4])]),
        GradientCase(
            operation: "SpatialTransformer",
            attributes: ["transform_type": "affine", "sampler_type": "bilinear", "target_shape": "(3, 3)"],
            inputs: [("data", [1, 2, 5, 6]), ("loc", [1, 6])], range: (-0.7, 0.7)),
    ]

    /// Losses, whose gradient is not the output's, and operators without a gradient. The golden cases check them.
    static let withoutDerivative: Set<String> = [
        "SoftmaxOutput", "LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput", "MakeLoss",
        "make_loss", "SVMOutput", "BlockGrad", "zeros_like", "ones_like", "sign", "round", "rint", "ceil", "floor",
        "trunc",
        "fix", "logical_not", "argmax", "argmin", "argmax_channel", "argsort", "one_hot",
        // Only the shape of their second input is used; otherwise they do what other operators in the table do.
        "broadcast_like", "reshape_like", "slice_like",
    ]
}
