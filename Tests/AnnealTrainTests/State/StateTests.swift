import Anneal
import Foundation
import Testing

/// What a run's state keeps, and what becomes of one that is damaged.
@Suite struct StateTests {
    @Test func aRunGoesOnInsideAnEpoch() throws {
        let folder = try StateFolder()
        let whole = try SmallRun.trainer()
        try whole.fit(training: SmallRun.source(), validation: SmallRun.source(), epochs: 0..<3)
        for steps in [1, 4, 5, 7, 14] {
            let first = try SmallRun.trainer(), watcher = Steps(steps)
            try first.fit(
                training: SmallRun.source(), validation: SmallRun.source(), epochs: 0..<3,
                options: FitOptions(modelPrefix: folder.prefix, observers: [watcher], shouldStop: watcher.isOver))
            let seed = try Trainer.savedSeed(Checkpoint.latestPath(folder.prefix))
            let second = try SmallRun.trainer(seed: seed), events = Events()
            let progress = try second.restoreState(Checkpoint.latestPath(folder.prefix))
            #expect(progress.position == FitPosition(epoch: steps / 5, batch: steps % 5))
            try second.fit(
                training: SmallRun.source(), validation: SmallRun.source(), epochs: progress.position.epoch..<3,
                options: FitOptions(observers: [events]), from: progress)
            #expect(try whole.stateHashes().map(\.hash) == second.stateHashes().map(\.hash), "\(steps)")
            #expect(events.reports.count == 3 - steps / 5)
        }
    }

    /// Lookahead's part of the way depends on the run's planned updates, which dropped steps do not change.
    @Test func aRunWithDroppedStepsKeepsItsPlan() throws {
        func trainer() throws -> Trainer {
            try SmallRun.trainer(keepsGradients: true, averaging: .lookahead(every: 2, alpha: .cubic))
        }
        func fit(_ trainer: Trainer, _ steps: Int = .max, prefix: String? = nil, from progress: FitProgress? = nil)
            throws
        {
            let watcher = Steps(steps)
            try trainer.fit(
                training: SmallRun.source(data: { $0 == 5 ? .nan : nil }), epochs: 0..<4,
                options: FitOptions(
                    modelPrefix: prefix, onNonFinite: .skip, observers: [watcher], shouldStop: watcher.isOver),
                from: progress)
        }
        let folder = try StateFolder(), whole = try trainer()
        try fit(whole)
        for steps in [3, 7, 10, 16] {
            try fit(trainer(), steps, prefix: folder.prefix)
            let resumed = try trainer()
            try fit(resumed, from: resumed.restoreState(Checkpoint.latestPath(folder.prefix)))
            #expect(resumed.lastUpdate == 20)
            #expect(try resumed.stateHashes().map(\.hash) == whole.stateHashes().map(\.hash), "\(steps)")
        }
    }

