import Anneal
import AnnealMPI
import Foundation

/// Several processes: the first one does everything that a single process does, the others compute with it.
extension TrainingRun {
    /// Trains as the first process says, and writes nothing but its own log.
    func follow(
        _ setup: TrainingSetup, _ options: TrainingOptions, _ data: DataOptions,
        _ fingerprints: [String: DataFingerprint], _ interrupt: Interrupt
    ) throws {
        guard let group else { return }
        let folder = try group.gather("", purpose: "the run's folder")[0]
        try group.compare(facts(setup, fingerprints))
        let devices = try accelerators(options)
        let path = Files.path(folder, "log-rank\(group.rank).txt")
        var observers: [any FitObserver] = []
        // If this host does not see the folder, no log is kept, and training continues.
        if Files.isFolder(folder), let log = try? TextLog(path: path, displayBatches: options.run.dispBatches) {
            observers = [log]
        }
        for note in setup.notes + jobNotes(setup, options, devices) {
            for observer in observers { try observer.receive(note) }
        }
        let prefix = options.run.modelPrefix ?? RunOptions.prefix(inFolder: folder)
        do {
            try setup.trainer.fit(
                training: setup.training, validation: setup.validation,
                epochs: setup.progress.position.epoch..<max(endEpoch(options), setup.progress.position.epoch),
                options: options.run.fitOptions(
                    metrics: setup.metrics, prefix: prefix, views: data.validation.tta, observers: observers,
                    shouldStop: interrupt.check),
                from: setup.progress)
        } catch {
            // The log is all that is left of this process if its terminal is far away.
            for observer in observers { try? observer.receive(.warning("\(error)")) }
            throw error
        }
    }

    /// The message about the trace.
    func exchangeNote(_ timeline: Timeline) -> String {
        ExchangeSummary(timeline.spans, exchanges: timeline.exchanges).map { "\($0.text)\n" } ?? ""
    }

    /// Compares the flags of all processes: what they exchange while they set up depends on them.
    func compareFlags(_ flags: [String: JSONValue]) throws {
        // Where the devices are is each process's own business.
        let own = ["devices", "gpus", "threads", "data-nthreads", "run-folder"]
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let shared = try encoder.encode(flags.filter { !own.contains($0.key) })
        try group?.compare([("flags", String(decoding: shared, as: UTF8.self))])
    }

    /// What else must be the same in all processes.
    func facts(_ setup: TrainingSetup, _ fingerprints: [String: DataFingerprint]) throws -> [(
        what: String, value: String
    )] {
        let machine = setup.trainer.parameters.engine.machine
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return [
            ("version", AnnealTool.configuration.version),
            ("kernels", machine.kernels), ("libraries", machine.library ?? "none"),
            ("data", String(decoding: try encoder.encode(fingerprints), as: UTF8.self)),
        ]
    }

    /// The accelerators of each process, by rank; none if all compute on processors.
    func accelerators(_ options: TrainingOptions) throws -> [String] {
        guard let group else { return [] }
        let own = try options.machine.names(share: options.share)
        let all = try group.gather(own.map(\.description).joined(separator: ","), purpose: "names of devices")
        return all.contains { !$0.hasPrefix("cpu:") } ? all : []
    }

    /// What the log says about the job.
    /// - Parameter devices: the devices of each process, if they are accelerators.
    func jobNotes(_ setup: TrainingSetup, _ options: TrainingOptions, _ devices: [String]) -> [FitEvent] {
        guard let group else {
            return options.job.isShared
                ? [
                    .note(
                        "--kv-store \(options.job.kvStore): "
                            + (MPIGroup.launchedProcesses == nil
                                ? "no launcher has started this process, it" : "this process")
                            + " is the only worker, batch \(options.batchSize)"
                    )
                ]
                : []
        }
        let engine = setup.trainer.parameters.engine
        var notes: [FitEvent] = []
        if options.job.fixedParts == 1, setup.progress.position.batch > 0 {
            notes.append(
                .note(
                    "--fixed-parts: this epoch continues with \(group.size) processes; if it began with another number, some of "
                        + "its images are read twice and others not at all"))
        }
        let shards = options.machine.shards.map { ", in \($0) shards" } ?? ""
        return notes + [
            .note(
                group.note(
                    batch: options.batchSize, rows: engine.rows(of: options.batchSize), shards: shards,
                    updates: updatesPerEpoch(setup.loader, accumulation: setup.trainer.accumulation), devices: devices))
        ]
    }
}
