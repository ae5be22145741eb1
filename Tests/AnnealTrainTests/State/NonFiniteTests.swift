import Anneal
import Foundation
import Testing

/// Runs in which a value is a NaN or an infinity.
@Suite struct NonFiniteTests {
    /// The second batch has a sample that is not a number.
    private func broken(_ samples: [Int] = Array(0..<20)) throws -> InMemorySource {
        try SmallRun.source(samples, data: { $0 == 5 ? .nan : nil })
    }

    @Test func aLossThatIsNotFiniteStopsTheRun() throws {
        let folder = try StateFolder()
        let trainer = try SmallRun.trainer()
        let options = FitOptions(modelPrefix: folder.prefix)
        try trainer.fit(training: SmallRun.source(), epochs: 0..<1, options: options)
        let saved = try Data(contentsOf: URL(fileURLWithPath: Checkpoint.latestPath(folder.prefix)))
        let error = #expect(throws: AnnealError.self) {
            try trainer.fit(training: broken(), epochs: 1..<2, options: options)
        }
        #expect(error?.place == "epoch 2, batch 2, update 7")
        #expect(error?.problem.contains("the loss is not finite") == true)
        #expect(try Data(contentsOf: URL(fileURLWithPath: Checkpoint.latestPath(folder.prefix))) == saved)
    }

    /// Whether the gradient is used in the backward pass or after it.
    @Test(arguments: [8, 4000]) func aGradientThatIsNotFiniteIsNamed(_ hidden: Int) throws {
        let trainer = try SmallRun.regression(canDropSteps: false, hidden: hidden)
        let source = try SmallRun.source(label: { $0 == 5 ? .infinity : nil })
        let error = #expect(throws: AnnealError.self) {
            try trainer.fit(training: source, epochs: 0..<1, options: FitOptions(metrics: CompositeMetric()))
        }
        #expect(error?.place == "epoch 1, batch 2, update 2")
        #expect(error?.problem == "the gradient of out_bias holds a NaN or an infinity")
    }

    /// A dropped step leaves the run as if its batch did not exist.
    @Test func aDroppedStepChangesNothing() throws {
        let others = (0..<20).filter { !(4..<8).contains($0) }
        let without = try SmallRun.trainer(canDropSteps: true), with = try SmallRun.trainer(canDropSteps: true)
        try without.fit(training: SmallRun.source(others), epochs: 0..<1)
        let events = Events()
        let reports = try with.fit(
            training: broken(), epochs: 0..<1, options: FitOptions(onNonFinite: .skip, observers: [events]))
        #expect(try with.stateHashes().map(\.hash) == without.stateHashes().map(\.hash))
        #expect(reports[0].training.allSatisfy { $0.value.isFinite })
        #expect(events.warnings.count == 2)
        #expect(events.warnings.last == "epoch 1: 1 of 5 steps were dropped")
    }

    /// The backward pass has changed the statistics by the time the gradients are known.
    @Test func aStepThatIsDroppedLateChangesNothing() throws {
        let metrics = FitOptions(metrics: CompositeMetric(), onNonFinite: .skip)
        let others = (0..<20).filter { !(4..<8).contains($0) }
        let without = try SmallRun.regression(canDropSteps: true)
        let with = try SmallRun.regression(canDropSteps: true)
        try without.fit(training: SmallRun.source(others), epochs: 0..<1, options: metrics)
        try with.fit(training: SmallRun.source(label: { $0 == 5 ? .nan : nil }), epochs: 0..<1, options: metrics)
        #expect(try with.stateHashes().map(\.hash) == without.stateHashes().map(\.hash))
    }

    /// 1e25 squared is beyond the largest float: the variance is infinite, the loss is not.
    @Test func aStatisticThatIsNotFiniteIsFoundWithItsStep() throws {
        let huge: (Int) -> Float? = { $0 == 5 ? 1e25 : nil }
        let stopped = #expect(throws: AnnealError.self) {
            try SmallRun.trainer().fit(training: SmallRun.source(data: huge), epochs: 0..<1)
        }
        #expect(stopped?.description.contains("the statistic bn_moving_var holds") == true, "\(stopped as Any)")
        let others = (0..<20).filter { !(4..<8).contains($0) }
        let without = try SmallRun.trainer(canDropSteps: true), with = try SmallRun.trainer(canDropSteps: true)
        try without.fit(training: SmallRun.source(others), epochs: 0..<1)
        try with.fit(
            training: SmallRun.source(data: huge), epochs: 0..<1, options: FitOptions(onNonFinite: .skip))
        #expect(try with.stateHashes().map(\.hash) == without.stateHashes().map(\.hash))
    }

    /// Fewer updates than planned before the run's end, where the slow weights are saved.
    @Test func lookaheadEndsAfterADroppedStep() throws {
        let trainer = try SmallRun.trainer(
            canDropSteps: true, averaging: .lookahead(every: 100, alpha: .constant(0.5)))
        let begin = try trainer.parameters.names.map { try trainer.parameters.tensor($0) }
        try trainer.fit(training: broken(), epochs: 0..<1, options: FitOptions(onNonFinite: .skip))
        #expect(trainer.updates == 4)
        #expect(try trainer.parameters.names.map { try trainer.parameters.tensor($0) } == begin)
    }

    /// Batches 0 to 2 are an update; batch 3 alone is one when batch 4, the epoch's last, is dropped.
    @Test func aGroupWhoseLastBatchIsDroppedIsAnUpdate() throws {
        let with = try SmallRun.trainer(canDropSteps: true, accumulation: 3)
        let without = try SmallRun.trainer(canDropSteps: true, accumulation: 3)
        try with.fit(
            training: SmallRun.source(data: { $0 == 17 ? .nan : nil }), epochs: 0..<1,
            options: FitOptions(onNonFinite: .skip))
        try without.fit(training: SmallRun.source(Array(0..<16)), epochs: 0..<1)
        #expect(with.updates == 2)
        #expect(try with.stateHashes().map(\.hash) == without.stateHashes().map(\.hash))
    }

    /// The next batch takes its place in the group.
    @Test func aBatchThatIsDroppedWithinAGroupLeavesTheGroup() throws {
        let others = (0..<20).filter { !(4..<8).contains($0) }
        let without = try SmallRun.trainer(canDropSteps: true, accumulation: 2)
        let with = try SmallRun.trainer(canDropSteps: true, accumulation: 2)
        try without.fit(training: SmallRun.source(others), epochs: 0..<1)
        try with.fit(training: broken(), epochs: 0..<1, options: FitOptions(onNonFinite: .skip))
        #expect(with.updates == 2)
        #expect(try with.stateHashes().map(\.hash) == without.stateHashes().map(\.hash))
    }

    /// Batches 2 and 3 are the second update, which is dropped; batch 4 does not join them, and its own update is dropped too.
    @Test func anUpdateOfSeveralBatchesThatBreaksWeightsIsDroppedWithAllOfThem() throws {
        let events = Events(), without = try SmallRun.trainer(canDropSteps: true, accumulation: 2)
        let with = try SmallRun.trainer(canDropSteps: true, accumulation: 2)
        for trainer in [with, without] { trainer.optimizer.schedule = RisingRate(last: 1) }
        try with.fit(
            training: SmallRun.source(), epochs: 0..<1, options: FitOptions(onNonFinite: .skip, observers: [events]))
        try without.fit(training: SmallRun.source(Array(0..<8)), epochs: 0..<1)
        #expect(
            events.warnings.count { $0.contains("dropped: the update would give bn_gamma") } == 2, "\(events.warnings)")
        #expect(with.updates == 1 && with.gathered == 0)
        #expect(with.optimizer.snapshot() == without.optimizer.snapshot())
        // Forward passes set gamma to 1 (`fix_gamma`).
        for name in with.parameters.names where name != "bn_gamma" && !with.parameters.isAuxiliary(name) {
            #expect(try with.parameters.tensor(name) == without.parameters.tensor(name), "\(name)")
        }
    }

    /// The fifth batch alone is the epoch's last update.
    @Test(arguments: [2, 4]) func anUpdateThatBreaksWeightsAtAnEpochsEndIsDropped(accumulation: Int) throws {
        func fit(_ samples: [Int], _ observer: Events) throws -> Trainer {
            let trainer = try SmallRun.trainer(canDropSteps: true, accumulation: accumulation)
            trainer.optimizer.schedule = RisingRate(last: 4 / accumulation)
            try trainer.fit(
                training: SmallRun.source(samples), epochs: 0..<1,
                options: FitOptions(onNonFinite: .skip, observers: [observer]))
            return trainer
        }
        let events = Events(), quiet = Events()
        let with = try fit(Array(0..<20), events), without = try fit(Array(0..<16), quiet)
        #expect(events.warnings.count == 1 && quiet.warnings.isEmpty, "\(events.warnings)")
        #expect(
            events.warnings.first?.hasPrefix("epoch 1: the last update was dropped: the update would give bn_gamma")
                == true)
        #expect(with.updates == 4 / accumulation && with.gathered == 0)
        #expect(with.optimizer.snapshot() == without.optimizer.snapshot())
        // The last batch's forward pass has set gamma to 1 (`fix_gamma`), its backward pass has moved the statistics.
        for name in with.parameters.names where name != "bn_gamma" && !with.parameters.isAuxiliary(name) {
            #expect(try with.parameters.tensor(name) == without.parameters.tensor(name), "\(name)")
        }
    }

    @Test func aRunOfDroppedStepsEnds() throws {
        let trainer = try SmallRun.trainer(canDropSteps: true)
        let source = try SmallRun.source(data: { _ in .nan })
        let error = #expect(throws: AnnealError.self) {
            try trainer.fit(training: source, epochs: 0..<2, options: FitOptions(onNonFinite: .skip))
        }
        #expect(error?.problem.contains("every step was dropped") == true)
    }

    @Test func droppingMustBePlannedFor() throws {
        #expect(throws: AnnealError.self) {
            try SmallRun.trainer(hidden: 4000).fit(
                training: SmallRun.source(), epochs: 0..<1, options: FitOptions(onNonFinite: .skip))
        }
    }

    /// All gradients may be finite although the updated weights are not.
    @Test func anUpdateThatBreaksWeightsIsDropped() throws {
        let trainer = try SmallRun.trainer(canDropSteps: true), events = Events()
        try trainer.fit(
            training: SmallRun.source(), epochs: 0..<1, options: FitOptions(onNonFinite: .skip, observers: [events]))
        // The forward pass sets gamma to 1 (`fix_gamma`).
        let names = trainer.parameters.names.filter { $0 != "bn_gamma" }
        let before = try names.map(trainer.parameters.tensor)
        trainer.optimizer.schedule = try FactorScheduler(step: 1, factor: 1, baseRate: 1e38)
        // Their product is beyond the largest float.
        trainer.optimizer.settings.weightDecay = 1e10
        let error = #expect(throws: AnnealError.self) {
            try trainer.fit(
                training: SmallRun.source(), epochs: 1..<2, options: FitOptions(onNonFinite: .skip, observers: [events])
            )
        }
        #expect(error?.problem.contains("every step was dropped") == true)
        #expect(events.warnings.contains { $0.contains("step dropped: the update would give bn_gamma") })
        #expect(try names.map(trainer.parameters.tensor) == before)
    }

    /// All gradients may be finite although the sum with the weight is not: nothing of that is saved.
    @Test func weightsThatAreNotFiniteAreNotSaved() throws {
        let folder = try StateFolder()
        let trainer = try SmallRun.trainer()
        try trainer.save(prefix: folder.prefix, epoch: 1)
        try trainer.parameters.set("out_bias", Tensor([3], [0, .infinity, 0]))
        let source = try SmallRun.source()
        // There are no more steps, only the save.
        let progress = FitProgress(position: FitPosition(epoch: 0, batch: 5))
        #expect(throws: AnnealError.self) {
            try trainer.fit(
                training: source, epochs: 0..<1,
                options: FitOptions(metrics: CompositeMetric(), modelPrefix: folder.prefix), from: progress)
        }
        #expect(try SmallRun.trainer().restore(prefix: folder.prefix, epoch: 1) != nil)
    }
}

/// Exceeds the largest float after an update.
private struct RisingRate: LearningRateSchedule {
    static let name = "rising"
    let last: Int
    var baseRate = 0.05
    func rate(at update: Int) -> Double { update > last ? 1e39 : baseRate }
}
