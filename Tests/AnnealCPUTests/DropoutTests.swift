import Anneal
import Testing

@Suite struct DropoutTests {
    private func mask(_ shape: Shape, name: String = "drop", step: Int = 0, seed: UInt64 = 1) throws -> [Float] {
        let symbol = try SymbolBuilder().dropout(.variable("data"), p: 0.3, name: name)
        let executor = try Executor(symbol, inputs: ["data": shape], mode: .training)
        executor.seed = seed
        executor.step = step
        try executor.setInput("data", Tensor(shape, repeating: 1))
        try executor.forward()
        return try executor.output().elements
    }

    @Test func keepsTheRightShare() throws {
        let values = try mask([64, 1000])
        #expect(Set(values) == [0, 1 / 0.7])
        let kept = Float(values.count { $0 != 0 }) / Float(values.count)
        #expect(abs(kept - 0.7) < 0.01)
    }

    @Test func dependsOnSeedLayerAndStepAlone() throws {
        let first = try mask([8, 100])
        #expect(try mask([8, 100]) == first)
        #expect(try mask([8, 100], step: 1) != first)
        #expect(try mask([8, 100], seed: 2) != first)
        #expect(try mask([8, 100], name: "other") != first)
        // A sample's mask does not depend on the number of samples after it.
        #expect(try Array(mask([3, 100])) == Array(first.prefix(300)))
    }

    @Test func threadsDoNotMatter() throws {
        let threads = Parallel.threads
        defer { Parallel.setThreads(threads) }
        Parallel.setThreads(1)
        let one = try mask([64, 37, 5, 5])
        Parallel.setThreads(3)
        #expect(try mask([64, 37, 5, 5]) == one)
    }

    /// Blocked channels get the same mask as plain ones.
    @Test func layoutsDoNotMatter() throws {
        let builder = SymbolBuilder()
        let conv = try builder.convolution(
            .variable("data"), numFilter: 24, kernel: [1, 1], noBias: true, name: "c")
        let executor = try Executor(
            builder.dropout(conv, p: 0.3, name: "drop"), inputs: ["data": [2, 1, 5, 5]], mode: .training)
        executor.seed = 1
        try executor.parameters.set("c_weight", Tensor([24, 1, 1, 1], repeating: 1))
        try executor.setInput("data", Tensor([2, 1, 5, 5], repeating: 1))
        try executor.forward()
        #expect(try executor.output().elements == mask([2, 24, 5, 5]))
    }

    @Test func inferenceIsTheIdentity() throws {
        let symbol = try SymbolBuilder().dropout(.variable("data"), p: 0.3)
        let executor = try Executor(symbol, inputs: ["data": [2, 3]], mode: .inference)
        try executor.setInput("data", Tensor([2, 3], [1, 2, 3, 4, 5, 6]))
        try executor.forward()
        #expect(try executor.output().elements == [1, 2, 3, 4, 5, 6])
    }

    @Test func trainingDrawsAnewInEachStep() throws {
        func gradients(seed: UInt64) throws -> [Tensor?] {
            let builder = SymbolBuilder()
            let dropped = try builder.dropout(.variable("data"), p: 0.5, name: "drop")
            let head = try builder.fullyConnected(dropped, numHidden: 2, name: "fc")
            let trainer = try Trainer(
                builder.softmaxOutput(head, name: "softmax"), dataShape: [50], batchSize: 2,
                optimizer: Optimizer(SGD(), settings: OptimizerSettings(learningRate: 0)), seed: seed)
            try trainer.initialize(Xavier())
            try trainer.slot().data.update(repeating: 1)
            return try (0..<2).map { _ in
                try trainer.step()
                return try trainer.gradient("fc_weight")
            }
        }
        let first = try gradients(seed: 1)
        #expect(first[0] != first[1])
        #expect(try gradients(seed: 1) == first)
        #expect(try gradients(seed: 2)[0] != first[0])
    }
}
