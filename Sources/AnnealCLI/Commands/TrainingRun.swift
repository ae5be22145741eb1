import Anneal
import AnnealConfiguration
import AnnealMPI
import ArgumentParser
import Foundation

/// The code shared by `train` and `fine-tune`: from flags to a finished run.
struct TrainingRun {
    var command: String
    /// For the title of the curves, e.g. `resnet-20`.
    var network: String
    var symbol: Symbol
    var initializer: any Initializer
    /// Values that replace the initial ones, by name.
    var start: [String: Tensor] = [:]
    /// Where `start` comes from.
    var pretrained: SavedModel?
    /// What the log is to say about the model that `start` belongs to.
    var remarks: [FitEvent] = []
    /// How images were prepared for the model that `start` belongs to, if known.
    var trained: Preprocessing?
    /// How images are prepared in the run or checkpoint that this run continues.
    var recorded: Preprocessing?
    /// --load-epoch: continue from this checkpoint of the model prefix.
    var resumeChoice: CheckpointChoice?
    /// What --data-train names.
    var images: ImageData
    var classes: Int
    var imageShape: [Int]
    var script: ScriptDefaults
    /// The processes that share each batch; nil: only this one.
    var group: MPIGroup?
    /// Whether this process writes the common output.
    private var isFirst: Bool { group.map { $0.rank == 0 } ?? true }

