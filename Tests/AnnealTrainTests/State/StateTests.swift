import Anneal
import Foundation
import Testing

/// What a run's state contains, and what happens if it is damaged.
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

    /// Lookahead's fraction depends on the run's planned updates, which dropped steps do not change.
    @Test func aRunWithDroppedStepsKeepsItsPlan() throws {
        func trainer() throws -> Trainer {
            try SmallRun.trainer(canDropSteps: true, averaging: .lookahead(every: 2, alpha: .cubic))
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

    /// States of earlier versions contain a number of threads, on which no bit depends any more.
    @Test func machinesWithThreadsStillLoad() throws {
        let json = Data(#"{"threads": 2, "kernels": "avx2"}"#.utf8)
        #expect(try JSONDecoder().decode(RunMachine.self, from: json) == RunMachine(kernels: "avx2"))
    }

    /// The instruction set, and the library if both are known.
    @Test func anotherMachineIsWarnedAbout() {
        let saved = RunMachine(kernels: "avx2", library: "oneDNN 2.6.3")
        #expect(saved.warning(resumingOn: saved) == nil)
        #expect(RunMachine(kernels: "avx2").warning(resumingOn: saved) == nil)
        #expect(
            saved.warning(resumingOn: RunMachine(kernels: "avx512", library: "oneDNN 2.6.3"))?.hasPrefix(
                "The run was saved on avx2, and continues on avx512") == true)
        #expect(
            saved.warning(resumingOn: RunMachine(kernels: "avx2", library: "oneDNN 3.7.2"))?.hasPrefix(
                "The run was saved with oneDNN 2.6.3, now oneDNN 3.7.2") == true)
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
        let saved = try Trainer.savedRun(Checkpoint.latestPath(folder.prefix)), resumed = try SmallRun.trainer()
        #expect(saved.progress.passedEpochs == 3 && saved.machine == resumed.parameters.engine.machine)
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

    /// A state of version 0.1 contains one sum of gradients, and the number of batches as an array.
    @Test func statesOfVersion01AreRead() throws {
        let folder = try StateFolder(), path = folder.prefix + "-latest.resume"
        let trainer = try SmallRun.trainer(averaging: .movingAverage(decay: 0.5), accumulation: 4)
        let watcher = Steps(3)
        try trainer.fit(
            training: SmallRun.source(), epochs: 0..<1,
            options: FitOptions(modelPrefix: folder.prefix, observers: [watcher], shouldStop: watcher.isOver))
        let arrays = try StateFile.read(path)
        let sums = Dictionary(uniqueKeysWithValues: arrays.map { ($0.name, $0) })
        var old: [StoredArray] = []
        for array in arrays {
            if array.name == "record" {
                var record = try #require(
                    JSONSerialization.jsonObject(with: Data(array.bytes)) as? [String: Any])
                for key in ["gathered", "sums", "machine"] { record[key] = nil }
                let json = try JSONSerialization.data(withJSONObject: record)
                old.append(StoredArray(name: "record", dtype: .uint8, shape: [json.count], bytes: json))
            } else if array.name.hasPrefix("gradients:1:") {
                // Two batches at level 1, one at level 0.
                let name = array.name.dropFirst("gradients:1:".count)
                let other = try #require(sums["gradients:0:\(name)"]).tensor(), first = array.tensor()
                old.append(
                    StoredArray(
                        name: "gradients:\(name)",
                        Tensor(first.shape, zip(first.elements, other.elements).map { $0 + $1 })))
            } else if !array.name.hasPrefix("gradients:") {
                old.append(array)
            }
        }
        old.append(StoredArray(name: "gradients:batches", Tensor([1], [3])))
        try Files.writeAtomically(to: path) { write in
            try StateFile.encode(names: old.map(\.name), array: { old[$0] }, write)
        }

        #expect(try Trainer.savedRun(path).addsOtherwise)
        func trained(_ read: Bool) throws -> [Tensor] {
            let other = try SmallRun.trainer(averaging: .movingAverage(decay: 0.5), accumulation: 4)
            let progress = read ? try other.restoreState(path) : nil
            if let progress { #expect(other.gathered == 3 && progress.position.batch == 3) }
            try other.fit(training: SmallRun.source(), epochs: 0..<1, from: progress)
            return try other.parameters.names.map(other.parameters.tensor)
        }
        for (a, b) in zip(try trained(true), try trained(false)) {
            #expect(zip(a.elements, b.elements).allSatisfy { abs($0 - $1) < 1e-6 })
        }
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

    /// Parameters that another program has placed next to a state are not ignored silently.
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
