import Anneal
import Foundation
import Testing

/// Which checkpoints are kept, what happens to those that cannot be saved, and how one is chosen.
@Suite struct KeepTests {
    /// No label is ever predicted: the first epoch's accuracy, 0, is never exceeded.
    private func fit(
        _ trainer: Trainer, _ epochs: Int, prefix: String, keep: FitOptions.Keep = .bestAndLast,
        observer: any FitObserver = Events(), policy: FitOptions.SaveErrorPolicy = .stop,
        from progress: FitProgress? = nil
    ) throws {
        try trainer.fit(
            training: SmallRun.source(), validation: SmallRun.source(label: { _ in 9 }), epochs: 0..<epochs,
            options: FitOptions(
                metrics: CompositeMetric([Accuracy()]), modelPrefix: prefix, keep: keep, onSaveError: policy,
                observers: [observer]),
            from: progress)
    }

    private func resumed(_ prefix: String) throws -> (Trainer, FitProgress) {
        let trainer = try SmallRun.trainer()
        return (trainer, try trainer.restoreState(Checkpoint.latestPath(prefix)))
    }

    @Test func bestAndLastStay() throws {
        let folder = try StateFolder(), prefix = folder.prefix, events = Events()
        try fit(SmallRun.trainer(), 3, prefix: prefix)
        #expect(Checkpoint.numbers(prefix: prefix) == [1, 3])
        let (trainer, progress) = try resumed(prefix)
        try fit(trainer, 5, prefix: prefix, observer: events, from: progress)
        #expect(Checkpoint.numbers(prefix: prefix) == [1, 5])
        #expect(events.notes.last == "Best: checkpoint 1, accuracy 0.0: \(prefix)-0001.params")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".resume") }
        #expect(files.sorted() == ["m-0001.resume", "m-0005.resume", "m-latest.resume"])
        let (last, after) = try resumed(prefix)
        try fit(last, 6, prefix: prefix, keep: .last, observer: events, from: after)
        #expect(Checkpoint.numbers(prefix: prefix) == [6])
        #expect(events.notes.last == "Best: checkpoint 1, accuracy 0.0; its checkpoint was not kept")
    }

    @Test func checkpointsAreChosen() throws {
        let folder = try StateFolder(), prefix = folder.prefix
        func number(_ choice: CheckpointChoice?) throws -> Int { try Checkpoint.number(prefix: prefix, choice) }
        func problem(_ choice: CheckpointChoice?) -> String {
            do { return "\(try number(choice))" } catch { return "\(error)" }
        }
        for choice: CheckpointChoice? in [nil, .best, .last, .number(1)] {
            #expect(problem(choice).contains("does not exist"), "\(problem(choice))")
        }
        try fit(SmallRun.trainer(), 3, prefix: prefix)
        #expect(try number(.best) == 1 && number(.last) == 3 && number(.number(3)) == 3)
        #expect(problem(nil) == "\(prefix): has the checkpoints 1, 3 (choose with --load-epoch N, best or last)")
        #expect(problem(.number(2)).contains("m-0002.params: does not exist (there are the checkpoints 1, 3)"))
        // From an earlier, longer run, and from other prefixes.
        for name in ["m-0009", "m-x-0007", "m-00012", "mother-0008"] {
            try FileManager.default.copyItem(atPath: prefix + "-0003.params", toPath: "\(folder.path)/\(name).params")
        }
        #expect(Checkpoint.numbers(prefix: prefix) == [1, 3, 9])
        #expect(try number(.last) == 3)
        try FileManager.default.removeItem(atPath: prefix + "-0001.params")
        #expect(problem(.best).contains("m-0001.params: was the best, with accuracy 0.0, and does not exist"))
        for name in ["latest", "0001", "0003"] {
            try FileManager.default.removeItem(atPath: "\(prefix)-\(name).resume")
        }
        #expect(try number(.last) == 9)
        #expect(problem(.best).contains("m-latest.resume: does not exist"))
        #expect(CheckpointChoice("0012") == .number(12) && CheckpointChoice("best") == .best)
        #expect(CheckpointChoice("-1") == nil && CheckpointChoice("1.5") == nil && CheckpointChoice("") == nil)
    }

