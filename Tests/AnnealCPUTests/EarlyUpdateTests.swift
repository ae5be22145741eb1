import Anneal
import AnnealCompiler
import Testing

/// Updates within the backward pass give the same bits as updates after it.
@Suite struct EarlyUpdateTests {
    /// Two large layers, one of which is used twice, and small ones.
    private func network() throws -> Symbol {
        let builder = SymbolBuilder()
        let shared = Symbol.variable("shared_weight"), bias = Symbol.variable("shared_bias")
        func layer(_ data: Symbol, _ name: String) throws -> Symbol {
            try builder.apply(
                "FullyConnected", name: name, inputs: [data, shared, bias], attributes: ["num_hidden": "160"])
        }
        let first = try builder.activation(layer(.variable("data"), "first"), .tanh)
        let second = try builder.activation(layer(first, "second"), .relu)
        let wide = try builder.activation(builder.fullyConnected(second, numHidden: 150, name: "wide"), .sigmoid)
        return try builder.softmaxOutput(builder.fullyConnected(wide, numHidden: 4, name: "narrow"), name: "softmax")
    }

    private func trainer(_ optimizer: Optimizer, keepsGradients: Bool) throws -> Trainer {
        let trainer = try Trainer(
            network(), dataShape: [160], batchSize: 8, optimizer: optimizer,
            recomputation: RecomputationTests.smallest, keepsGradients: keepsGradients)
        try trainer.initialize(Xavier())
        let slot = try trainer.slot()
        var random = Random(seed: 3, purpose: .test)
        for i in slot.data.indices { slot.data[i] = random.uniform(-1, 1) }
        for i in slot.labels.indices { slot.labels[i] = Float(random.below(4)) }
        return trainer
    }

    @Test(arguments: Optimizers.names.sorted())
    func givesTheSameBits(_ rule: String) throws {
        func run(keepsGradients: Bool) throws -> ([[UInt32]], OptimizerSnapshot) {
            let optimizer = try Optimizers.make(
                rule, ["learning_rate": 0.05, "wd": .number(rule == "groupadagrad" ? 0 : 0.01)],
                schedule: FactorScheduler(step: 2, factor: 0.5, baseRate: 0.05))
            let trainer = try trainer(optimizer, keepsGradients: keepsGradients)
            for _ in 0..<4 { try trainer.step() }
            let weights = try trainer.parameters.names.map {
                try trainer.parameters.tensor($0).elements.map(\.bitPattern)
            }
            return (weights, trainer.optimizer.snapshot())
        }
        let expected = try run(keepsGradients: true), early = try run(keepsGradients: false)
        #expect(early.0 == expected.0)
        #expect(early.1 == expected.1)
    }

    @Test func gradientsThatAreGoneAreRefused() throws {
        let early = try trainer(Optimizer(SGD()), keepsGradients: false)
        try early.step()
        #expect(throws: AnnealError.self) { try early.gradient("shared_weight") }
        #expect(try early.gradient("narrow_bias") != nil)
        let separate = try trainer(Optimizer(SGD()), keepsGradients: true)
        try separate.step()
        #expect(try separate.gradient("shared_weight") != nil)
        #expect(early.plannedBytes < separate.plannedBytes)
    }

    /// A weight that is used twice is updated once, after its last use.
    @Test func updatesFollowTheLastUse() throws {
        let executor = try Executor(
            network(), inputs: ["data": [8, 160]], mode: .training, recomputation: RecomputationTests.smallest,
            update: TrainingUpdate(SGD()), engine: defaultEngine())
        let program = executor.program
        #expect(program.updatedEarly.sorted() == ["shared_weight", "wide_weight"])
        for (index, instruction) in program.instructions.enumerated() {
            guard case .update(.update) = instruction.action else { continue }
            let touched = instruction.reads.map(\.value)
            let later = program.instructions[(index + 1)...].flatMap { $0.reads + $0.writes }.map(\.value)
            #expect(!later.contains { touched.contains($0) }, "\(instruction.layer) is used after its update")
        }
    }

    /// A branch without a gradient is recomputed from a weight before its update.
    @Test func recomputationsReadTheOldWeight() throws {
        let builder = SymbolBuilder()
        let data = Symbol.variable("data"), weight = Symbol.variable("w_weight")
        func layer(_ data: Symbol, _ name: String) throws -> Symbol {
            try builder.apply(
                "FullyConnected", name: name, inputs: [data, weight],
                attributes: ["num_hidden": "160", "no_bias": "True"])
        }
        let gate = try builder.apply("BlockGrad", name: "block", inputs: [layer(data, "gate")])
        let body = try builder.activation(layer(data, "body"), .tanh)
        let symbol = try builder.softmaxOutput(
            builder.fullyConnected(builder.elementwise(.multiply, body, gate), numHidden: 4, name: "head"),
            name: "softmax")
        func weights(_ recomputation: Recomputation, keepsGradients: Bool) throws -> [UInt32] {
            let trainer = try Trainer(
                symbol, dataShape: [160], batchSize: 8,
                optimizer: Optimizer(SGD(), settings: OptimizerSettings(learningRate: 0.5)),
                recomputation: recomputation, keepsGradients: keepsGradients)
            try trainer.initialize(Xavier())
            let slot = try trainer.slot()
            for i in slot.data.indices { slot.data[i] = Float(i % 7) - 3 }
            for _ in 0..<3 { try trainer.step() }
            return try trainer.parameters.tensor("w_weight").elements.map(\.bitPattern)
        }
        #expect(
            try weights(RecomputationTests.smallest, keepsGradients: false)
                == weights(.off, keepsGradients: true))
    }
}
