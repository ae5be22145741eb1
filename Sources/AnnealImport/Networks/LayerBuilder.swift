import AnnealCore
import AnnealGraph

/// Builds layers from a state dict: each removes its arrays from it, so that unused arrays are known at the end.
final class LayerBuilder {
    let graph = ImportGraph()
    private let arrays: [String: ModelArray]
    private var taken: Set<String> = []

    init(_ arrays: [String: ModelArray]) { self.arrays = arrays }

    func has(_ name: String) -> Bool { arrays[name] != nil }
    func shape(_ name: String) -> [Int]? { arrays[name]?.shape }

    func take(_ name: String) throws -> ModelArray {
        guard let array = arrays[name] else {
            throw AnnealError("", "has no \(name)", suggestion: "it is of another network", code: .mismatch)
        }
        taken.insert(name)
        return array
    }

    /// Arrays that no layer used, except batch counters.
    var rest: [String] {
        arrays.keys.filter { !taken.contains($0) && !$0.hasSuffix("num_batches_tracked") }.sorted()
    }

    /// - Parameter name: the layer's name in the state dict.
    func convolution(
        _ data: Stored, _ name: String, stride: Int = 1, pad: Int? = nil, groups: Int = 1
    ) throws -> Stored {
        let weight = try take("\(name).weight")
        guard weight.rank == 4 else {
            throw AnnealError("array \(name).weight", "has the shape \(Shape(weight.shape))", code: .mismatch)
        }
        var parameters = [(name: "weight", array: weight)]
        let hasBias = has("\(name).bias")
        if hasBias { parameters.append((name: "bias", array: try take("\(name).bias"))) }
        return try within(name) {
            try graph.add(
                "Convolution", name, [data], parameters: parameters,
                [
                    "kernel": AttributeText.tuple(Array(weight.shape[2...])), "num_filter": "\(weight.shape[0])",
                    "stride": AttributeText.tuple([stride, stride]),
                    "pad": AttributeText.tuple(weight.shape[2...].map { pad ?? $0 / 2 }), "num_group": "\(groups)",
                    "no_bias": AttributeText.bool(!hasBias),
                ])[0]
        }
    }

    /// A convolution along one axis, with one channel.
    /// - Parameter data: (batch, 1, 1, n)
    func convolution(overRow data: Stored, _ name: String) throws -> Stored {
        let array = try take("\(name).weight"), length = array.shape.last ?? 0
        guard length % 2 == 1, let weight = array.reshaped(checking: [1, 1, 1, length]) else {
            throw AnnealError("array \(name).weight", "has the shape \(Shape(array.shape))", code: .mismatch)
        }
        return try within(name) {
            try graph.add(
                "Convolution", name, [data], parameters: [(name: "weight", array: weight)],
                [
                    "kernel": AttributeText.tuple([1, length]), "num_filter": "1",
                    "pad": AttributeText.tuple([0, length / 2]), "no_bias": AttributeText.bool(true),
                ])[0]
        }
    }

    /// Batch norm; if the arrays include no moving averages, group norm with 32 groups, as in timm and torchvision.
    func norm(_ data: Stored, _ name: String) throws -> Stored {
        let gamma = try take("\(name).weight"), beta = try take("\(name).bias")
        return try within(name) {
            guard has("\(name).running_mean") else {
                return try graph.groupNorm(data, groups: 32, scale: gamma, bias: beta, eps: 1e-5, name: name)
            }
            return try graph.add(
                "BatchNorm", name, [data], parameters: [(name: "gamma", array: gamma), (name: "beta", array: beta)],
                auxiliary: [
                    (name: "moving_mean", array: take("\(name).running_mean")),
                    (name: "moving_var", array: take("\(name).running_var")),
                ], ["eps": "1e-05", "momentum": "0.9", "fix_gamma": AttributeText.bool(false)])[0]
        }
    }

    func relu(_ data: Stored, _ name: String) throws -> Stored {
        try graph.add("Activation", name, [data], ["act_type": "relu"])[0]
    }

