import Anneal
import AnnealReference
import AnnealXLA
import Testing

/// The CPU engine's kernels, and programs compiled by XLA, compared with the reference engine's loops: outputs,
/// gradients and auxiliary states.
@Suite struct ReferenceComparisonTests {
    enum Subject: String, CaseIterable {
        case cpu, xla

        /// The available engines: XLA needs a plugin (`make plugin NAME=cpu`).
        static let here: [Subject] = {
            if (try? Subject.xla.make()) != nil { return allCases }
            print("skipped: comparisons of the xla engine (no plugin; 'make plugin NAME=cpu' installs it)")
            return [.cpu]
        }()

        func make() throws -> any Engine {
            switch self {
            case .cpu: try defaultEngine()
            case .xla: try Accelerators.engine("xla-cpu", indexes: [0])
            }
        }

        /// XLA's functions are less accurate.
        var factor: Float { self == .cpu ? 1 : 5 }
    }

    /// Everything that a training step computes, by name.
    private func step(
        _ symbol: Symbol, _ shapes: [String: Shape], values: [String: Tensor], wanted: Set<String>,
        on engine: any Engine
    ) throws -> [String: Tensor] {
        let executor = try Executor(symbol, inputs: shapes, mode: .training, gradients: wanted, engine: engine)
        executor.seed = 3
        executor.step = 5
        for name in executor.parameters.names {
            try executor.parameters.set(name, try #require(values[name], "no value of \(name)"))
        }
        for name in executor.inputNames where values[name] != nil { try executor.setInput(name, values[name]!) }
        for output in symbol.outputs.indices {
            guard let count = executor.input("head:\(output)")?.count else { continue }
            let shape = executor.outputShapes[output]
            try executor.setInput(
                "head:\(output)", Tensor(shape, spread(count, -1.2, 1.1, seed: UInt64(90 + output))))
        }
        // A single program, on engines that compile programs.
        try executor.run([.forward, .backward])
        var result: [String: Tensor] = [:]
        for output in symbol.outputs.indices { result["output \(output)"] = try executor.output(output) }
        for name in wanted { result["gradient of \(name)"] = try executor.gradient(name) }
        for name in executor.parameters.names { result[name] = try executor.parameters.tensor(name) }
        return result
    }

    private func compare(
        _ symbol: Symbol, _ shapes: [String: Shape], values: [String: Tensor], wanted: Set<String>,
        of subject: Subject, within tolerance: Float = 2e-5
    ) throws {
        let tolerance = tolerance * subject.factor
        let found = try step(symbol, shapes, values: values, wanted: wanted, on: subject.make())
        let expected = try step(symbol, shapes, values: values, wanted: wanted, on: ReferenceEngine())
        #expect(found.keys.sorted() == expected.keys.sorted())
        for (name, expected) in expected {
            guard let found = found[name] else { continue }
            #expect(found.shape == expected.shape)
            let scale = max(expected.elements.map(abs).max() ?? 0, 1e-3)
            let error = zip(found.elements, expected.elements).map { abs($0 - $1) }.max() ?? 0
            #expect(error <= tolerance * scale, "\(name): off by \(error) at a scale of \(scale)")
        }
    }

    @Test(arguments: GradientCase.all + GradientCase.withoutSlope, Subject.here)
    func operators(_ item: GradientCase, _ subject: Subject) throws {
        let symbol = apply(
            item.operation, item.attributes, to: item.inputs.map(\.name) + item.auxiliary.map(\.0),
            outputs: item.outputs)
        var values: [String: Tensor] = [:]
        for (number, (name, shape)) in item.inputs.enumerated() {
            let shift = 0.021 * Float(number)
            let elements =
                item.indices[name].map { limit in (0..<shape.count).map { Float(($0 * 7 + 1) % limit) } }
                ?? spread(shape.count, item.range.0 + shift, item.range.1 + shift, seed: UInt64(number + 1))
            values[name] = Tensor(shape, elements)
        }
        for (name, shape) in item.auxiliary { values[name] = Tensor(shape, repeating: 1) }
        let shapes = Dictionary(uniqueKeysWithValues: item.inputs.map { ($0.name, $0.shape) })
        try compare(
            symbol, shapes, values: values, wanted: Set(shapes.keys).subtracting(item.indices.keys), of: subject)
    }

    /// Layers with random channels, kernels, strides and groups, between batch norms, so that blocked layouts, fusion and
    /// sums of gradients are part of it.
    @Test(arguments: 0..<24) func layers(_ seed: Int) throws { try compareLayers(seed, of: .cpu) }

    /// Compilation takes a second or two.
    @Test(.enabled(if: Subject.here.contains(.xla)), arguments: 100..<110)
    func layersOnXLA(_ seed: Int) throws { try compareLayers(seed, of: .xla) }

    private func compareLayers(_ seed: Int, of subject: Subject) throws {
        var random = Random(seed: UInt64(seed), purpose: .test)
        let group = [1, 1, 2, 8][random.below(4)], channels = group * [1, 2, 3, 4][random.below(4)]
        let filters = group * (1 + random.below(5)), side = 5 + random.below(6)
        let kernel = 1 + random.below(3), stride = 1 + random.below(2), pad = random.below(2)
        let data: Shape = [1 + random.below(3), channels, side, side + 1]
        let builder = SymbolBuilder()
        // Without a bias, whose gradient before a batch norm is rounding noise.
        var net = try builder.convolution(
            .variable("data"), numFilter: channels, kernel: [1, 1], noBias: true, name: "first")
        net = try builder.batchNorm(net, fixGamma: false, eps: 0.01, name: "norm")
        net = try builder.activation(net, .relu)
        let convolved = try builder.convolution(
            net, numFilter: filters, kernel: [kernel, kernel], stride: [stride, stride], pad: [pad, pad],
            numGroup: group, noBias: random.bool(), name: "second")
        let joined = try builder.batchNorm(convolved, fixGamma: random.bool(), eps: 0.01, name: "last")
        var parts = [joined]
        // The value before the batch norm is read twice.
        try parts.append(builder.activation(builder.add(joined, convolved), .relu))
        if random.bool() {
            try parts.append(
                builder.deconvolution(
                    parts[1], numFilter: 2 * group, kernel: [3, 3], stride: [2, 2], numGroup: group, name: "up"))
        }
        let kinds: [Pooling.Kind] = [.max, .avg]
        try parts.append(
            builder.pooling(
                parts[1], kind: kinds[random.below(2)], kernel: [2, 2], stride: [1 + random.below(2), 1],
                convention: random.bool() ? "full" : nil))
        let symbol = Symbol.group(parts)
        let shapes = try symbol.inferShapes(["data": data]).variables
        let values = shapes.reduce(into: [String: Tensor]()) { values, item in
            let tensor = normal(item.value, seed: UInt64(seed), name: item.key)
            let positive = item.key.hasSuffix("gamma") || item.key.hasSuffix("var")
            values[item.key] =
                positive ? Tensor(tensor.shape, tensor.elements.map { abs($0) + 0.5 }) : tensor
        }
        try compare(
            symbol, ["data": data], values: values, wanted: Set(try symbol.argumentNames()), of: subject, within: 1e-4)
    }

    /// A whole small training: the weights of both engines stay close.
    @Test(arguments: Subject.here) func training(_ subject: Subject) throws {
        let builder = SymbolBuilder()
        var net = try builder.convolution(.variable("data"), numFilter: 8, kernel: [3, 3], pad: [1, 1], name: "c0")
        net = try builder.activation(builder.batchNorm(net, fixGamma: false, name: "n0"), .relu)
        net = try builder.dropout(
            builder.pooling(net, kind: .max, kernel: [2, 2], stride: [2, 2]), p: 0.2, name: "d0")
        net = try builder.softmaxOutput(
            builder.fullyConnected(builder.flatten(net), numHidden: 3, name: "fc"), name: "softmax")
        let images = normal([12, 2, 6, 6], seed: 8)
        func weights(_ engine: any Engine) throws -> [String: Tensor] {
            let optimizer = try Optimizers.make("sgd", ["learning_rate": 0.1, "momentum": 0.9, "wd": 1e-4])
            let trainer = try Trainer(
                net, dataShape: [2, 6, 6], batchSize: 4, optimizer: optimizer, seed: 4, engine: engine)
            try trainer.initialize(Xavier(.gaussian, factor: .fanIn, magnitude: 2))
            let labels = Tensor([12], (0..<12).map { Float($0 % 3) })
            let source = try InMemorySource(data: images, labels: labels, batchSize: 4)
            try trainer.fit(training: source, validation: source, epochs: 0..<3)
            return try trainer.parameters.names.reduce(into: [:]) { $0[$1] = try trainer.parameters.tensor($1) }
        }
        let found = try weights(subject.make()), expected = try weights(ReferenceEngine())
        for (name, expected) in expected {
            let scale = max(expected.elements.map(abs).max() ?? 0, 1e-2)
            let error = zip(found[name]?.elements ?? [], expected.elements).map { abs($0 - $1) }.max() ?? .infinity
            #expect(error <= 1e-4 * scale, "\(name): off by \(error) at a scale of \(scale)")
        }
    }
}

extension GradientCase {
    /// Losses and operators without a derivative, which finite differences cannot check.
    static let withoutSlope: [GradientCase] =
        [
            "BlockGrad", "zeros_like", "ones_like", "sign", "round", "rint", "ceil", "floor", "trunc", "fix",
            "logical_not",
        ]
        .map { GradientCase(operation: $0, inputs: [("data", [3, 4])], range: (-2.6, 2.6)) }
        + ["LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput"].map {
            GradientCase(operation: $0, inputs: [("data", [3, 4]), ("label", [3, 4])])
        }
        + [[:], ["multi_output": "True"], ["normalization": "batch"], ["use_ignore": "True", "ignore_label": "1"]].map {
            let positions = $0["multi_output"] == nil ? [] : [5]
            return GradientCase(
                operation: "SoftmaxOutput", attributes: $0,
                inputs: [("data", Shape([3, 4] + positions)), ("softmax_label", Shape([3] + positions))],
                indices: ["softmax_label": 4])
        }
        + [
            GradientCase(
                operation: "SVMOutput", inputs: [("data", [3, 4]), ("svm_label", [3])], indices: ["svm_label": 4]),
            GradientCase(operation: "MakeLoss", attributes: ["grad_scale": "0.3"], inputs: [("data", [3, 4])]),
            GradientCase(operation: "make_loss", inputs: [("data", [3, 4])]),
            GradientCase(operation: "argmax", attributes: ["axis": "1"], inputs: [("data", [3, 4])]),
            GradientCase(operation: "argmin", attributes: ["axis": "0"], inputs: [("data", [3, 4])]),
            GradientCase(operation: "argsort", inputs: [("data", [3, 4])]),
            GradientCase(
                operation: "one_hot", attributes: ["depth": "4"], inputs: [("indices", [5])], indices: ["indices": 4]),
            GradientCase(operation: "topk", attributes: ["k": "2", "ret_typ": "mask"], inputs: [("data", [3, 5])]),
            GradientCase(
                operation: "_equal_scalar", attributes: ["scalar": "1"], inputs: [("data", [5])], indices: ["data": 3]),
            GradientCase(
                operation: "broadcast_greater", inputs: [("lhs", [2, 3]), ("rhs", [1, 3])],
                indices: ["lhs": 3, "rhs": 2]),
            GradientCase(operation: "reshape_like", inputs: [("lhs", [2, 6]), ("rhs", [3, 4])]),
            GradientCase(operation: "slice_like", inputs: [("data", [4, 5]), ("shape_like", [2, 3])]),
            GradientCase(operation: "broadcast_like", inputs: [("lhs", [1, 3]), ("rhs", [4, 3])]),
        ]
}
