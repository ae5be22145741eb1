import Anneal
import Testing

/// What a trainer's timeline records.
struct TimelineTests {
    private static func trainer(keepsGradients: Bool) throws -> Trainer {
        let network = try Networks.symbol("mlp", NetworkOptions(numClasses: 10, imageShape: [1, 28, 28]))
        let optimizer = try Optimizers.make("sgd", ["learning_rate": 0.1, "momentum": 0.9])
        let trainer = try Trainer(
            network, dataShape: [1, 28, 28], batchSize: 4, optimizer: optimizer, keepsGradients: keepsGradients)
        try trainer.initialize(Xavier())
        return trainer
    }

    @Test func recordsItsStepsOnly() throws {
        let trainer = try Self.trainer(keepsGradients: false)
        let timeline = Timeline(steps: 1..<3)
        trainer.timeline = timeline
        for _ in 0..<4 { try trainer.step() }
        // Every operation of the plan except the checks, which `step` omits.
        let operations = trainer.training.operations.filter { !["finite check", "copy"].contains($0.kind) }
        #expect(timeline.spans.count == 2 * operations.count)
        #expect(Set(timeline.spans.map(\.step)) == [1, 2])
        #expect(zip(timeline.spans, timeline.spans.dropFirst()).allSatisfy { $0.end <= $1.begin })
    }

    /// Copies of layers' outputs, taken while the step runs. Layers of constants, computed by hand: 0 * x + 2, then 128
    /// * 2 / 4, and ten equally likely classes.
    @Test func outputsOfOperations() throws {
        let trainer = try Self.trainer(keepsGradients: false)
        for (name, value) in [
            ("fc1_weight", Float(0)), ("fc1_bias", 2), ("fc2_weight", 0.25), ("fc2_bias", 0), ("fc3_weight", 0),
            ("fc3_bias", 0),
        ] {
            let shape = try trainer.parameters.tensor(name).shape
            try trainer.parameters.set(name, Tensor(shape, Array(repeating: value, count: shape.count)))
        }
        var outputs: [String: Tensor] = [:]
        let timeline = Timeline(steps: 0..<1)
        trainer.timeline = timeline
        trainer.afterOperation = { [unowned trainer] operation in
            for (name, values) in (try? trainer.training.outputs(of: operation)) ?? [] { outputs[name] = values }
        }
        try trainer.step()
        for (name, count, value) in [
            ("fc1_output", 4 * 128, Float(2)), ("fc2_output", 4 * 64, 64), ("softmax_output", 40, 0.1),
        ] {
            let found = try #require(outputs[name], "\(outputs.keys)")
            #expect(found.count == count && found.elements.allSatisfy { abs($0 - value) < 1e-6 * value }, "\(name)")
        }
        // Both look at each operation.
        #expect(timeline.spans.count > outputs.count)
        trainer.afterOperation = nil
        outputs = [:]
        try trainer.step()
        #expect(outputs.isEmpty)
    }

    /// Every parameter is updated once, in the backward pass or after it: momentum and weight are read and written, the
    /// gradient is read.
    @Test(arguments: [false, true]) func updatesMoveEveryParameterOnce(keepsGradients: Bool) throws {
        let trainer = try Self.trainer(keepsGradients: keepsGradients)
        let timeline = Timeline(steps: 0..<1)
        trainer.timeline = timeline
        try trainer.step()
        let updates = timeline.spans.map(\.operation).filter { $0.phase == .update }
        #expect(updates.count > 1 || keepsGradients)
        #expect(updates.reduce(0) { $0 + $1.bytes } == Double(trainer.parameters.parameterCount * 4 * 5))
    }
}
