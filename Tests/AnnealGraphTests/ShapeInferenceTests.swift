import AnnealCore
import AnnealGraph
import Testing

@Suite struct ShapeInferenceTests {
    /// Operator, attributes, shapes of the first inputs, and by hand: those of the other inputs, and the first output.
    static let table: [(String, [String: String], [Shape], [Shape], Shape)] = [
        (
            "Convolution", ["kernel": "(3, 3)", "num_filter": "8"], [[2, 4, 9, 7]], [[8, 4, 3, 3], [8]], [2, 8, 7, 5]
        ),
        (
            "Convolution", ["kernel": "(3,)", "num_filter": "4", "num_group": "2", "stride": "(2,)", "no_bias": "1"],
            [[2, 4, 9]], [[4, 2, 3]], [2, 4, 4]
        ),
        (
            "Convolution",
            ["kernel": "(3, 3)", "num_filter": "1", "dilate": "(2, 2)", "pad": "(1, 1)", "no_bias": "True"],
            [[1, 1, 7, 7]], [[1, 1, 3, 3]], [1, 1, 5, 5]
        ),
        (
            "Deconvolution", ["kernel": "(4, 4)", "num_filter": "3", "stride": "(2, 2)", "pad": "(1, 1)"],
            [[2, 5, 3, 3]], [[5, 3, 4, 4]], [2, 3, 6, 6]
        ),
        (
            "Deconvolution", ["kernel": "(3, 3)", "num_filter": "2", "stride": "(2, 2)", "target_shape": "(8, 8)"],
            [[1, 2, 4, 4]], [[2, 2, 3, 3]], [1, 2, 8, 8]
        ),
        ("Pooling", ["kernel": "(3, 3)", "stride": "(2, 2)"], [[1, 2, 8, 8]], [], [1, 2, 3, 3]),
        (
            "Pooling", ["kernel": "(3, 3)", "stride": "(2, 2)", "pooling_convention": "full"], [[1, 2, 8, 8]], [],
            [1, 2, 4, 4]
        ),
        ("Pooling", ["global_pool": "True", "pool_type": "avg"], [[1, 2, 8, 5]], [], [1, 2, 1, 1]),
        ("FullyConnected", ["num_hidden": "5"], [[2, 3, 4]], [[5, 12], [5]], [2, 5]),
        ("FullyConnected", ["num_hidden": "5", "flatten": "False"], [[2, 3, 4]], [[5, 4], [5]], [2, 3, 5]),
        ("BatchNorm", [:], [[2, 3, 4, 4]], [[3], [3], [3], [3]], [2, 3, 4, 4]),
        ("BatchNorm", ["axis": "-1"], [[2, 3, 4]], [[4], [4], [4], [4]], [2, 3, 4]),
        ("LayerNorm", [:], [[2, 3]], [[3], [3]], [2, 3]),
        ("InstanceNorm", [:], [[2, 3, 4]], [[3], [3]], [2, 3, 4]),
        ("GroupNorm", ["num_groups": "2"], [[2, 4, 5, 3]], [[2], [2]], [2, 4, 5, 3]),
        ("LeakyReLU", ["act_type": "prelu"], [[2, 3, 4, 4]], [[3]], [2, 3, 4, 4]),
        ("SoftmaxOutput", [:], [[4, 10]], [[4]], [4, 10]),
        ("SoftmaxOutput", ["multi_output": "True"], [[4, 10, 3]], [[4, 3]], [4, 10, 3]),
        ("Concat", ["num_args": "2"], [[2, 3, 4], [2, 5, 4]], [], [2, 8, 4]),
        ("Concat", ["num_args": "2", "dim": "-1"], [[2, 3], [2, 5]], [], [2, 8]),
        ("add_n", ["num_args": "3"], [[2, 3]], [[2, 3], [2, 3]], [2, 3]),
        ("broadcast_add", [:], [[2, 1, 4], [1, 3, 1]], [], [2, 3, 4]),
        ("elemwise_mul", [:], [[2, 3]], [[2, 3]], [2, 3]),
        ("sum", [:], [[2, 3]], [], [1]),
        ("sum", ["axis": "1"], [[2, 3, 4]], [], [2, 4]),
        ("mean", ["axis": "(1, 2)", "keepdims": "True"], [[2, 3, 4]], [], [2, 1, 1]),
        ("mean", ["axis": "1", "exclude": "True"], [[2, 3, 4]], [], [3]),
        ("argmax", ["axis": "1"], [[2, 3]], [], [2]),
        ("topk", ["k": "2", "ret_typ": "value"], [[2, 5]], [], [2, 2]),
        ("Reshape", ["shape": "(-1, 0)"], [[2, 3, 4]], [], [8, 3]),
        ("Reshape", ["shape": "(0, -3, 0)"], [[2, 3, 4, 5]], [], [2, 12, 5]),
        ("Reshape", ["shape": "(-4, 2, -1, -2)"], [[6, 5, 4]], [], [2, 3, 5, 4]),
        ("Reshape", ["shape": "(-1, 0)", "reverse": "True"], [[2, 3, 4]], [], [6, 4]),
        ("Flatten", [:], [[2, 3, 4]], [], [2, 12]),
        ("expand_dims", ["axis": "-1"], [[2, 3]], [], [2, 3, 1]),
        ("squeeze", [:], [[1, 2, 1]], [], [2]),
        ("transpose", [:], [[2, 3, 4]], [], [4, 3, 2]),
        ("transpose", ["axes": "(0, 2, 1)"], [[2, 3, 4]], [], [2, 4, 3]),
        ("SwapAxis", ["dim1": "0", "dim2": "2"], [[2, 3, 4]], [], [4, 3, 2]),
        ("slice", ["begin": "(0, 1)", "end": "(2, None)"], [[4, 6]], [], [2, 5]),
        ("slice", ["begin": "(None, 4)", "end": "(None, 0)", "step": "(1, -2)"], [[4, 6]], [], [4, 2]),
        ("slice_axis", ["axis": "-1", "begin": "-3", "end": "-1"], [[4, 6]], [], [4, 2]),
        ("SliceChannel", ["num_outputs": "3"], [[2, 6, 4]], [], [2, 2, 4]),
        ("dot", [:], [[2, 3], [3, 4]], [], [2, 4]),
        ("dot", ["transpose_a": "True", "transpose_b": "True"], [[3, 2], [4, 3]], [], [2, 4]),
        ("batch_dot", ["transpose_b": "True"], [[5, 2, 3], [5, 4, 3]], [], [5, 2, 4]),
        ("Embedding", ["input_dim": "5", "output_dim": "3"], [[2, 4]], [[5, 3]], [2, 4, 3]),
        ("take", ["axis": "1"], [[2, 3, 4], [5, 6]], [], [2, 5, 6, 4]),
        ("one_hot", ["depth": "7"], [[2, 3]], [], [2, 3, 7]),
        ("pick", [:], [[2, 3]], [[2]], [2]),
        ("tile", ["reps": "(2, 3)"], [[4, 5]], [], [8, 15]),
        ("repeat", ["repeats": "2", "axis": "1"], [[4, 5]], [], [4, 10]),
        ("stack", ["num_args": "2", "axis": "1"], [[4, 5]], [[4, 5]], [4, 2, 5]),
        ("Pad", ["mode": "edge", "pad_width": "(0, 0, 0, 0, 1, 2, 3, 4)"], [[1, 2, 3, 4]], [], [1, 2, 6, 11]),
        ("UpSampling", ["scale": "2", "sample_type": "nearest"], [[1, 2, 3, 4]], [], [1, 2, 6, 8]),
        ("SpatialTransformer", transformer, [[2, 3, 9, 9], [2, 6]], [], [2, 3, 5, 4]),
    ]
    private static let transformer = [
        "target_shape": "(5, 4)", "transform_type": "affine", "sampler_type": "bilinear",
    ]

