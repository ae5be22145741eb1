import Anneal
import Foundation
import Testing

/// What inference does differently from the forward pass of training.
@Suite struct InferenceTests {
    static func operations(_ executor: Executor) -> [String] {
        executor.program.instructions.compactMap { $0.action.op?.operation }.filter { $0 != "relayout" }
    }

    static func largestDifference(_ a: Tensor, _ b: Tensor) -> Float {
        let scale = b.elements.reduce(0) { max($0, abs($1)) }
        return zip(a.elements, b.elements).reduce(0) { max($0, abs($1.0 - $1.1)) } / scale
    }

    // MARK: what is joined

    @Test func convolutionsTakeWhatFollows() throws {
        let symbol = try Networks.symbol(
            "resnet-v1", NetworkOptions(numClasses: 10, imageShape: [3, 64, 64], numLayers: 18))
        let executor = try Executor(symbol, inputs: ["data": [1, 3, 64, 64]], mode: .inference)
        #expect(
            Set(Self.operations(executor))
                == ["Convolution", "fused Convolution", "Pooling", "Flatten", "FullyConnected", "SoftmaxOutput"])
        let adding = executor.program.instructions.count {
            $0.action.op?.operation == "fused Convolution" && $0.reading(.input(3)) != nil
        }
        #expect(adding == 8)
        #expect((executor.kernelPlan?.steps ?? []).allSatisfy { $0.reorders == 0 })
    }

    @Test func valuesThatOthersReadStay() throws {
        let builder = SymbolBuilder()
        let convolution = try builder.convolution(.variable("data"), numFilter: 8, kernel: [1, 1], name: "c")
        let norm = try builder.batchNorm(convolution, name: "n")
        let twice = try Symbol.group([builder.activation(norm, .relu), norm, convolution])
        let executor = try Executor(twice, inputs: ["data": [2, 3, 4, 4]], mode: .inference)
        #expect(Self.operations(executor) == ["Convolution", "fused BatchNorm", "Activation"])
    }

    /// A value that is read after the addition cannot be added to in place.
    @Test func additionsOfLivingValuesStay() throws {
        let builder = SymbolBuilder()
        let data = try builder.activation(.variable("data"), .relu)
        let sum = try builder.add(builder.convolution(data, numFilter: 3, kernel: [1, 1], name: "c"), data)
        let executor = try Executor(
            builder.add(builder.activation(sum, .relu), data), inputs: ["data": [2, 3, 4, 4]], mode: .inference)
        #expect(Self.operations(executor).contains("fused addition"))
    }

    /// The channels that pad a block must stay zero.
    @Test(arguments: [(-1, 2, 1), (1, 2, 2), (-2, -1, 2)])
    func convolutionsTakeLimitsAroundZero(_ low: Int, _ high: Int, _ operations: Int) throws {
        let builder = SymbolBuilder()
        let convolution = try builder.convolution(.variable("data"), numFilter: 5, kernel: [3, 3], name: "c")
        let executor = try Executor(
            builder.clip(convolution, from: low, to: high), inputs: ["data": [2, 3, 6, 6]], mode: .inference)
        #expect(Self.operations(executor).count == operations)
    }

    // MARK: the numbers

    /// The same network with batch norm's moving statistics in training, where nothing is folded, and without dropout.
    static func unfolded(_ symbol: Symbol) -> Symbol {
        var copies: [ObjectIdentifier: Node] = [:]
        for node in symbol.nodes {
            var attributes = node.attributes
            if node.operation == "BatchNorm" { attributes["use_global_stats"] = "True" }
            if node.operation == "Dropout" { attributes["p"] = "0" }
            let inputs = node.inputs.compactMap { entry in
                copies[ObjectIdentifier(entry.node)].map { Entry($0, entry.index, version: entry.version) }
            }
            copies[ObjectIdentifier(node)] = Node(
                operation: node.operation, name: node.name, attributes: attributes, inputs: inputs)
        }
        return Symbol(
            symbol.outputs.compactMap { entry in
                copies[ObjectIdentifier(entry.node)].map { Entry($0, entry.index, version: entry.version) }
            })
    }

    /// Weights that keep activations bounded, and statistics other than the identity.
    static func initialize(_ parameters: ParameterStore) throws {
        let initializer = Xavier(.gaussian, factor: .fanIn, magnitude: 2)
        for name in parameters.names {
            guard let shape = parameters.shape(name) else { continue }
            var value = normal(shape, seed: 4, name: name)
            if name.hasSuffix("weight") {
                value = try initializer.parameter(name, shape, attributes: [:], seed: 4)
            } else if name.hasSuffix("gamma") || name.hasSuffix("var") {
                value.elements = value.elements.map { 1 + $0 / 2 }
            }
            try parameters.set(name, value)
        }
    }

    static let networks: [(String, Int?, Shape)] = [
        ("resnet", 20, [3, 28, 28]), ("resnet-v1", 50, [3, 64, 64]), ("resnext", 164, [3, 28, 28]),
        ("mobilenetv2", nil, [3, 64, 64]), ("inception-bn", nil, [3, 28, 28]), ("squeezenet", nil, [3, 64, 64]),
        ("lenet", nil, [1, 28, 28]), ("vgg", 11, [3, 32, 32]),
    ]

    /// Values before the softmax, which would hide differences.
    @Test(arguments: networks.indices)
    func foldedIsUnfolded(_ index: Int) throws {
        let batch = 3
        let (name, layers, image) = Self.networks[index]
        var options = NetworkOptions(numClasses: 10, imageShape: image.dims)
        options.numLayers = layers
        let network = try Networks.symbol(name, options)
        let logits = Symbol([network.outputs[0].node.inputs[0]])
        let inputs = ["data": Shape([batch] + image.dims)]
        let executor = try Executor(logits, inputs: inputs, mode: .inference)
        let plain = try Executor(Self.unfolded(logits), inputs: inputs, mode: .training)
        let data = normal(Shape([batch] + image.dims), seed: 3)
        for executor in [executor, plain] {
            try Self.initialize(executor.parameters)
            try executor.setInput("data", data)
            try executor.forward()
        }
        #expect(Self.largestDifference(try executor.output(), try plain.output()) < 5e-5)
    }

    @Test func deconvolutionAndFullyConnectedFold() throws {
        let symbol = try Symbol(json: Data(Self.otherLayers.utf8))
        let inputs: [String: Shape] = ["data": [2, 6, 5, 5]]
        let executor = try Executor(symbol, inputs: inputs, mode: .inference)
        let plain = try Executor(Self.unfolded(symbol), inputs: inputs, mode: .training)
        for executor in [executor, plain] {
            try fill(executor, seed: 6)
            try executor.forward()
        }
        #expect(!Self.operations(executor).contains { $0.hasSuffix("BatchNorm") })
        #expect(Self.largestDifference(try executor.output(), try plain.output()) < 1e-5)
    }

    /// Deconvolution in two groups with a bias, and a fully connected layer without a bias, each with batch norm.
    static let otherLayers = """
        {"nodes": [
        {"op": "null", "name": "data", "inputs": []},
        {"op": "null", "name": "d_weight", "inputs": []}, {"op": "null", "name": "d_bias", "inputs": []},
        {"op": "Deconvolution", "name": "d", "attrs": {"kernel": "(3, 3)", "num_filter": "10", "num_group": "2", \
        "no_bias": "False"}, "inputs": [[0, 0, 0], [1, 0, 0], [2, 0, 0]]},
        {"op": "null", "name": "n_gamma", "inputs": []}, {"op": "null", "name": "n_beta", "inputs": []},
        {"op": "null", "name": "n_moving_mean", "inputs": []}, {"op": "null", "name": "n_moving_var", "inputs": []},
        {"op": "BatchNorm", "name": "n", "attrs": {"fix_gamma": "False"}, \
        "inputs": [[3, 0, 0], [4, 0, 0], [5, 0, 0], [6, 0, 1], [7, 0, 1]]},
        {"op": "null", "name": "f_weight", "inputs": []},
        {"op": "FullyConnected", "name": "f", "attrs": {"num_hidden": "7", "no_bias": "True"}, \
        "inputs": [[8, 0, 0], [9, 0, 0]]},
        {"op": "null", "name": "m_gamma", "inputs": []}, {"op": "null", "name": "m_beta", "inputs": []},
        {"op": "null", "name": "m_moving_mean", "inputs": []}, {"op": "null", "name": "m_moving_var", "inputs": []},
        {"op": "BatchNorm", "name": "m", "inputs": [[10, 0, 0], [11, 0, 0], [12, 0, 0], [13, 0, 1], [14, 0, 1]]}
        ], "arg_nodes": [0, 1, 2, 4, 5, 6, 7, 9, 11, 12, 13, 14], "heads": [[15, 0, 0]], \
        "attrs": {"mxnet_version": ["int", 10901]}}
        """

    // MARK: parameters that change

    static let small = NetworkOptions(numClasses: 4, imageShape: [3, 16, 16], numLayers: 8)

    /// Scoring between two training steps uses the weights and statistics of that moment.
    @Test func scoringSeesCurrentWeights() throws {
        let symbol = try Networks.symbol("resnet", Self.small)
        let optimizer = try Optimizers.make("sgd", ["learning_rate": 0.1, "momentum": 0.9])
        let trainer = try Trainer(symbol, dataShape: [3, 16, 16], batchSize: 4, optimizer: optimizer)
        try trainer.initialize(Xavier(.gaussian, factor: .fanIn, magnitude: 2))
        let source = try InMemorySource(
            data: normal([8, 3, 16, 16], seed: 1), labels: Tensor([8], (0..<8).map { Float($0 % 4) }), batchSize: 4)
        let slot = try trainer.slot()
        var scores: [Double] = []
        for step in 0..<3 {
            source.start(epoch: step, atBatch: 0)
            _ = source.next(into: slot)
            try trainer.step()
            let score = try trainer.score(source, metrics: CompositeMetric([CrossEntropy()]))[0].value
            let fresh = try Scorer(symbol, dataShape: [3, 16, 16], batchSize: 4)
            for name in fresh.parameters.names { try fresh.parameters.set(name, trainer.parameters.tensor(name)) }
            #expect(try fresh.score(source, metrics: CompositeMetric([CrossEntropy()]))[0].value == score)
            scores.append(score)
        }
        #expect(Set(scores).count == 3)
    }

    @Test func parametersThatWereGivenBackAreMissed() throws {
        let symbol = try Networks.symbol("resnet", Self.small)
        let inputs: [String: Shape] = ["data": [1, 3, 16, 16]]
        let executor = try Executor(symbol, inputs: inputs, mode: .inference, keepsParameters: false)
        try fill(executor, seed: 2)
        try executor.forward()
        let first = try executor.output()
        try executor.forward()
        #expect(try executor.output() == first)
        #expect(throws: AnnealError.self) { try executor.parameters.tensor("conv0_weight") }
        #expect(throws: AnnealError.self) {
            try Executor(symbol, inputs: inputs, mode: .inference, parameters: executor.parameters).forward()
        }
        // Setting some parameters is not enough; setting all is.
        try executor.parameters.set("conv0_weight", Tensor(executor.parameters.shape("conv0_weight") ?? []))
        #expect(throws: AnnealError.self) { try executor.forward() }
        try fill(executor, seed: 2)
        try executor.forward()
        #expect(try executor.output() == first)
    }
}
