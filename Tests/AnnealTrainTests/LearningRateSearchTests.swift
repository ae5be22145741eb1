import Anneal
import Testing

@Suite struct LearningRateSearchTests {
    @Test func aTrainerFollowsTheSearch() throws {
        let network = try Networks.symbol("mlp", NetworkOptions(numClasses: 4, imageShape: [1, 8, 8]))
        let trainer = try Trainer(
            network, dataShape: [1, 8, 8], batchSize: 8,
            optimizer: try Optimizers.make("sgd", ["learning_rate": 0.5]), accumulation: 2)
        try trainer.initialize(Xavier())
        var search = try LearningRateSearch(from: 1e-4, to: 1e-1, steps: 10), seen: [Double] = []
        // Two updates per epoch: the search spans several epochs.
        try trainer.search(&search, on: RandomImages(shape: [1, 8, 8], count: 32, batchSize: 8)) { _ in
            seen.append(trainer.optimizer.learningRate)
        }
        #expect(trainer.updates == 10)
        #expect(zip(seen, search.points).allSatisfy { abs($0 / $1.rate - 1) < 1e-12 })
        #expect(abs((search.points.last?.rate ?? 0) - 0.1) < 1e-9)
    }
}