    /// Consumes the run: its initial values are large, and are freed once the trainer has copied them.
    /// - Parameters:
    ///   - flags: all flags in force, for the run's record.
    ///   - recorded: the run that is resumed; nil for a new one.
    consuming func run(
        _ options: TrainingOptions, _ data: DataOptions, flags: [String: JSONValue], continuing recorded: RecordedRun?
    ) throws {
        guard [0, 1].contains(options.testIo) else {
            throw UsageError("--test-io", "is \(options.testIo)", suggestion: "it must be 0 or 1")
        }
        if options.testIo == 1 { return try testInput(options, data) }
        let endEpoch = endEpoch(options)
        let group = group, isFirst = isFirst
        var lock = isFirst ? try recorded.map { try Self.lock($0.prefix) } : nil
        let origin = try origin(options, recorded)
        if let recorded, let over = try statusOfEnded(recorded, origin, options) {
            if isFirst { printError(over) }
            return
        }
        guard endEpoch > origin.epoch || recorded != nil && endEpoch == origin.epoch else {
            throw UsageError(
                "--num-epochs \(endEpoch)", "is not above the first epoch, \(origin.epoch)",
                suggestion: "it is one past the last epoch")
        }
        try options.profile.map(prepareOutput)
        try compareFlags(flags)
        // Everything is opened and planned before the run folder is made: a wrong flag leaves no files.
        let pretrained = pretrained, setup = try setUp(options, data, from: origin)
        let trainer = setup.trainer, training = setup.loader
        let surveyed = try surveyData(setup, recorded)

        // From here on a signal ends the run after its first step: there is something to resume.
        let interrupt = Interrupt(), ending = RunEnding()
        guard isFirst else {
            return try follow(setup, options, data, surveyed.fingerprints, interrupt)
        }
        let folder = try openFolder(options, recorded)
        _ = try group?.gather(Files.absolute(folder.path), purpose: "the run's folder")
        try group?.compare(facts(setup, surveyed.fingerprints))
        let devices = try accelerators(options)
        let prefix = options.run.modelPrefix ?? RunOptions.prefix(inFolder: folder.path)
        let commandLine = recorded?.commandLine ?? CommandLineArguments.typed
        var record = record(flags, origin, pretrained, seed: setup.seed, commandLine)
        record.data = surveyed.fingerprints
        let writeRecords = { [record] in
            try folder.write(record)
            let text = try ConfigurationFile.text(command: record.command, record.arguments)
            try Files.writeAtomically(Data(text.utf8), to: folder.file(ConfigurationFile.name))
            try setup.preprocessing.save(prefix: prefix)
        }
        do {
            if lock == nil {
                lock = try Self.lock(prefix)
                if !folder.isContinued, !folder.isNew { try folder.checkUnused() }
                // It belongs to another run, which this one replaces.
                Files.remove(Checkpoint.latestPath(prefix))
            }
            Checkpoint.removeLeftovers(prefix: prefix)
            folder.removeLeftovers([ConfigurationFile.name])
            try writeRecords()
        } catch {
            // Nothing was written that could be resumed.
            if folder.isNew, Files.folder(of: prefix) == folder.path { Files.remove(Self.lockPath(prefix)) }
            folder.removeIfEmpty()
            throw error
        }
        // Where there are checkpoints, there is also a state to resume from, even before the run's own first one.
        if !origin.isState, !Checkpoint.numbers(prefix: prefix).isEmpty {
            try trainer.saveState(to: Checkpoint.latestPath(prefix), setup.progress)
        }
        let reports = RunReports(
            setup, folder: folder, prefix: prefix, classes: classes,
            layers: RunLayers(network: network, symbol: symbol, imageShape: imageShape))
        let first = min(10, max(0, training.batchesPerEpoch - 5)), timeline = Timeline(steps: first..<first + 5)
        trainer.timeline = timeline
        let profile = TimelineWriter(timeline) { timeline in
            trainer.timeline = nil
            try RunProfile(timeline.spans)?.write(to: folder)
        }
        var after: [any FitObserver] = [profile]
        after += reports.observers + options.exporters(folder: folder, record: record, trainer: trainer)
        if let path = options.profile { after.append(TimelineWriter(timeline) { try Trace.write($0, to: path) }) }
        let observers = try RunObservers.standard(
            folder: folder, title: "\(network) on \(FilePath(data.dataTrain ?? "").name)",
            subtitle: "anneal \(commandLine.dropFirst().map { "\(FilePath($0))" }.joined(separator: " "))",
            displayBatches: options.run.dispBatches, from: folder.isContinued ? setup.progress.position : nil,
            progress: options.run.quiet ? .quiet : options.run.json ? .json : .shown, after: after)
        let remark = try options.recipe.map { [FitEvent.note(try Recipe.named($0).remark(flags))] } ?? []
        let moved = recorded?.note.map { [$0] } ?? []
        let warnings = (lock?.warnings ?? []).map(FitEvent.warning) + moved + jobNotes(setup, options, devices)
        for note in warnings + remark + remarks + setup.notes + surveyed.notes {
            for observer in observers { try observer.receive(note) }
        }

        var fitOptions = try options.run.fitOptions(
            metrics: setup.metrics, prefix: prefix, views: data.validation.tta,
            observers: [CompilationNotes(setup.compilations, observers)] + observers
                + options.run.monitors(trainer, observers)
                + [FolderKeeper(folder, observers, writeRecords), ending, HeapTrimmer()],
            shouldStop: interrupt.check)
        fitOptions.judged = reports.judged
        do {
            try trainer.fit(
                training: setup.training, validation: setup.validation,
                epochs: setup.progress.position.epoch..<max(endEpoch, setup.progress.position.epoch),
                options: fitOptions, from: setup.progress)
        } catch {
            reports.fail(error)
            if options.run.json { try? EventLines.writeFailure("\(error)", to: StandardStream.output) }
            for case let store as MLflowWriter in after { store.fail() }
            throw error
        }
        for bad in training.badRecords + (setup.validation?.badRecords ?? []) {
            for observer in observers { try observer.receive(.warning("skipped \(bad.reason)")) }
        }
        withExtendedLifetime(lock) {}
        try ending.check(prefix: prefix, folder: folder, interrupt)
        guard !options.run.quiet, !options.run.json else { return }
        let trace = options.profile.map { "Trace:  \($0)\n\(exchangeNote(timeline))" } ?? ""
        printError((Self.places(folder, prefix) + trace).trimmingCharacters(in: .newlines))
    }

