import Anneal
import ArgumentParser
import Foundation
import Synchronization

struct VerifyResume: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Verify by hashes that an interrupted run ends with the same bits as an uninterrupted one.",
        discussion: """
            Trains some steps twice: without a break, and with a stop in the middle, where the state is saved and a new trainer \
            continues from it. Begins where the run is, and changes nothing of it. The exit code is 1 if the bits differ. A \
            run whose data has changed is refused.

            anneal verify-resume runs/2026-11-23_10-00-00-train --steps 20
            anneal verify-resume train --network lenet --data-train mnist.rec --image-shape 1,28,28 --steps 10
            """)

    @Option(help: ArgumentHelp("Steps to train.", valueName: "N"))
    var steps: Int = 20
    @Flag(help: "Verify even if the data has changed since the run was started.")
    var acceptChangedData = false
    @Argument(
        help: ArgumentHelp("A run's folder, or train or fine-tune with their flags.", valueName: "RUN-FOLDER"),
        completion: .directory)
    var target: String
    @Argument(
        parsing: .allUnrecognized, help: ArgumentHelp("Flags of train or fine-tune.", valueName: "FLAGS"))
    var flags: [String] = []

    func run() throws {
        guard (2...1_000_000).contains(steps) else {
            throw UsageError("--steps", "is \(steps)", suggestion: "it must be at least 2, usually 20")
        }
        let isCommand = AnnealTool.training.contains(target)
        if !Files.exists(target), let near = Spelling.misspelt(target, among: AnnealTool.training).first, !isCommand {
            throw UsageError(target, "is not a folder", suggestion: "did you mean \(near)?")
        }
        let recorded =
            try isCommand
            ? nil : RecordedRun(folder: target, overrides: flags, acceptsChangedData: acceptChangedData)
        let command = try (recorded?.command ?? RecordedRun.command([target] + flags)).filled()
        try command.training.check()
        let start = try command.trainingRun(continuing: recorded?.prefix)
        let origin = try start.origin(command.training, recorded), interrupt = Interrupt()
        let folder = Files.path(NSTemporaryDirectory(), "anneal-verify-\(UUID().uuidString)")
        try Files.makeFolder(folder)
        defer { Files.removeFolder(folder) }

        /// - Parameters:
        ///   - endEpoch: the last epoch of the run that this is a part of; nil: as many epochs as the steps need.
        ///   - checksData: whether the data must be what the run was started with.
        func train(
            _ steps: Int, from origin: RunOrigin, endEpoch: Int?, checksData: Bool = false
        ) throws -> TrainedPart {
            var run = start
            let setup = try run.setUp(command.training, command.data, from: origin)
            if checksData {
                for case .warning(let text) in try run.surveyData(setup, recorded).notes {
                    printError("anneal: warning: \(text)")
                }
            }
            let part = try TrainedPart(
                setup, steps: steps, endEpoch: endEpoch, prefix: Files.path(folder, "model"),
                onNonFinite: command.training.run.onNan, isInterrupted: interrupt.check)
            if interrupt.check() {
                throw interrupt.interrupted(suggestion: "nothing was verified, and nothing has changed")
            }
            return part
        }
        let first = steps / 2
        let unbroken = try train(steps, from: origin, endEpoch: nil, checksData: true), endEpoch = unbroken.endEpoch
        print("\(unbroken.begin), \(steps) steps without interruption: \(unbroken.end)")
        print("The same with a stop after \(first): \(try train(first, from: origin, endEpoch: endEpoch).end)")
        let broken = try train(
            steps - first, from: .state(Checkpoint.latestPath(Files.path(folder, "model"))), endEpoch: endEpoch)
        var table = TextTable(["", "run", "SHA-256"])
        for (one, other) in zip(unbroken.hashes, broken.hashes) {
            table.add([one.name, "unbroken", one.hash])
            table.add(["", "interrupted", other.hash])
        }
        print(table.text)
        if let odd = zip(unbroken.hashes, broken.hashes).first(where: { $0.hash != $1.hash }) {
            throw AnnealError(
                odd.0.name, "of the interrupted run differ from those of the uninterrupted one",
                suggestion: "this is a bug in Anneal, or the data has changed during the check")
        }
        print("Equal: an interrupted run ends with the same bits.")
    }
}

/// Some steps of a run, with the state saved at the end.
private struct TrainedPart {
    let begin: String
    let end: String
    /// One past the last epoch of the run: lookahead depends on the run's progress.
    let endEpoch: Int
    let hashes: [(name: String, hash: String)]

    init(
        _ setup: TrainingSetup, steps: Int, endEpoch: Int?, prefix: String, onNonFinite: FitOptions.NonFinitePolicy,
        isInterrupted: @escaping @Sendable () -> Bool
    ) throws {
        let watcher = StepWatcher(steps: steps), isOver = watcher.isOver
        let epoch = setup.progress.position.epoch
        // Every epoch has at least one step, so these are enough. Only the end is saved.
        self.endEpoch = endEpoch ?? epoch + steps + 1
        try setup.trainer.fit(
            training: setup.training, epochs: epoch..<self.endEpoch,
            options: FitOptions(
                metrics: setup.metrics, modelPrefix: prefix, savePeriod: .max, onNonFinite: onNonFinite,
                observers: [watcher], shouldStop: { isOver() || isInterrupted() }),
            from: setup.progress)
        begin = "Epoch \(epoch), batch \(setup.progress.position.batch)"
        end = "update \(setup.trainer.updates)"
        hashes = try setup.trainer.stateHashes() + [("metrics", SHA256.digits(of: "\(watcher.metrics)".utf8))]
    }
}

/// Ends a run after some steps.
private final class StepWatcher: FitObserver {
    private let left: Countdown
    private(set) var metrics: [MetricValue] = []

    /// The loop reads it on its own thread.
    private final class Countdown: Sendable {
        let value: Atomic<Int>
        init(_ value: Int) { self.value = Atomic(value) }
    }

    init(steps: Int) { left = Countdown(steps) }

    /// Call once after each step. Reports do not count: an accelerator reports a step only while the next one is
    /// running.
    var isOver: @Sendable () -> Bool {
        { [left] in left.value.subtract(1, ordering: .relaxed).newValue <= 0 }
    }

    func receive(_ event: FitEvent) {
        guard case .batch(let report) = event else { return }
        metrics = report.metrics
    }
}
