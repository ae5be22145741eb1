import Anneal
import AnnealConfiguration
import ArgumentParser
import Foundation

/// What `train` and `fine-tune` share: from flags to a finished run.
struct TrainingRun {
    var command: String
    /// For the title of the curves, e.g. `resnet-20`.
    var network: String
    var symbol: Symbol
    var initializer: any Initializer
    /// Values that replace the initial ones, by name.
    var start: [String: Tensor] = [:]
    /// Where `start` comes from, for messages.
    var startPlace = ""
    /// How the model that `start` is of had its images prepared, if that is known.
    var trained: Preprocessing?
    /// --load-epoch: go on from this checkpoint of the model prefix.
    var resumeEpoch: Int?
    /// What --data-train names.
    var images: ImageData
    var classes: Int
    var imageShape: [Int]
    var script: ScriptDefaults

    /// Consumes the run: the values that it starts with are large, and are let go once the trainer has them.
    /// - Parameters:
    ///   - flags: all that are in force, for the run's record.
    ///   - recorded: the run that goes on, where it is not a new one.
    consuming func run(
        _ options: TrainingOptions, _ data: DataOptions, flags: [String: JSONValue], goingOn recorded: RecordedRun?
    ) throws {
        let endEpoch = endEpoch(options)
        var lock = try recorded.map { try Self.lock($0.prefix) }
        let origin = origin(options, recorded)
        guard endEpoch > origin.epoch else {
            throw UsageError(
                "--num-epochs \(endEpoch)", "is not above the first epoch, \(origin.epoch)",
                suggestion: "it is one past the last epoch")
        }
        try options.profile.map(prepareOutput)
        // Everything is opened and planned before the run folder is made: a wrong flag leaves nothing behind.
        let setup = try setUp(options, data, from: origin)
        let trainer = setup.trainer, training = setup.loader
        if let recorded { try checkGoesOn(recorded, setup.progress, options) }

        let folder = try openFolder(options, recorded)
        let prefix = options.run.modelPrefix ?? RunOptions.prefix(inFolder: folder.path)
        if lock == nil {
            lock = try Self.lock(prefix)
            // It is of another run, which this one replaces.
            try? FileManager.default.removeItem(atPath: Checkpoint.latestPath(prefix))
        }
        for place in [prefix, folder.file("")] { Files.removeLeftovers(prefix: place) }
        let commandLine = recorded?.commandLine ?? CommandLine.arguments
        try write(flags, seed: setup.seed, commandLine, into: folder)
        try setup.preprocessing.save(prefix: prefix)
        var observers = try RunObservers.standard(
            folder: folder, title: "\(network) on \((data.dataTrain ?? "") .split(separator: "/").last ?? "")",
            subtitle: "anneal \(commandLine.dropFirst().joined(separator: " "))",
            displayBatches: options.run.dispBatches, from: folder.isContinued ? setup.progress.position : nil)
        let remark = try options.recipe.map { [FitEvent.note(try Recipe.named($0).remark(flags))] } ?? []
        for note in remark + setup.notes { for observer in observers { try observer.receive(note) } }

        if let path = options.profile {
            let first = min(10, max(0, training.batchesPerEpoch - 5))
            let timeline = Timeline(steps: first..<first + 5)
            trainer.timeline = timeline
            observers.append(TraceWriter(timeline, path: path))
        }

        let interrupt = Interrupt(), ending = RunEnding()
        try trainer.fit(
            training: setup.training, validation: setup.validation, epochs: setup.progress.position.epoch..<endEpoch,
            options: options.run.fitOptions(
                metrics: setup.metrics, prefix: prefix, views: data.validation.tta, observers: observers + [ending],
                shouldStop: interrupt.check),
            from: setup.progress)
        for bad in training.badRecords + (setup.validation?.badRecords ?? []) {
            for observer in observers { try observer.receive(.warning("skipped \(bad.reason)")) }
        }
        withExtendedLifetime(lock) {}
        if ending.isInterrupted {
            throw Interrupted(suggestion: "to go on, run: anneal resume \(shellQuoted(folder.path))")
        }
        let trace = options.profile.map { "Trace:  \($0)\n" } ?? ""
        FileHandle.standardError.write(Data("Curves: \(folder.curvesPNG)\nModel:  \(prefix)\n\(trace)".utf8))
    }

    private static func lock(_ prefix: String) throws -> FileLock {
        let folder = Files.folder(of: prefix)
        if !folder.isEmpty { try Files.makeFolder(folder) }
        return try FileLock("\(prefix).lock", suggestion: "another run saves there: wait for its end, or stop it")
    }

    /// Where the run begins: at its last saved state, at the checkpoint of --load-epoch, or anew.
    func origin(_ options: TrainingOptions, _ recorded: RecordedRun?) -> RunOrigin {
        if let state = recorded?.state { return .state(state) }
        guard let resumeEpoch, let prefix = options.run.ownPrefix else { return .beginning }
        return .checkpoint(prefix: prefix, epoch: resumeEpoch)
    }

    private func openFolder(_ options: TrainingOptions, _ recorded: RecordedRun?) throws -> RunFolder {
        if let recorded { return try RunFolder.open(recorded.folder, occupied: .resume) }
        return try RunFolder.open(
            options.run.runFolder ?? RunFolder.defaultPath(command: command),
            occupied: options.run.runFolder == nil ? .number : resumeEpoch == nil ? .refuse : .resume)
    }

    /// Refuses to go on with a run that is over.
    private func checkGoesOn(_ run: RecordedRun, _ progress: FitProgress, _ options: TrainingOptions) throws {
        let endEpoch = endEpoch(options)
        guard progress.position.epoch < endEpoch else {
            throw UsageError(
                run.folder, "the run is over: it has trained its \(endEpoch) epochs",
                suggestion: "to go on, give --num-epochs above \(endEpoch)")
        }
        if let patience = options.run.earlyStopping, FitOptions(earlyStopping: patience).stopsEarly(progress) {
            throw UsageError(
                run.folder, "the run is over: it stopped early",
                suggestion: "to go on, give --early-stopping above \(patience)")
        }
    }

    /// The flags in force, as a record and as a file to start the same run from.
    private func write(_ flags: [String: JSONValue], seed: UInt64, _ commandLine: [String], into folder: RunFolder)
        throws
    {
        var flags = flags
        flags["seed"] = .integer(Int(clamping: seed))
        try folder.write(
            RunRecord(
                command: command, commandLine: commandLine, arguments: flags,
                version: AnnealTool.configuration.version, threads: Parallel.threads))
        let text = try ConfigurationFile.text(command: command, flags)
        try Files.writeAtomically(Data(text.utf8), to: folder.file(ConfigurationFile.name))
    }

    func endEpoch(_ options: TrainingOptions) -> Int { options.numEpochs ?? script.numEpochs }
}

/// Notes whether a run came to its end.
private final class RunEnding: FitObserver {
    private(set) var isInterrupted = false

    func receive(_ event: FitEvent) {
        if case .finished(let end) = event { isInterrupted = end.interrupted }
    }
}

/// As a shell takes it for one word.
func shellQuoted(_ text: String) -> String {
    text.allSatisfy { $0.isLetter || $0.isNumber || "/._-+=:,@%".contains($0) }
        ? text : "'" + text.replacingOccurrences(of: "'", with: "'\\''") + "'"
}

/// Errors of flags' values count as bad usage.
func flagErrors<T>(_ body: () throws -> T) throws -> T {
    do {
        return try body()
    } catch let error as AnnealError {
        throw UsageError(error.place, error.problem, suggestion: error.suggestion)
    }
}