    /// What to look at after a run.
    private static func places(_ folder: RunFolder, _ prefix: String) -> String {
        let results = RunResults.read(folder.results)
        let kept = [("best", results?.best), ("last", results?.last)].compactMap { word, kept in
            kept?.file != nil ? "\(word) \(kept?.checkpoint ?? 0)" : nil
        }
        let curves = Files.exists(folder.curvesPNG) ? "Curves: \(folder.curvesPNG)\n" : ""
        let report = Files.exists(folder.report) ? "Report: \(folder.report)\n" : ""
        let numbers = kept.isEmpty ? "" : " (checkpoints: \(kept.joined(separator: ", ")))"
        return curves + report + (Checkpoint.numbers(prefix: prefix).isEmpty ? "" : "Model:  \(prefix)\(numbers)\n")
    }

    private static func lockPath(_ prefix: String) -> String { "\(prefix).lock" }

    private static func lock(_ prefix: String) throws -> FileLock {
        let folder = Files.folder(of: prefix)
        if !folder.isEmpty { try Files.makeFolder(folder) }
        return try FileLock(lockPath(prefix), suggestion: "another run saves there: wait for its end, or stop it")
    }

    /// Where the run starts: at its last saved state, at the checkpoint of --load-epoch, or at initial values.
    func origin(_ options: TrainingOptions, _ recorded: RecordedRun?) throws -> RunOrigin {
        if let origin = try recorded?.origin() { return origin }
        guard let resumeChoice, let prefix = options.run.ownPrefix else { return .beginning }
        return .checkpoint(
            prefix: prefix, epoch: try Checkpoint.number(prefix: prefix, resumeChoice),
            resetsOptimizer: options.run.resetOptimizer)
    }

    private func openFolder(_ options: TrainingOptions, _ recorded: RecordedRun?) throws -> RunFolder {
        if let recorded { return try RunFolder.open(recorded.folder, occupied: .resume) }
        return try RunFolder.open(
            options.run.runFolder ?? RunFolder.defaultPath(command: command),
            occupied: options.run.runFolder == nil ? .number : resumeChoice == nil ? .refuse : .resume)
    }

    /// The message for a run that is finished and has nothing left to do; nil otherwise. A run that was killed after
    /// its last save still has to score with test-time augmentation and to report its end.
    /// - Throws: `UsageError` if it has trained more epochs than requested.
    private func statusOfEnded(_ run: RecordedRun, _ origin: RunOrigin, _ options: TrainingOptions) throws -> String? {
        let saved = try origin.saved()?.progress
        let progress: FitProgress
        switch origin {
        case .beginning: return nil
        case .state:
            guard let saved else { return nil }
            progress = saved
        case .checkpoint(_, let epoch, _):
            progress = (saved ?? FitProgress(position: FitPosition(epoch: epoch))).renumbered(epoch: epoch)
        }
        let endEpoch = endEpoch(options), epochs = progress.position.epoch
        guard !origin.isState || progress.position <= FitPosition(epoch: endEpoch) else {
            throw UsageError(
                "--num-epochs \(endEpoch)", "the run has already trained \(epochs.counted("epoch"))",
                suggestion: "leave it out, or give more than \(epochs)")
        }
        let patience = options.run.patience
        let endedEarly = FitOptions(earlyStopping: patience).stopsEarly(progress)
        guard epochs == endEpoch || endedEarly,
            let folder = try? RunFolder.open(run.folder, occupied: .resume),
            RunResults.read(folder.results)?.epochs == epochs
        else { return nil }
        let how =
            endedEarly
            ? "it stopped early after \(epochs.counted("epoch"))" : "it has trained its \(endEpoch.counted("epoch"))"
        let more = endedEarly ? "--early-stopping above \(patience ?? 0)" : "--num-epochs above \(endEpoch)"
        return "\(run.folder): the run is over: \(how) (to train on, give \(more))\n"
            + Self.places(folder, run.prefix).trimmingCharacters(in: .newlines)
    }

