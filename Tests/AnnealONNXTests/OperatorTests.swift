import AnnealCore
import AnnealGraph
import AnnealNetworks
import AnnealONNX
import Testing

@Suite struct OperatorTests {
    @Test func convolutionAndItsTranspose() throws {
        let conv = try exported(
            "Convolution",
            [
                "kernel": "(3, 5)", "stride": "(2, 1)", "pad": "(1, 2)", "dilate": "(1, 2)", "num_filter": "4",
                "num_group": "2", "no_bias": "True",
            ], data: [1, 4, 9, 12])
        let node = try #require(conv.node("Conv"))
        #expect(node.ints("kernel_shape") == [3, 5] && node.ints("strides") == [2, 1])
        #expect(node.ints("pads") == [1, 2, 1, 2] && node.ints("dilations") == [1, 2] && node.int("group") == 2)
        #expect(node.input == ["data", "layer_weight"])

        let target = try exported(
            "Deconvolution",
            ["kernel": "(3, 3)", "stride": "(2, 2)", "num_filter": "2", "target_shape": "(8, 8)"], data: [1, 2, 4, 4])
        let transpose = try #require(target.node("ConvTranspose"))
        #expect(transpose.ints("pads") == [1, 1, 1, 1] && transpose.ints("output_padding") == [1, 1])
    }

    /// 9 cells, kernel 2, stride 2: the fifth window of `full` has one cell beyond the end.
    @Test func poolingThatRoundsUpIsPaddedAtTheEnd() throws {
        func pool(_ kind: String, _ more: String? = nil, data: Shape = [1, 1, 9, 8]) throws -> ReadModel {
            try exported(
                "Pooling",
                [
                    "kernel": "(2, 2)", "stride": "(2, 2)", "pool_type": kind, "pooling_convention": "full",
                    "count_include_pad": more,
                ], data: data)
        }
        let max = try pool("max")
        #expect(max.types == ["MaxPool"])
        #expect(max.node("MaxPool")?.ints("pads") == [0, 0, 1, 0])
        #expect(max.node("MaxPool")?.int("ceil_mode") == nil)
        #expect(max.outputs.map(\.shape) == [["N", "1", "5", "4"]])

        // The last row's windows have 2 of 4 cells; MXNet divides by those.
        let mean = try pool("avg")
        #expect(mean.types == ["AveragePool", "Mul"])
        #expect(mean.node("AveragePool")?.int("count_include_pad") == 1)
        let divisors = try #require(mean.node("Mul")?.input[1])
        #expect(mean.constant(divisors)?.dims == [1, 1, 5, 4])
        #expect(mean.floats(divisors) == Array(repeating: 1, count: 16) + [2, 2, 2, 2])

        let inside = try pool("avg", "False")
        #expect(inside.types == ["AveragePool"])
        #expect(inside.node("AveragePool")?.int("count_include_pad") == 0)
        #expect(try pool("avg", data: [1, 1, 8, 8]).types == ["AveragePool"])
        #expect(try pool("sum").types == ["AveragePool", "Mul"])
    }

    /// It pads with zeros, even for maxima, and divides by the size of the whole kernel, as ONNX does.
    @Test func poolingOfTheFirstVersion() throws {
        func pool(_ kind: String) throws -> ReadModel {
            try exported(
                "Pooling_v1",
                [
                    "kernel": "(3, 3)", "stride": "(2, 2)", "pad": "(1, 1)", "pool_type": kind,
                    "pooling_convention": "full",
                ], data: [1, 1, 4, 5])
        }
        let max = try pool("max")
        #expect(max.types == ["Pad", "MaxPool"])
        #expect(max.node("MaxPool")?.ints("pads") == [0, 0, 1, 0])
        #expect(try pool("avg").types == ["AveragePool"])
    }

    @Test func globalPoolingIgnoresItsKernel() throws {
        let pool = try exported(
            "Pooling", ["kernel": "(7, 7)", "pool_type": "avg", "global_pool": "True"], data: [1, 2, 5, 5])
        #expect(pool.types == ["GlobalAveragePool"])
        #expect(pool.nodes[0].isBare)
    }

    @Test func fixedGammaIsOne() throws {
        let fixed = try exported("BatchNorm", ["eps": "0.01"], data: [1, 3, 4, 4])
        let node = try #require(fixed.node("BatchNormalization"))
        #expect(fixed.floats(node.input[1]) == [1, 1, 1])
        #expect(fixed.constant("layer_gamma") == nil)
        #expect(node.float("epsilon") == 0.01)
        #expect(Array(node.input[2...]) == ["layer_beta", "layer_moving_mean", "layer_moving_var"])
        let free = try exported("BatchNorm", ["fix_gamma": "False"], data: [1, 3, 4, 4])
        #expect(free.node("BatchNormalization")?.input[1] == "layer_gamma")
        #expect(free.floats("layer_gamma") == [1, 2, 3])
        let last = try exported("BatchNorm", ["axis": "-1"], data: [1, 4, 4, 3])
        #expect(last.types == ["Transpose", "BatchNormalization", "Transpose"])
        #expect(last.nodes[0].ints("perm") == [0, 3, 2, 1])
    }

