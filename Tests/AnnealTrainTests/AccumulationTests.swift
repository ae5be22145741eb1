import Anneal
import AnnealCompiler
import Testing

/// Gradients of several batches in one update.
@Suite struct AccumulationTests {
    private static let shape: Shape = [1, 8, 8]

    private static func trainer(
        batchSize: Int, accumulation: Int = 1, momentum: Double = 0.9, canDropSteps: Bool = false, start: Trainer? = nil
    ) throws -> Trainer {
        let network = try Networks.symbol("mlp", NetworkOptions(numClasses: 4, imageShape: [1, 8, 8]))
        let trainer = try Trainer(
            network, dataShape: shape, batchSize: batchSize,
            optimizer: try Optimizers.make("sgd", ["learning_rate": 0.1, "momentum": .number(momentum), "wd": 0.01]),
            accumulation: accumulation, canDropSteps: canDropSteps)
        try trainer.initialize(Xavier())
        for name in start?.parameters.names ?? [] {
            if let value = try start?.parameters.tensor(name) { try trainer.parameters.set(name, value) }
        }
        return trainer
    }

    private static func train(_ trainer: Trainer, samples: Range<Int>) throws {
        let source = RandomImages(shape: shape, count: samples.upperBound, batchSize: trainer.batchSize)
        source.start(epoch: 0, atBatch: samples.lowerBound / trainer.batchSize)
        let slot = try trainer.slot()
        while source.next(into: slot) > 0 { try trainer.step() }
    }

    private static func distance(_ a: Trainer, _ b: Trainer) throws -> Float {
        try a.parameters.names.map { name in
            let pairs = zip(try a.parameters.tensor(name).elements, try b.parameters.tensor(name).elements)
            return pairs.map { abs($0 - $1) }.max() ?? 0
        }.max() ?? 0
    }

    @Test func twoHalvesAreOneBatch() throws {
        let whole = try Self.trainer(batchSize: 16), halves = try Self.trainer(batchSize: 8, accumulation: 2)
        for trainer in [whole, halves] { try Self.train(trainer, samples: 0..<64) }
        #expect(halves.updates == 4)
        #expect(try Self.distance(whole, halves) < 1e-5)
        // The weights have changed at all.
        #expect(try Self.distance(whole, Self.trainer(batchSize: 16)) > 1e-3)
    }

    /// Three batches in groups of two: the last update has only one batch, and is not halved.
    @Test func theLastGroupOfAnEpochIsAveragedOverItsBatches() throws {
        let trainer = try Self.trainer(batchSize: 8, accumulation: 2, momentum: 0)
        let source = RandomImages(shape: Self.shape, count: 24, batchSize: 8)
        try trainer.fit(training: source, epochs: 0..<1)
        #expect(trainer.updates == 2)
        let first = try Self.trainer(batchSize: 16, momentum: 0)
        try Self.train(first, samples: 0..<16)
        let second = try Self.trainer(batchSize: 8, momentum: 0, start: first)
        try Self.train(second, samples: 16..<24)
        #expect(try Self.distance(trainer, second) < 1e-5)
    }

    @Test func aGroupContinuesFromAState() throws {
        let folder = try StateFolder()
        let whole = try Self.trainer(batchSize: 8, accumulation: 3, momentum: 0)
        try Self.train(whole, samples: 0..<16)
        try whole.saveState(to: folder.prefix, FitProgress(position: FitPosition(epoch: 0, batch: 2)))
        let other = try Self.trainer(batchSize: 8, accumulation: 3, momentum: 0)
        _ = try other.restoreState(folder.prefix)
        for trainer in [whole, other] { try Self.train(trainer, samples: 16..<24) }
        #expect(whole.updates == 1 && other.updates == 1)
        #expect(try Self.distance(whole, other) == 0)
    }

    /// The last batch's sum replaces a part of it, in groups of two and four: the group is dropped with its update, and
    /// the next one begins with its own sums.
    @Test(arguments: [2, 3, 4]) func aGroupWhoseUpdateBreaksWeightsIsDropped(accumulation: Int) throws {
        let group = 8 * accumulation
        func trainer() throws -> Trainer {
            try Self.trainer(batchSize: 8, accumulation: accumulation, canDropSteps: true)
        }
        let with = try trainer(), without = try trainer()
        try Self.train(with, samples: 0..<group)
        let settings = with.optimizer.settings, before = try with.stateHashes().map(\.hash)
        // Their product is beyond the largest float.
        (with.optimizer.settings.learningRate, with.optimizer.settings.weightDecay) = (1e38, 1e38)
        try Self.train(with, samples: group..<2 * group)
        #expect(with.updates == 1 && with.gathered == 0)
        #expect(try with.stateHashes().map(\.hash) == before)
        with.optimizer.settings = settings
        try Self.train(with, samples: 2 * group..<3 * group)
        try Self.train(without, samples: 0..<group)
        try Self.train(without, samples: 2 * group..<3 * group)
        #expect(with.updates == 2)
        #expect(try with.stateHashes().map(\.hash) == without.stateHashes().map(\.hash))
    }

    /// The sums of five batches are ((0+1)+(2+3))+4 to the bit, those of an epoch's last three (0+1)+2.
    @Test func gradientsAreAddedInABinaryTree() throws {
        let names = ["fc1_weight", "fc1_bias", "fc2_weight"]
        func gradients(_ batch: Int) throws -> [[Float]] {
            let trainer = try Trainer(
                Networks.symbol("mlp", NetworkOptions(numClasses: 4, imageShape: [1, 8, 8])), dataShape: Self.shape,
                batchSize: 8, optimizer: Optimizers.make("sgd", ["learning_rate": 0]), keepsGradients: true)
            try trainer.initialize(Xavier())
            try Self.train(trainer, samples: 8 * batch..<8 * (batch + 1))
            return try names.map { try #require(try trainer.gradient($0)).elements }
        }
        func sum(_ a: [[Float]], _ b: [[Float]]) -> [[Float]] { zip(a, b).map { zip($0, $1).map { $0 + $1 } } }
        let g = try (0..<5).map(gradients)
        for (batches, expected) in [
            (5, sum(sum(sum(g[0], g[1]), sum(g[2], g[3])), g[4])), (3, sum(sum(g[0], g[1]), g[2])),
        ] {
            let trainer = try Self.trainer(batchSize: 8, accumulation: 5, momentum: 0)
            try Self.train(trainer, samples: 0..<8 * batches)
            try trainer.updateRest()
            let found = try names.map {
                try #require(trainer.parameters.state(.gradientSum(level: 0, parameter: $0))).array.read().elements
            }
            #expect(found.map { $0.map(\.bitPattern) } == expected.map { $0.map(\.bitPattern) }, "\(batches)")
        }
    }
}
