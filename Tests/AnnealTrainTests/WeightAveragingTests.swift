import Anneal
import Foundation
import Testing

/// Averaged weights compared with plain training.
@Suite struct WeightAveragingTests {
    private typealias Values = [String: Tensor]

    private static func trainer(_ averaging: WeightAveraging? = nil, frozen: Set<String> = []) throws -> Trainer {
        let network = try Networks.symbol(
            "resnet", NetworkOptions(numClasses: 4, imageShape: [3, 28, 28], numLayers: 8))
        // Without momentum a step depends only on the weights and the batch.
        let trainer = try Trainer(
            network, dataShape: [3, 28, 28], batchSize: 4,
            optimizer: try Optimizers.make("sgd", ["learning_rate": 0.1]), frozen: frozen, averaging: averaging)
        try trainer.initialize(Xavier())
        return trainer
    }

    private static func train(_ trainer: Trainer, _ steps: Range<Int>) throws {
        let slot = try trainer.slot()
        for step in steps {
            var random = Random(seed: 1, purpose: .test, index: step)
            for i in slot.data.indices { slot.data[i] = random.uniform(-2, 2) }
            for i in slot.labels.indices { slot.labels[i] = Float(random.below(4)) }
            try trainer.step()
        }
    }

    private static func values(_ trainer: Trainer) throws -> Values {
        try Dictionary(uniqueKeysWithValues: trainer.parameters.names.map { ($0, try trainer.parameters.tensor($0)) })
    }

    /// What plain training makes of these values.
    private static func trained(_ start: Values, _ steps: Range<Int>) throws -> Values {
        let trainer = try trainer()
        for (name, value) in start { try trainer.parameters.set(name, value) }
        try train(trainer, steps)
        return try values(trainer)
    }

    /// slow + part * (fast - slow)
    private static func between(_ slow: Values, _ fast: Values, _ part: Float) -> Values {
        slow.merging(fast) { slow, fast in
            Tensor(slow.shape, zip(slow.elements, fast.elements).map { $0 + part * ($1 - $0) })
        }
    }

    @Test func lookaheadGoesAPartOfTheWay() throws {
        let trainer = try Self.trainer(.lookahead(every: 3, alpha: .constant(0.25)))
        let begin = try Self.values(trainer)
        try Self.train(trainer, 0..<2)
        #expect(try Self.values(trainer) == Self.trained(begin, 0..<2))
        try Self.train(trainer, 2..<3)
        let first = Self.between(begin, try Self.trained(begin, 0..<3), 0.25)
        #expect(try Self.values(trainer) == first)
        try Self.train(trainer, 3..<6)
        #expect(try Self.values(trainer) == Self.between(first, Self.trained(first, 3..<6), 0.25))
        // The moving statistics have changed, too.
        #expect(first["bn_data_moving_mean"] != begin["bn_data_moving_mean"])
    }

    @Test func lookaheadEndsWithTheSlowWeights() throws {
        let trainer = try Self.trainer(.lookahead(every: 2, alpha: .cubic))
        trainer.lastUpdate = 3
        let begin = try Self.values(trainer)
        try Self.train(trainer, 0..<2)
        // 0.95^5 = 0.7737809375, times (2/3)^3
        let slow = Self.between(begin, try Self.trained(begin, 0..<2), Float(1 - 0.7737809375 * 8 / 27))
        #expect(try Self.values(trainer) == slow)
        try Self.train(trainer, 2..<3)
        #expect(try Self.values(trainer) != slow)
        try trainer.endRun()
        #expect(try Self.values(trainer) == slow)
    }

    /// After updates 1 and 2 the fraction kept is 2/11 and 3/12, less than 0.9.
    @Test func movingAverageIsWhatIsValidatedAndSaved() throws {
        let folder = NSTemporaryDirectory() + "anneal-average-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let trainer = try Self.trainer(.movingAverage(decay: 0.9))
        let begin = try Self.values(trainer)
        let source = RandomImages(shape: [3, 28, 28], count: 8, batchSize: 4)
        let report = try trainer.fit(
            training: source, validation: source, epochs: 0..<1, options: FitOptions(modelPrefix: folder + "/m"))

        let plain = try Self.trainer()
        let slot = try plain.slot()
        var average = begin
        source.start(epoch: 0, atBatch: 0)
        for part in [9.0 / 11, 9.0 / 12] {
            _ = source.next(into: slot)
            try plain.step()
            average = Self.between(average, try Self.values(plain), Float(part))
        }
        // The trained weights are the same as without an average.
        #expect(try Self.values(trainer) == Self.values(plain))
        let saved = try Checkpoint.load(prefix: folder + "/m", epoch: 1)
        #expect(saved.arguments.merging(saved.auxiliary) { $1 } == average)
        // What a user saves in their own loop is what `fit` saves.
        let weights = try Self.values(trainer)
        try trainer.save(prefix: folder + "/own", epoch: 1)
        #expect(try Checkpoint.load(prefix: folder + "/own", epoch: 1).arguments == saved.arguments)
        #expect(try Self.values(trainer) == weights)
        let scorer = try Scorer(trainer.symbol, dataShape: [3, 28, 28], batchSize: 4)
        try saved.restore(scorer.parameters, place: "saved")
        let metrics = CompositeMetric([Accuracy(), CrossEntropy()])
        #expect(try scorer.score(source, metrics: metrics) == report[0].validation)
    }

    @Test func movingAverageNeverKeepsMoreThanItsDecay() throws {
        let trainer = try Self.trainer(.movingAverage(decay: 0.15))
        let begin = try Self.values(trainer)
        try Self.train(trainer, 0..<1)
        let expected = Self.between(begin, try Self.values(trainer), 0.85)
        #expect(try trainer.withValidatedWeights { try Self.values(trainer) } == expected)
    }

    @Test func averagesContinueFromAState() throws {
        let folder = try StateFolder()
        for averaging in [
            WeightAveraging.movingAverage(decay: 0.5), .lookahead(every: 4, alpha: .constant(0.5)),
        ] {
            let whole = try Self.trainer(averaging), first = try Self.trainer(averaging)
            try Self.train(whole, 0..<8)
            try Self.train(first, 0..<6)
            try first.saveState(to: folder.prefix, FitProgress(position: FitPosition(epoch: 1)))
            let second = try Self.trainer(averaging)
            _ = try second.restoreState(folder.prefix)
            try Self.train(second, 6..<8)
            #expect(try Self.values(second) == Self.values(whole))
            #expect(
                try second.withValidatedWeights { try Self.values(second) }
                    == whole.withValidatedWeights { try Self.values(whole) })
        }
    }

    @Test func threadsDoNotMatter() throws {
        let threads = Parallel.threads
        defer { Parallel.setThreads(threads) }
        let results = try [1, 3].map { count in
            Parallel.setThreads(count)
            let trainer = try Self.trainer(.lookahead(every: 1, alpha: .constant(0.5)), frozen: ["conv0_weight"])
            for name in trainer.parameters.names {
                let shape = trainer.parameters.shape(name) ?? []
                try trainer.parameters.set(name, Tensor(shape, noise(shape.count, 7)))
            }
            try Self.train(trainer, 0..<2)
            return try Self.values(trainer)
        }
        #expect(results[0] == results[1])
    }
}
