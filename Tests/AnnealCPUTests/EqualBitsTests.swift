import Anneal
import Testing

/// No bit depends on the number of threads. The shapes are large enough that kernels divide their work.
@Suite(.serialized) struct EqualBitsTests {
    private static let threads = [1, 2, 3, 8]

    /// The results of `compute`, by name, are the same for every number of threads.
    private func expectEqual(
        _ name: String, sourceLocation: SourceLocation = #_sourceLocation, _ compute: () throws -> [String: Tensor]
    ) throws {
        let before = Parallel.threads
        defer { Parallel.setThreads(before) }
        var expected: [String: [UInt32]] = [:]
        for count in Self.threads {
            Parallel.setThreads(count)
            let found = try compute().mapValues { $0.elements.map(\.bitPattern) }
            if expected.isEmpty { expected = found }
            let odd = found.filter { $0.value != expected[$0.key] }.keys.sorted()
            #expect(odd.isEmpty, "\(name), \(count) threads: \(odd)", sourceLocation: sourceLocation)
        }
    }

    // MARK: operators

    /// Outputs, gradients and auxiliary states of one step.
    private func step(_ symbol: Symbol, _ item: GradientCase) throws -> [String: Tensor] {
        let shapes = Dictionary(uniqueKeysWithValues: item.inputs.map { ($0.name, $0.shape) })
        let wanted = Set(shapes.keys).subtracting(item.indices.keys)
        let executor = try Executor(symbol, inputs: shapes, mode: .training, gradients: wanted, engine: defaultEngine())
        func value(_ name: String, _ shape: Shape) -> Tensor {
            if let limit = item.indices[name] {
                return Tensor(shape, (0..<shape.count).map { Float(($0 * 7 + 1) % limit) })
            }
            var value = normal(shape, seed: 60, name: name)
            if name.hasSuffix("var") { value.elements = value.elements.map { abs($0) + 0.5 } }
            return value
        }
        for name in executor.parameters.names {
            try executor.parameters.set(name, value(name, try #require(executor.parameters.shape(name))))
        }
        for name in executor.inputNames where shapes[name] != nil {
            try executor.setInput(name, value(name, try #require(shapes[name])))
        }
        for output in symbol.outputs.indices where executor.input("head:\(output)") != nil {
            try executor.setInput("head:\(output)", normal(executor.outputShapes[output], seed: 61))
        }
        try executor.forward()
        var result: [String: Tensor] = [:]
        for output in symbol.outputs.indices { result["output \(output)"] = try executor.output(output) }
        try executor.backward()
        for name in wanted { result["gradient of \(name)"] = try executor.gradient(name) }
        for (name, _) in item.auxiliary { result[name] = try executor.parameters.tensor(name) }
        return result
    }

    @Test(arguments: cases)
    func operators(_ item: GradientCase) throws {
        let symbol = apply(
            item.operation, item.attributes, to: item.inputs.map(\.name) + item.auxiliary.map(\.0),
            outputs: item.outputs)
        try expectEqual("\(item) \(item.inputs.map(\.shape))") { try step(symbol, item) }
    }

    private static let cases: [GradientCase] = convolutions + products + others

    private static func convolution(
        _ data: Shape, _ filters: Int, _ kernel: [Int], stride: Int = 1, pad: Int = 0, groups: Int = 1,
        up: Bool = false
    ) -> GradientCase {
        func text(_ values: [Int]) -> String { "(\(values.map(String.init).joined(separator: ", ")))" }
        let weight = up ? [data[1], filters / groups] : [filters, data[1] / groups]
        return GradientCase(
            operation: up ? "Deconvolution" : "Convolution",
            attributes: [
                "kernel": text(kernel), "num_filter": "\(filters)", "stride": text(kernel.map { _ in stride }),
                "pad": text(kernel.map { _ in pad }), "num_group": "\(groups)", "no_bias": "False",
            ],
            inputs: [("data", data), ("weight", Shape(weight + kernel)), ("bias", [filters])])
    }

    /// Our own kernels, and oneDNN's: other numbers of axes, deconvolutions, odd groups.
    private static let convolutions: [GradientCase] = [
        convolution([16, 3, 24, 24], 16, [3, 3], pad: 1), convolution([12, 3, 32, 32], 20, [7, 7], stride: 2, pad: 3),
        convolution([16, 16, 28, 28], 24, [3, 3], pad: 1), convolution([6, 64, 14, 14], 64, [3, 3], pad: 1),
        convolution([12, 20, 12, 12], 50, [5, 5]), convolution([20, 32, 8, 8], 48, [1, 1]),
        convolution([16, 24, 15, 15], 32, [3, 3], stride: 2, pad: 1),
        convolution([9, 32, 14, 14], 32, [3, 3], pad: 1, groups: 32),
        convolution([9, 64, 10, 10], 64, [3, 3], pad: 1, groups: 8),
        convolution([8, 12, 10, 10], 18, [3, 3], pad: 1, groups: 3),
        convolution([8, 6, 12, 12], 6, [3, 3], pad: 1, groups: 6),
        convolution([16, 16, 300], 24, [5], pad: 2), convolution([16, 3, 300], 5, [5], stride: 2),
        convolution([16, 1, 600], 8, [9], stride: 3), convolution([7, 24, 200], 32, [1]),
        convolution([4, 16, 8, 12, 12], 16, [3, 3, 3], pad: 1),
        convolution([5, 3, 8, 12, 12], 10, [3, 3, 3], stride: 2),
        convolution([1, 16, 8, 12, 12], 32, [3, 3, 3], pad: 1), convolution([3, 5, 6, 9, 9], 7, [2, 3, 3], pad: 1),
        convolution([2, 32, 6, 8, 8], 48, [1, 1, 1]),
        convolution([8, 16, 10, 10], 16, [4, 4], stride: 2, pad: 1, up: true),
        convolution([8, 5, 10, 10], 7, [3, 3], stride: 2, up: true),
        convolution([5, 32, 9, 9], 3, [4, 4], stride: 2, pad: 1, up: true),
        convolution([6, 16, 9, 9], 16, [4, 4], stride: 2, groups: 16, up: true),
        convolution([1, 21, 12, 12], 21, [8, 8], stride: 4, up: true),
        convolution([6, 16, 100], 8, [4], stride: 2, up: true),
        convolution([3, 8, 4, 6, 6], 8, [3, 3, 3], stride: 2, up: true),
    ]

    private static let products: [GradientCase] =
        [(64, 300, 500), (128, 2048, 10), (16, 9216, 96), (1, 4096, 1000), (256, 64, 64)].map { rows, width, hidden in
            GradientCase(
                operation: "FullyConnected", attributes: ["num_hidden": "\(hidden)"],
                inputs: [("data", [rows, width]), ("weight", [hidden, width]), ("bias", [hidden])])
        }
        + [
            GradientCase(operation: "dot", inputs: [("lhs", [70, 5000]), ("rhs", [5000, 30])]),
            GradientCase(
                operation: "dot", attributes: ["transpose_a": "True", "transpose_b": "True"],
                inputs: [("lhs", [3000, 40]), ("rhs", [90, 3000])]),
            GradientCase(operation: "batch_dot", inputs: [("lhs", [12, 60, 64]), ("rhs", [12, 64, 80])]),
            GradientCase(
                operation: "batch_dot", attributes: ["transpose_b": "True"],
                inputs: [("lhs", [2, 40, 3000]), ("rhs", [2, 70, 3000])]),
        ]

    private static let others: [GradientCase] =
        [[32, 16, 14, 14], [64, 40, 6, 6], [128, 24], [6, 3, 30, 30], [16, 9, 4, 5, 6]].map { (data: Shape) in
            let channel: Shape = [data[1]]
            return GradientCase(
                operation: "BatchNorm", attributes: ["fix_gamma": "False", "eps": "0.01"],
                inputs: [("data", data), ("gamma", channel), ("beta", channel)],
                auxiliary: [("moving_mean", channel), ("moving_var", channel)])
        }
        + [
            GradientCase(
                operation: "InstanceNorm", attributes: ["eps": "0.01"],
                inputs: [("data", [8, 12, 20, 20]), ("gamma", [12]), ("beta", [12])]),
            GradientCase(
                operation: "GroupNorm", attributes: ["num_groups": "4", "eps": "0.01"],
                inputs: [("data", [8, 12, 20, 20]), ("gamma", [4]), ("beta", [4])]),
            GradientCase(
                operation: "LayerNorm", attributes: ["eps": "0.01"],
                inputs: [("data", [300, 70]), ("gamma", [70]), ("beta", [70])]),
            GradientCase(operation: "LRN", attributes: ["nsize": "5"], inputs: [("data", [8, 20, 14, 14])]),
            GradientCase(operation: "L2Normalization", inputs: [("data", [40, 600])]),
            GradientCase(
                operation: "LeakyReLU", attributes: ["act_type": "prelu"],
                inputs: [("data", [16, 20, 14, 14]), ("gamma", [20])]),
            GradientCase(operation: "sum", attributes: ["axis": "(0, 2)"], inputs: [("data", [40, 20, 60])]),
            GradientCase(operation: "mean", inputs: [("data", [40, 20, 60])]),
            GradientCase(operation: "norm", inputs: [("data", [300, 100])]),
            GradientCase(operation: "broadcast_mul", inputs: [("lhs", [60, 20, 30]), ("rhs", [1, 20, 1])]),
            GradientCase(
                operation: "Embedding", attributes: ["input_dim": "9", "output_dim": "40"],
                inputs: [("data", [64, 12]), ("weight", [9, 40])], indices: ["data": 9]),
            GradientCase(operation: "take", inputs: [("a", [9, 50]), ("indices", [500])], indices: ["indices": 9]),
            GradientCase(operation: "softmax", attributes: ["axis": "1"], inputs: [("data", [40, 30, 21])]),
            GradientCase(operation: "log_softmax", inputs: [("data", [200, 103])]),
            GradientCase(
                operation: "softmax_cross_entropy", inputs: [("data", [300, 90]), ("label", [300])],
                indices: ["label": 90]),
            GradientCase(
                operation: "SoftmaxOutput", inputs: [("data", [300, 90]), ("softmax_label", [300])],
                indices: ["softmax_label": 90]),
            GradientCase(
                operation: "Pooling",
                attributes: ["pool_type": "avg", "kernel": "(3, 3)", "stride": "(2, 2)", "pad": "(1, 1)"],
                inputs: [("data", [16, 20, 15, 15])]),
            GradientCase(
                operation: "Pooling", attributes: ["pool_type": "max", "kernel": "(3, 3)", "stride": "(2, 2)"],
                inputs: [("data", [16, 20, 15, 15])]),
            GradientCase(
                operation: "Pooling", attributes: ["pool_type": "avg", "global_pool": "True", "kernel": "(1, 1)"],
                inputs: [("data", [16, 20, 15, 15])]),
        ]
        + ["sigmoid", "tanh", "exp", "erf", "softsign"].map {
            GradientCase(operation: $0, inputs: [("data", [70, 211])])
        }
        + [("Activation", "softrelu"), ("LeakyReLU", "elu"), ("LeakyReLU", "gelu")].map {
            GradientCase(operation: $0, attributes: ["act_type": $1], inputs: [("data", [70, 19, 11])])
        }

    // MARK: whole runs

    /// Three steps: weights, moving statistics and the network's output after them.
    private func train(_ net: Symbol, _ data: Shape, batch: Int) throws -> [String: Tensor] {
        let optimizer = try Optimizers.make("sgd", ["learning_rate": 0.05, "momentum": 0.9, "wd": 1e-4])
        optimizer.settings.clipNorm = 50
        let trainer = try Trainer(
            net, dataShape: data, batchSize: batch, optimizer: optimizer, seed: 4, engine: defaultEngine())
        try trainer.initialize(Xavier(.gaussian, factor: .fanIn, magnitude: 2))
        let source = try InMemorySource(
            data: normal(Shape([3 * batch] + data.dims), seed: 8),
            labels: Tensor([3 * batch], (0..<3 * batch).map { Float($0 % 5) }), batchSize: batch)
        try trainer.fit(training: source, validation: source, epochs: 0..<1)
        return try trainer.parameters.names.reduce(into: [:]) { $0[$1] = try trainer.parameters.tensor($1) }
    }

    /// Convolutions of every kind between batch norms, with and without ReLU and a sum.
    @Test func convolutionalNetwork() throws {
        let builder = SymbolBuilder()
        func norm(_ net: Symbol, relu: Bool = true, _ name: String) throws -> Symbol {
            let norm = try builder.batchNorm(net, fixGamma: false, name: "\(name)_norm")
            return relu ? try builder.activation(norm, .relu, name: "\(name)_relu") : norm
        }
        func conv(
            _ net: Symbol, _ filters: Int, _ kernel: Int, stride: Int = 1, groups: Int? = nil, _ name: String
        ) throws -> Symbol {
            try builder.convolution(
                net, numFilter: filters, kernel: [kernel, kernel], stride: [stride, stride],
                pad: [kernel / 2, kernel / 2], numGroup: groups, noBias: true, name: name)
        }
        let image = Symbol.variable("data")
        let first = try norm(conv(image, 16, 3, "image"), "image")
        let inner = try norm(conv(first, 16, 3, "winograd"), relu: false, "winograd")
        var net = try builder.activation(builder.add(inner, first), .relu, name: "joined")
        net = try norm(conv(net, 32, 3, stride: 2, "strided"), "strided")
        net = try norm(conv(net, 32, 3, groups: 32, "depthwise"), "depthwise")
        net = try norm(conv(net, 64, 1, "pointwise"), "pointwise")
        net = try norm(conv(net, 64, 3, groups: 8, "grouped"), "grouped")
        let skip = net
        net = try norm(conv(net, 64, 3, "wide"), "wide")
        net = try norm(builder.add(conv(net, 64, 1, "last"), skip), "sum")
        net = try builder.deconvolution(net, numFilter: 16, kernel: [4, 4], stride: [2, 2], pad: [1, 1], name: "up")
        net = try norm(conv(net, 20, 5, "large"), "large")
        net = try builder.pooling(net, kind: .max, kernel: [2, 2], stride: [2, 2])
        net = try builder.dropout(builder.fullyConnected(builder.flatten(net), numHidden: 100, name: "hidden"), p: 0.2)
        net = try builder.softmaxOutput(builder.fullyConnected(net, numHidden: 5, name: "fc"), name: "softmax")
        try expectEqual("network") { try train(net, [3, 20, 20], batch: 8) }
    }

    /// LeNet's layers, with biases, and local response normalisation.
    @Test func networkWithBiases() throws {
        let builder = SymbolBuilder()
        var net = try builder.convolution(.variable("data"), numFilter: 20, kernel: [5, 5], name: "c0")
        net = try builder.pooling(builder.activation(net, .tanh), kind: .max, kernel: [2, 2], stride: [2, 2])
        net = try builder.apply("LRN", name: "lrn", inputs: [net], attributes: ["nsize": "5"])
        net = try builder.convolution(net, numFilter: 50, kernel: [5, 5], name: "c1")
        net = try builder.pooling(builder.activation(net, .tanh), kind: .avg, kernel: [2, 2], stride: [2, 2])
        net = try builder.fullyConnected(builder.flatten(net), numHidden: 500, name: "f0")
        net = try builder.fullyConnected(builder.activation(net, .tanh), numHidden: 5, name: "f1")
        let symbol = try builder.softmaxOutput(net, name: "softmax")
        try expectEqual("network with biases") { try train(symbol, [1, 28, 28], batch: 16) }
    }
}