    @Test(arguments: table.indices) func byHand(_ row: Int) throws {
        let (name, attributes, given, others, output) = Self.table[row]
        let op = try OperatorRegistry.make(name, attributes)
        let names = op.inputNames + op.auxiliaryNames
        try #require(names.count == given.count + others.count)
        var inputs = given.map { Optional($0) } + others.map { _ in nil }
        let outputs = try op.inferShapes(&inputs)
        #expect(inputs == (given + others).map { Optional($0) }, "\(name) \(attributes)")
        #expect(outputs?.first == output, "\(name) \(attributes)")
        #expect(outputs?.count == op.outputNames.count)
        // Unknown data gives no shapes and no crash.
        var unknown = [Shape?](repeating: nil, count: names.count)
        #expect(try op.inferShapes(&unknown) == nil)
    }

    @Test func misfitsAreErrorsThatNameTheLayer() throws {
        let net = SymbolBuilder()
        let symbol = try net.convolution(.variable("data"), numFilter: 4, kernel: [3, 3], numGroup: 2, name: "conv")
        #expect(message { _ = try symbol.inferShapes(["data": [1, 3, 8, 8]]) }?.contains("layer conv") == true)
        #expect(message { _ = try symbol.inferShapes(["data": [1, 4, 2, 2]]) }?.contains("layer conv") == true)
        #expect(message { _ = try symbol.inferShapes(["data": [1, 4]]) }?.contains("layer conv") == true)
        #expect(message { _ = try symbol.inferShapes([:]) }?.contains("data") == true)
        #expect(
            message { _ = try symbol.inferShapes(["data": []]) }?.contains("input data: has a shape without") == true)
        #expect(message { _ = try symbol.inferShapes(["data": [1, 4, 8, 8], "conv_weight": [4, 4, 3, 3]]) } != nil)
    }

    /// MXNet writes an unknown shape as an empty tuple, or with an extent of 0.
    @Test(arguments: ["()", "(0, 3)"]) func unknownDeclaredShapes(text: String) throws {
        let weight = Node(operation: nil, name: "w", attributes: ["__shape__": text])
        let fc = try SymbolBuilder().apply(
            "FullyConnected", name: "fc", inputs: [.variable("data"), Symbol([Entry(weight)])],
            attributes: ["num_hidden": "2", "no_bias": "True"])
        #expect(try fc.inferShapes(["data": [1, 3]]).variables["w"] == [2, 3])
    }

    @Test func everyOperatorSurvivesShapesThatDoNotFit() {
        let shapes: [Shape] = [[1], [2, 3], [2, 3, 4], [1, 2, 3, 4], [2, 2, 2, 2, 2]]
        let attributes: [String: [String: String]] = Dictionary(
            Self.table.map { ($0.0, $0.1) }, uniquingKeysWith: { first, _ in first })
        for name in OperatorRegistry.names {
            guard let op = try? OperatorRegistry.make(name, attributes[name] ?? [:]) else { continue }
            for shape in shapes {
                var one = [Shape?](repeating: nil, count: op.inputNames.count + op.auxiliaryNames.count)
                one[0] = shape
                _ = try? op.inferShapes(&one)
                for other in shapes {
                    var all = [Shape?](repeating: other, count: one.count)
                    all[0] = shape
                    _ = try? op.inferShapes(&all)
                }
            }
        }
    }

    /// Attributes whose products with each other or with the data overflow.
    @Test(arguments: [
        ("Convolution", ["kernel": "(1099511627775,)", "dilate": "(1099511627775,)", "num_filter": "1"]),
        ("Convolution", ["kernel": "(1048576,)", "pad": "(1048576,)", "num_filter": "1099511627775"]),
        ("Deconvolution", ["kernel": "(3,)", "stride": "(1099511627775,)", "num_filter": "1"]),
        ("Pooling", ["kernel": "(1099511627775,)", "pad": "(1099511627774,)"]),
        ("tile", ["reps": "(1099511627775, 1099511627775, 1099511627775)"]),
        ("repeat", ["repeats": "1099511627775"]),
        ("depth_to_space", ["block_size": "1099511627775"]),
        ("Reshape", ["shape": "(1099511627775, 1099511627775, -1)"]),
        ("Reshape", ["shape": "(-4, 1099511627775, 1099511627775, -2)"]),
        ("Embedding", ["input_dim": "1099511627775", "output_dim": "1099511627775"]),
    ]) func numbersTooLargeAreRefused(operation: String, attributes: [String: String]) throws {
        let data = Node(operation: nil, name: "data")
        #expect(throws: AnnealError.self) {
            let op = try OperatorRegistry.make(operation, attributes)
            let others = op.inputNames.dropFirst().map { Entry(Node(operation: nil, name: $0)) }
            let layer = Node(
                operation: operation, name: "layer", attributes: attributes, inputs: [Entry(data)] + others)
            _ = try NetworkSummary(Symbol(layer), inputs: ["data": [2, 4, 6]])
        }
    }

    /// 2^80 elements from two shapes that are not too large individually.
    @Test func reshapeLikeOfTooMany() throws {
        let net = SymbolBuilder()
        let like = try net.apply(
            "reshape_like", name: "like", inputs: [.variable("a"), .variable("b")],
            attributes: ["lhs_begin": "0", "lhs_end": "0"])
        #expect(throws: AnnealError.self) {
            _ = try like.inferShapes(["a": [1 << 20, 1 << 20], "b": [1 << 20, 1 << 20]])
        }
    }

    @Test func noNameIsTakenTwice() throws {
        // Each name and alias refers to one operator, which knows its own name.
        for name in OperatorRegistry.names { #expect(OperatorRegistry.canonicalName(name) == name) }
        #expect(Set(OperatorRegistry.names).count == OperatorRegistry.names.count)
        #expect(OperatorRegistry.canonicalName("Softmax") == "SoftmaxOutput")
        #expect(OperatorRegistry.canonicalName("crop") == "slice")
    }

    @Test func gradientsReadWhatThereIs() {
        let attributes: [String: [String: String]] = Dictionary(
            Self.table.map { ($0.0, $0.1) }, uniquingKeysWith: { first, _ in first })
        for name in OperatorRegistry.names {
            guard let op = try? OperatorRegistry.make(name, attributes[name] ?? [:]) else { continue }
            let inputs = op.inputNames.count + op.auxiliaryNames.count
            #expect(op.storedOutputCount >= op.outputNames.count, "\(name)")
            #expect(Set(op.backward.flatMap(\.writes)).count == op.backward.flatMap(\.writes).count, "\(name)")
            for part in op.backward {
                #expect(part.writes.allSatisfy { (0..<inputs).contains($0) }, "\(name)")
                for read in part.reads {
                    switch read {
                    case .input(let index): #expect(index < inputs, "\(name)")
                    case .output(let index), .outputGradient(let index):
                        #expect(index < op.outputNames.count, "\(name)")
                    case .saved: break
                    }
                }
            }
        }
    }
}