    func pool(
        _ data: Stored, _ kind: String, kernel: Int, stride: Int, pad: Int = 0, name: String, roundsUp: Bool = false
    ) throws -> Stored {
        try graph.add(
            "Pooling", name, [data],
            [
                "pool_type": kind, "kernel": AttributeText.tuple([kernel, kernel]),
                "stride": AttributeText.tuple([stride, stride]), "pad": AttributeText.tuple([pad, pad]),
                "pooling_convention": roundsUp ? "full" : "valid",
                "count_include_pad": kind == "avg" ? AttributeText.bool(false) : nil,
            ])[0]
    }

    /// Halves an image after a layer of stride 1.
    func halved(_ data: Stored, _ antialiasing: Antialiasing, _ name: String) throws -> Stored {
        guard antialiasing == .blur else { return try pool(data, "avg", kernel: 2, stride: 2, name: name) }
        // The filter (1 2 1) / 4 is the mean of two neighbours, applied twice.
        let mirrored = try graph.add(
            "Pad", "\(name).pad", [data],
            ["mode": "reflect", "pad_width": AttributeText.tuple([0, 0, 0, 0, 1, 1, 1, 1])])[0]
        return try pool(
            pool(mirrored, "avg", kernel: 2, stride: 1, name: "\(name).0"), "avg", kernel: 2, stride: 2,
            name: "\(name).1")
    }

    func globalPool(_ data: Stored, _ name: String) throws -> Stored {
        try graph.add(
            "Pooling", name, [data],
            ["pool_type": "avg", "kernel": "(1, 1)", "global_pool": AttributeText.bool(true)])[0]
    }

    /// - Parameter data: (batch, k)
    func fullyConnected(_ data: Stored, _ name: String) throws -> Stored {
        let weight = try take("\(name).weight"), hasBias = has("\(name).bias")
        let bias = hasBias ? [(name: "bias", array: try take("\(name).bias"))] : []
        return try within(name) {
            try graph.add(
                "FullyConnected", name, [data], parameters: [(name: "weight", array: weight)] + bias,
                ["num_hidden": "\(weight.shape[0])", "no_bias": AttributeText.bool(!hasBias)])[0]
        }
    }

    /// The network with its loss.
    func finished(_ scores: Stored, image: [Int]) throws -> ImportedModel {
        let symbol = try SymbolBuilder().softmaxOutput(Symbol([scores.entry]), name: "softmax")
        return ImportedModel(
            symbol: symbol, arguments: graph.arguments, auxiliary: graph.auxiliary, imageShape: image)
    }

    private func within<T>(_ name: String, _ body: () throws -> T) throws -> T {
        do { return try body() } catch let error as AnnealError { throw error.within("layer \(name)") }
    }
}

extension ImportGraph {
    /// Group norm with a scale and shift per channel; MXNet's operator has them per group.
    func groupNorm(
        _ data: Stored, groups: Int, scale: ModelArray, bias: ModelArray, eps: Float, name: String
    ) throws -> Stored {
        let shapes = data.shapes, channels = shapes[0].rank > 2 ? shapes[0][1] : 0
        guard groups > 0, channels > 0, channels % groups == 0 else {
            throw AnnealError("", "\(channels) channels do not divide into \(groups) groups", code: .unsupported)
        }
        let each = [1, channels] + shapes[0].dims.dropFirst(2).map { _ in 1 }
        guard let scale = scale.reshaped(checking: each), let bias = bias.reshaped(checking: each) else {
            throw AnnealError(
                "", "its scale \(Shape(scale.shape)) is not of \(channels) channels", code: .unsupported)
        }
        let ones = ModelArray([groups], Array(repeating: 1, count: groups))
        let zeros = ModelArray([groups], Array(repeating: 0, count: groups))
        let rows = try add("Reshape", "\(name)_rows", [data], ["shape": "(0, \(groups), -1)"])
        let normal = try add(
            "InstanceNorm", "\(name)_groups", rows,
            parameters: [(name: "gamma", array: ones), (name: "beta", array: zeros)],
            ["eps": AttributeText.float(Double(eps))])
        let shaped = try add(
            "Reshape", "\(name)_shaped", normal, ["shape": AttributeText.tuple([0] + shapes[0].dims.dropFirst())])
        let scaled = try add("broadcast_mul", "\(name)_scaled", shaped + [parameter("\(name)_scale", scale)])
        return try add("broadcast_add", name, scaled + [parameter("\(name)_shift", bias)])[0]
    }
}