    /// ONNX before version 18 has no operator for it: each group of 2 x 3 x 5 numbers becomes a channel of
    /// InstanceNormalization.
    @Test func groupsAreNormalisedAsChannels() throws {
        let model = try exported("GroupNorm", ["num_groups": "2", "eps": "0.01"], data: [1, 4, 3, 5])
        #expect(model.types == ["Reshape", "InstanceNormalization", "Reshape"])
        #expect(model.integers(model.nodes[0].input[1]) == [0, 2, -1])
        let norm = model.nodes[1]
        #expect(norm.float("epsilon") == 0.01)
        // One gamma and beta per group, as in MXNet 1.9.
        #expect(norm.input == [model.nodes[0].output[0], "layer_gamma", "layer_beta"])
        #expect(model.floats("layer_gamma") == [1, 2] && model.floats("layer_beta") == [1, 2])
        #expect(model.integers(model.nodes[2].input[1]) == [-1, 4, 3, 5])
        #expect(model.outputs.map(\.shape) == [["N", "4", "3", "5"]])
    }

    /// MXNet's codes become numbers; the axis of the batch is left to be inferred.
    @Test(arguments: [
        ("(0, -1)", [2, 3, 4, 5], [-1, 60]), ("(-3, 0, 0)", [2, 3, 4, 5], [-1, 4, 5]),
        ("(0, -4, 3, -1, -2)", [2, 6, 4], [-1, 3, 2, 4]), ("(-1, 12)", [2, 3, 4], [-1, 12]),
        ("(0, 0, -3)", [2, 3, 4, 5], [-1, 3, 20]), ("(-2, 1)", [2, 3], [-1, 3, 1]),
    ])
    func reshapeCodes(_ code: String, _ data: [Int], _ target: [Int]) throws {
        let model = try exported("Reshape", ["shape": code], data: Shape(data))
        #expect(model.types == ["Reshape"])
        #expect(model.integers(model.nodes[0].input[1]) == target)
        let fixed = try exported("Reshape", ["shape": code], data: Shape(data)) { $0.anyBatchSize = false }
        #expect(!(fixed.integers(fixed.nodes[0].input[1]) ?? [-1]).contains(-1))
    }

    @Test func slicesHavePlaces() throws {
        let model = try exported(
            "slice", ["begin": "(None, 4, 1)", "end": "(None, None, -1)", "step": "(1, -2, 1)"], data: [2, 5, 6])
        let node = try #require(model.node("Slice"))
        let places = try node.input.dropFirst().map { try #require(model.integers($0)) }
        #expect(places == [[4, 1], [-6, 5], [1, 2], [-2, 1]])
        #expect(
            try exported("slice_axis", ["axis": "1", "begin": "0", "end": "None"], data: [2, 5]).types == ["Identity"])
    }

    @Test func scalarsAreConstants() throws {
        let model = try exported("_rminus_scalar", ["scalar": "2.5"], data: [1, 2])
        let node = try #require(model.node("Sub"))
        #expect(node.input[1] == "data" && model.floats(node.input[0]) == [2.5])
        #expect(model.constant(node.input[0])?.dims == [])
        let greater = try exported("_greater_scalar", ["scalar": "1"], data: [1, 2])
        #expect(greater.types == ["Greater", "Cast"])
    }

    @Test func halfPrecisionRoundsAndContinuesInFloat32() throws {
        let model = try exported("Cast", ["dtype": "float16"], data: [1, 2])
        #expect(model.nodes.map { $0.int("to") } == [10, 1])
    }

    @Test func leakySlopesAreBroadcastOverImages() throws {
        let images = try exported("LeakyReLU", ["act_type": "prelu"], data: [1, 3, 4, 4])
        #expect(images.constants.map(\.dims) == [[3, 1, 1]])
        #expect(
            try exported("LeakyReLU", ["act_type": "rrelu"], data: [1, 3]).node("LeakyRelu")?.float("alpha") == 0.2295)
    }

    /// Every network is a graph whose nodes read existing values, each of which is written once.
    @Test(arguments: Networks.names) func networksAreWellFormed(_ name: String) throws {
        let side = name.hasPrefix("inception-v") || name.hasPrefix("inception-r") ? 299 : 224
        let channels = name == "lenet" || name == "mlp" ? 1 : 3
        let layers = ["resnet": 50, "resnet-v1": 50, "resnetv1": 18, "resnext": 50, "densenet": 121][name]
        let options = NetworkOptions(numClasses: 7, imageShape: [channels, side, side], numLayers: layers)
        let symbol = try Networks.symbol(name, options)
        let model = try exported(symbol, data: [1, channels, side, side]) { $0.ending = .probabilities }
        var known = Set(model.inputs.map(\.name) + model.constants.map(\.name))
        #expect(known.count == 1 + model.constants.count)
        for node in model.nodes {
            #expect(node.input.allSatisfy { $0.isEmpty || known.contains($0) }, "\(node.name)")
            for output in node.output { #expect(known.insert(output).inserted, "\(output)") }
        }
        #expect(Set(model.nodes.map(\.name)).count == model.nodes.count)
        #expect(model.outputs.map(\.shape) == [["N", "7"]])
        #expect(model.outputs.allSatisfy { known.contains($0.name) })
    }
}
