import Anneal
import Testing

@Suite struct MemoryNeedOfTrainingTests {
    private func trainer(momentum: Double = 0, averaging: WeightAveraging? = nil) throws -> Trainer {
        let network = try Networks.symbol("mlp", NetworkOptions(numClasses: 4, imageShape: [1, 8, 8]))
        return try Trainer(
            network, dataShape: [1, 8, 8], batchSize: 8,
            optimizer: try Optimizers.make("sgd", ["learning_rate": 0.5, "momentum": .number(momentum)]),
            averaging: averaging, keepsGradients: true)
    }

    /// 64 x 128 + 128, 128 x 64 + 64 and 64 x 4 + 4 floats, possibly padded to whole blocks.
    @Test func whatDependsOnTheFlagsIsCounted() throws {
        let floats = 16_836
        let plain = try trainer().memoryNeed().bytes
        let momentum = try trainer(momentum: 0.9).memoryNeed().bytes - plain
        #expect((4 * floats..<5 * floats).contains(momentum))
        #expect(try trainer(averaging: .movingAverage(decay: 0.9)).memoryNeed().bytes == plain + momentum)
        #expect(try trainer().memoryNeed(views: .mirror).bytes == plain + 4 * 8 * 64)
        let scoring = try trainer()
        try scoring.planScoring()
        #expect(scoring.memoryNeed().bytes > plain)
    }
}
