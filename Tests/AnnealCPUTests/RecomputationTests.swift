import Anneal
import Testing

/// Recomputation needs less memory and gives the same bits.
@Suite struct RecomputationTests {
    /// As little memory as possible, whatever the work.
    static let smallest = Recomputation(share: 1, price: 0)

    static let networks: [(String, Int?, Shape)] = [
        ("resnext", 20, [3, 28, 28]), ("resnext", 164, [3, 28, 28]), ("resnet", 20, [3, 28, 28]),
        ("mobilenetv2", nil, [3, 64, 64]), ("inception-bn", nil, [3, 28, 28]), ("lenet", nil, [1, 28, 28]),
        ("squeezenet", nil, [3, 64, 64]), ("densenet", 121, [3, 32, 32]), ("alexnet", nil, [3, 224, 224]),
        ("googlenet", nil, [3, 224, 224]),
    ]

    /// Outputs, weights and states after some steps.
    private func bits(
        _ symbol: Symbol, _ shape: Shape, _ recomputation: Recomputation, keepsGradients: Bool, planned: inout Int
    ) throws -> [[UInt32]] {
        let optimizer = try Optimizers.make("sgd", ["learning_rate": 0.05, "momentum": 0.9, "wd": 1e-4])
        let trainer = try Trainer(
            symbol, dataShape: shape, batchSize: 3, optimizer: optimizer, seed: 7, recomputation: recomputation,
            keepsGradients: keepsGradients)
        try trainer.initialize(Xavier(.gaussian, factor: .fanIn, magnitude: 2))
        var random = Random(seed: 3, purpose: .test)
        let slot = try trainer.slot()
        for i in slot.data.indices { slot.data[i] = random.uniform(-1, 1) }
        for i in slot.labels.indices { slot.labels[i] = Float(random.below(10)) }
        for _ in 0..<2 { try trainer.step() }
        planned = trainer.plannedBytes
        return try trainer.parameters.names.map { try trainer.parameters.tensor($0).elements.map(\.bitPattern) }
    }

    /// With dropout, local response normalisation, concatenations, chains of additions, several shapes of convolutions.
    @Test(arguments: networks.indices)
    func givesTheSameBits(_ index: Int) throws {
        let (name, layers, image) = Self.networks[index]
        let symbol = try Networks.symbol(
            name, NetworkOptions(numClasses: 10, imageShape: image.dims, numLayers: layers))
        var plain = 0, small = 0, early = 0
        let expected = try bits(symbol, image, .off, keepsGradients: true, planned: &plain)
        #expect(try bits(symbol, image, Self.smallest, keepsGradients: true, planned: &small) == expected)
        #expect(try bits(symbol, image, Self.smallest, keepsGradients: false, planned: &early) == expected)
        #expect(small < plain && early <= small)
    }

    /// A dropout that is recomputed draws the same mask, and the next step another.
    @Test func dropoutDrawsTheSameMaskAgain() throws {
        let builder = SymbolBuilder()
        var body = Symbol.variable("data")
        body = try builder.convolution(body, numFilter: 8, kernel: [3, 3], name: "conv")
        for layer in 0..<8 {
            body = try builder.dropout(builder.activation(body, .tanh, name: "t\(layer)"), p: 0.4, name: "d\(layer)")
        }
        body = try builder.fullyConnected(builder.flatten(body), numHidden: 10, name: "fc")
        let symbol = try builder.softmaxOutput(body, name: "softmax")
        var plain = 0, small = 0
        let expected = try bits(symbol, [3, 20, 20], .off, keepsGradients: true, planned: &plain)
        #expect(try bits(symbol, [3, 20, 20], Self.smallest, keepsGradients: true, planned: &small) == expected)
        #expect(small < plain)
    }

    /// Recomputation reads the statistics and writes nothing but its own values.
    @Test func repeatsNeitherStatisticsNorLayouts() throws {
        let symbol = try Networks.symbol(
            "resnext", NetworkOptions(numClasses: 10, imageShape: [3, 28, 28], numLayers: 20))
        let program = try Executor(
            symbol, inputs: ["data": [2, 3, 28, 28]], mode: .training, recomputation: .init(share: 1, price: 0)
        ).program
        var repeated = 0
        for instruction in program.instructions {
            guard case .recompute(let op) = instruction.action else { continue }
            repeated += 1
            #expect(op.operation != "relayout")
            #expect(instruction.writes.allSatisfy { program.values[$0.value].kind == .temporary })
            guard op.operation.hasSuffix("BatchNorm") else { continue }
            #expect(instruction.reading(.saved(0)) != nil && instruction.writing(.saved(0)) == nil)
        }
        #expect(repeated > 10)
    }

    /// The networks that Anneal is measured with, in bytes of the plan.
    @Test func plansOfTheBenchmarksAreSmall() throws {
        func planned(
            _ name: String, _ layers: Int, image: Shape, batch: Int, trunk: Shape? = nil,
            _ recomputation: Recomputation = .cheap
        ) throws -> Double {
            let symbol = try Networks.symbol(
                name, NetworkOptions(numClasses: 10, imageShape: (trunk ?? image).dims, numLayers: layers))
            let trainer = try Trainer(
                symbol, dataShape: image, batchSize: batch, optimizer: Optimizer(SGD()), recomputation: recomputation)
            return Double(trainer.plannedBytes) / 1_048_576
        }
        let cheap = try planned("resnext", 110, image: [3, 28, 28], batch: 128)
        #expect(cheap < 430)
        #expect(try planned("resnext", 110, image: [3, 28, 28], batch: 128, .full) < cheap / 2)
        #expect(try planned("resnext", 164, image: [3, 28, 28], batch: 64) < 700)
        #expect(try planned("resnext", 101, image: [3, 28, 28], batch: 128, trunk: [3, 224, 224]) < 220)
        #expect(try planned("resnet", 50, image: [3, 224, 224], batch: 16) < 520)
    }
}