    /// States of earlier versions hold a number of threads, on which no bit depends any more.
    @Test func machinesWithThreadsStillLoad() throws {
        let json = Data(#"{"threads": 2, "kernels": "avx2"}"#.utf8)
        #expect(try JSONDecoder().decode(RunMachine.self, from: json) == RunMachine(kernels: "avx2"))
    }

    /// A run that began at epoch 3 without an optimizer's state counts its 2 epochs of 5 updates alone.
    @Test func theStateKnowsWhereTheRunBegan() throws {
        let folder = try StateFolder(), watcher = Steps(7)
        var start = FitProgress(position: FitPosition(epoch: 3))
        start.passedEpochs = 3
        try SmallRun.trainer().fit(
            training: SmallRun.source(), epochs: 3..<5,
            options: FitOptions(modelPrefix: folder.prefix, observers: [watcher], shouldStop: watcher.isOver),
            from: start)
        let saved = try Trainer.savedRun(Checkpoint.latestPath(folder.prefix))
        #expect(saved.progress.passedEpochs == 3 && saved.machine == .current)
        let resumed = try SmallRun.trainer()
        try resumed.fit(
            training: SmallRun.source(), epochs: 4..<5, from: resumed.restoreState(Checkpoint.latestPath(folder.prefix))
        )
        #expect(resumed.updates == 10 && resumed.lastUpdate == 10)
    }

    @Test func theEpochsAveragesContinue() throws {
        let folder = try StateFolder()
        let whole = Events(), rest = Events(), watcher = Steps(3)
        try SmallRun.trainer().fit(
            training: SmallRun.source(), epochs: 0..<1, options: FitOptions(observers: [whole]))
        try SmallRun.trainer().fit(
            training: SmallRun.source(), epochs: 0..<1,
            options: FitOptions(modelPrefix: folder.prefix, observers: [watcher], shouldStop: watcher.isOver))
        let second = try SmallRun.trainer()
        let progress = try second.restoreState(Checkpoint.latestPath(folder.prefix))
        try second.fit(
            training: SmallRun.source(), epochs: 0..<1, options: FitOptions(observers: [rest]), from: progress)
        #expect(rest.reports.map(\.training) == whole.reports.map(\.training))
    }

    @Test func arraysOfHoldersComeBack() throws {
        let folder = try StateFolder(), path = folder.prefix + "-latest.resume"
        let trainer = try SmallRun.trainer(), holder = Holder([1, 2, 3])
        trainer.stateHolders = [holder]
        try trainer.saveState(to: path, FitProgress(position: FitPosition(epoch: 1)))
        let other = try SmallRun.trainer(), empty = Holder([])
        other.stateHolders = [empty]
        _ = try other.restoreState(path)
        #expect(empty.values == [1, 2, 3])
        let without = #expect(throws: AnnealError.self) { try SmallRun.trainer().restoreState(path) }
        #expect(without?.description.contains("arrays of test") == true)
    }

    @Test func aDamagedStateIsRefused() throws {
        let folder = try StateFolder(), path = folder.prefix + "-latest.resume"
        try SmallRun.trainer().saveState(to: path, FitProgress(position: FitPosition(epoch: 1)))
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        func refuses(_ data: Data) throws {
            try data.write(to: URL(fileURLWithPath: path))
            let error = #expect(throws: AnnealError.self) { try SmallRun.trainer().restoreState(path) }
            #expect(error?.place == path && error?.suggestion != nil)
        }
        for length in [0, 1, 18, 19, 20, 40, whole.count / 2, whole.count - 1] { try refuses(whole.prefix(length)) }
        for place in stride(from: 0, to: whole.count, by: 97) {
            var flipped = whole
            flipped[place] ^= 0x10
            try refuses(flipped)
        }
        try refuses(whole + [0])
    }

    @Test func aStateOfAnotherRunIsRefused() throws {
        let folder = try StateFolder(), path = folder.prefix + "-latest.resume"
        try SmallRun.trainer().saveState(to: path, FitProgress(position: FitPosition(epoch: 1)))
        let error = #expect(throws: AnnealError.self) { try SmallRun.trainer(batchSize: 5).restoreState(path) }
        #expect(error?.suggestion == "resume with --batch-size 4")
        let other = #expect(throws: AnnealError.self) { try SmallRun.trainer(accumulation: 2).restoreState(path) }
        #expect(other?.suggestion == "resume with --accumulate 1")
    }

    /// Parameters that another program has put beside a state are not passed over in silence.
    @Test func otherParametersAreNoticed() throws {
        let folder = try StateFolder()
        let trainer = try SmallRun.trainer()
        try trainer.save(prefix: folder.prefix, epoch: 1)
        #expect(try SmallRun.trainer().restore(prefix: folder.prefix, epoch: 1) != nil)
        try trainer.step()
        try trainer.save(prefix: folder.prefix, epoch: 2)
        try FileManager.default.removeItem(atPath: Checkpoint.parametersPath(folder.prefix, 1))
        try FileManager.default.copyItem(
            atPath: Checkpoint.parametersPath(folder.prefix, 2), toPath: Checkpoint.parametersPath(folder.prefix, 1))
        let error = #expect(throws: AnnealError.self) {
            try SmallRun.trainer().restore(prefix: folder.prefix, epoch: 1)
        }
        #expect(error?.description.contains("other parameters") == true)
    }
}

/// Arrays of their own in a state.
private final class Holder: StateHolder {
    var values: [Float]
    let stateName = "test"

    init(_ values: [Float]) { self.values = values }

    func stateArrays() -> [StoredArray] { [StoredArray(name: "a", Tensor([values.count], values))] }

    func restore(_ arrays: [StoredArray]) throws { values = arrays.first?.tensor().elements ?? [] }
}