    /// The flags in force, for the record and for a file that starts the same run.
    private func record(
        _ flags: [String: JSONValue], _ origin: RunOrigin, _ pretrained: SavedModel?, seed: UInt64,
        _ commandLine: [String]
    ) -> RunRecord {
        var flags = flags
        flags["seed"] = JSONValue(seed)
        // How this part of the run is monitored is irrelevant to the next.
        for flag in ["quiet", "json"] { flags[flag] = nil }
        // The best and the last checkpoint of a model may change.
        if let pretrained, pretrained.foreignFile == nil { flags["load-epoch"] = .integer(pretrained.number) }
        if case .checkpoint(_, let epoch, _) = origin, flags["load-epoch"] != nil {
            flags["load-epoch"] = .integer(epoch)
        }
        return RunRecord(
            command: command, commandLine: commandLine, arguments: flags,
            version: AnnealTool.configuration.version, threads: Parallel.threads)
    }

    func endEpoch(_ options: TrainingOptions) -> Int { options.numEpochs ?? script.numEpochs }
}

/// Records how a run ended.
private final class RunEnding: FitObserver {
    private var end: RunEnd?

    func receive(_ event: FitEvent) {
        if case .finished(let end) = event { self.end = end }
    }

    /// Throws if something was not saved, or the run was interrupted.
    func check(prefix: String, folder: RunFolder, _ interrupt: Interrupt) throws {
        let resume = "anneal resume \(shellQuoted(folder.path))"
        if let missing = end?.missing, !missing.isEmpty {
            let last = [Checkpoint.latestPath(prefix), Checkpoint.parametersPath(prefix, end?.lastCheckpoint ?? 0)]
            let isLeft = missing.contains { file in last.contains { file.hasPrefix($0) } }
            throw AnnealError(
                prefix, "not saved: \(Self.shortened(missing).joined(separator: ", "))",
                suggestion: isLeft
                    ? "make room, then run: \(resume), which continues from the last state that was saved"
                    : "make room before the next run: these weights are gone")
        }
        if end?.interrupted == true { throw interrupt.interrupted(suggestion: "to continue, run: \(resume)") }
    }

    /// The first files, and those that matter most: the best and the last checkpoint, and the state.
    private static func shortened(_ files: [String]) -> [String] {
        guard files.count > 6 else { return files }
        let best = files.dropFirst(3).dropLast(2).filter { $0.hasSuffix(", the best)") }
        return files.prefix(3) + ["\(files.count - 5 - best.count) more"] + best + files.suffix(2)
    }
}

/// Writes the records of a run again if its folder is deleted or moved, so that what is saved later is usable. Comes
/// after the reports, which write theirs again themselves.
private final class FolderKeeper: FitObserver {
    private let folder: RunFolder
    private let reports: [any FitObserver]
    private let write: () throws -> Void
    private var told = ""

    init(_ folder: RunFolder, _ reports: [any FitObserver], _ write: @escaping () throws -> Void) {
        self.folder = folder
        self.reports = reports
        self.write = write
    }

    func receive(_ event: FitEvent) throws {
        guard case .epoch = event, !Files.exists(folder.arguments) else { return }
        var text = "\(folder.path) was deleted or moved: it is made again, without the checkpoints saved before"
        do {
            try Files.makeFolder(folder.path)
            try write()
        } catch let error as AnnealError {
            // A training that has started does not fail because of a record.
            text = "\(folder.path) was deleted or moved and cannot be made again: \(error)"
            guard text != told else { return }
            told = text
        }
        for report in reports { try report.receive(.warning(text)) }
    }
}

/// Quoted so that a shell reads it as one word.
func shellQuoted(_ text: String) -> String {
    // `print` writes control characters in the form that bash reads in quotes of this kind.
    guard text.printable() == text else {
        let quoted = text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "'", with: "\\'")
        return "$'\(quoted.printable())'"
    }
    return text.allSatisfy { $0.isLetter || $0.isNumber || "/._-+=:,@%".contains($0) }
        ? text : "'" + text.replacingOccurrences(of: "'", with: "'\\''") + "'"
}

/// Errors in flags' values count as usage errors.
func flagErrors<T>(_ body: () throws -> T) throws -> T {
    do {
        return try body()
    } catch let error as AnnealError {
        throw UsageError(error.place, error.problem, suggestion: error.suggestion)
    }
}