    @Test func aCheckpointIsSavedWholeOrNotAtAll() throws {
        let folder = try StateFolder(), prefix = folder.prefix, trainer = try SmallRun.trainer()
        try trainer.save(prefix: prefix, epoch: 1)
        let names = ["m-0001.params", "m-0001.resume", "m-symbol.json"]
        #expect(try Files.names(in: folder.path) == names)
        try Files.makeFolder(prefix + "-0002.params/full")
        #expect(throws: AnnealError.self) { try trainer.save(prefix: prefix, epoch: 2) }
        #expect(
            try Files.names(in: folder.path) == ["m-0001.params", "m-0001.resume", "m-0002.params", "m-symbol.json"])
    }

    /// A composed and a decomposed é, and a byte that is not UTF-8.
    @Test func prefixesAreBytes() throws {
        let folder = try StateFolder(), trainer = try SmallRun.trainer()
        let prefixes = ["\u{E9}", "e\u{301}", FilePath(bytes: [0xE9]).text].map { Files.path(folder.path, $0) }
        for (index, prefix) in prefixes.enumerated() { try trainer.save(prefix: prefix, epoch: index + 1) }
        for (index, prefix) in prefixes.enumerated() {
            #expect(Checkpoint.numbers(prefix: prefix) == [index + 1])
            #expect(try trainer.restore(prefix: prefix, epoch: index + 1)?.position.epoch == index + 1)
        }
    }

    /// Between the state and the parameters of its last checkpoint.
    @Test func aKilledRunFinishesItsLastSave() throws {
        let folder = try StateFolder(), prefix = folder.prefix
        try fit(SmallRun.trainer(), 2, prefix: prefix)
        let path = Checkpoint.parametersPath(prefix, 2), whole = try Data(contentsOf: URL(fileURLWithPath: path))
        try FileManager.default.removeItem(atPath: path)
        let (trainer, progress) = try resumed(prefix), end = Ending()
        try fit(trainer, 2, prefix: prefix, observer: end, from: progress)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == whole)
        #expect(end.end?.epochs == 0 && end.end?.lastCheckpoint == 2 && end.end?.best?.checkpoint == 1)
    }

    /// A folder in place of a file simulates a full disk.
    @Test func whatCouldNotBeSavedIsTriedOnceMore() throws {
        for isFreed in [true, false] {
            let folder = try StateFolder(), prefix = folder.prefix, end = Ending()
            for number in [1, 3] { try Files.makeFolder("\(prefix)-000\(number).params/full") }
            if isFreed { end.freed = "\(prefix)-0003.params" }
            try fit(SmallRun.trainer(), 3, prefix: prefix, observer: end, policy: .warn)
            let best = "\(prefix)-0001.params (checkpoint 1, the best)"
            let last = "\(prefix)-0003.params (checkpoint 3, the last)"
            #expect(end.end?.missing == (isFreed ? [best] : [best, last]))
            #expect(end.notes == ["Best: checkpoint 1, accuracy 0.0; its checkpoint was not kept"])
            #expect(!Files.isFolder("\(prefix)-0003.params") == isFreed)
            // A checkpoint has all of its files or none.
            #expect(!Files.exists("\(prefix)-0001.resume") && Files.exists("\(prefix)-0003.resume") == isFreed)
            // The state was saved even so.
            #expect(try resumed(prefix).1.position == FitPosition(epoch: 3))
        }
    }
}

/// Records how a run ended, and frees space at the second warning.
private final class Ending: FitObserver {
    var end: RunEnd?
    var notes: [String] = []
    var freed: String?
    private var warnings = 0

    func receive(_ event: FitEvent) throws {
        switch event {
        case .finished(let end): self.end = end
        case .note(let text): notes.append(text)
        case .warning:
            warnings += 1
            if warnings == 2, let freed { try FileManager.default.removeItem(atPath: freed) }
        default: break
        }
    }
}
