import AnnealCore
import AnnealTrain
import Foundation

/// A summary of a run, read from its folder.
public struct RunSummary: Sendable {
    /// Relative to the folder that was listed, e.g. `2026-11-22_20-50-43-train`.
    public var name: String
    /// Of its folder.
    public var path: String
    public var state: RunStatus.State
    /// `train` or `fine-tune`; nil if the record cannot be read.
    public var record: RunRecord?
    public var status: RunStatus?
    /// The best validation, or nil if nothing was validated.
    public var best: RunStatus.Best?
    /// Completed epochs.
    public var epochs: Int
    /// Planned epochs; nil if unknown.
    public var endEpoch: Int?
    /// Of training and validation.
    public var seconds: Double
    /// What is wrong with the folder's files; nil if nothing is.
    public var problem: String?

    /// Reads a run's folder. Files that are damaged or incomplete are reported as `problem`, not as an error.
    public init(_ path: String, name: String) {
        let folder = RunFolder(existing: path)
        self.name = name
        self.path = path
        do {
            record = try RunRecord.read(folder.arguments)
        } catch {
            problem = "\(error)"
        }
        status = RunStatus.read(folder.status)
        let results = RunResults.read(folder.results)
        if let status {
            (epochs, seconds, best, endEpoch) = (status.epochs, status.seconds, status.best, status.endEpoch)
            state = status.current()
        } else {
            // A version that did not write a status.
            let history = RunHistory.readable(folder.metricsJSONL)
            epochs = history.last.map { $0.epoch + 1 } ?? 0
            seconds = history.reduce(0) { $0 + $1.wholeSeconds }
            best = Self.best(history)
            if case .integer(let number)? = record?.arguments["num-epochs"] { endEpoch = number }
            state = results == nil ? .interrupted : .finished
        }
        if let results, let kept = results.best, let metric = kept.metric, let value = kept.value, state == .finished {
            best = RunStatus.Best(metric: metric, value: value, checkpoint: kept.checkpoint)
        }
    }

    /// Of the first validation metric.
    static func best(_ epochs: [EpochReport]) -> RunStatus.Best? {
        // Metrics read from a file are sorted by name: accuracy decides if it is among them.
        let names = epochs.first?.validation.map(\.name) ?? []
        guard let name = names.first(where: { $0 == "accuracy" }) ?? names.first else { return nil }
        var best: RunStatus.Best?
        for epoch in epochs {
            guard let value = epoch.validation.first(where: { $0.name == name })?.value, value.isFinite else {
                continue
            }
            if best.map({ MetricSense.isBetter(value, than: $0.value, name: name) }) ?? true {
                best = RunStatus.Best(metric: name, value: value, checkpoint: epoch.epoch + 1)
            }
        }
        return best
    }

    /// As typed, with `anneal` as the program's name; empty if the record cannot be read.
    public var commandLine: String {
        guard let record else { return "" }
        return (["anneal"] + record.commandLine.dropFirst()).joined(separator: " ")
    }

    /// One object for `anneal runs --json`.
    public var json: JSONValue {
        var object: [String: JSONValue] = [
            "run": .string(name), "path": .string(path), "state": .string(state.rawValue), "epochs": .integer(epochs),
            "seconds": .number(seconds),
        ]
        object["end_epoch"] = endEpoch.map(JSONValue.integer)
        if let best {
            object["best"] = [
                "metric": .string(best.metric), "value": .number(best.value), "checkpoint": .integer(best.checkpoint),
            ]
        }
        if let record {
            object["command"] = .array(record.commandLine.map(JSONValue.string))
            object["started"] = .string(record.date.formatted(.iso8601))
        }
        if let error = status?.error { object["error"] = .string(error) }
        if let problem { object["problem"] = .string(problem) }
        return .object(object)
    }
}

/// The runs below a folder.
public enum RunCatalogue {
    /// The order of a list of runs.
    public enum Order: String, Sendable, CaseIterable { case name, date, state, best, epochs, time }

    /// Folders with training runs below a folder, at most three levels deep. The folder itself may be one. Links are
    /// not followed.
    /// - Returns: names relative to the folder, in order.
    /// - Throws: `AnnealError` if the folder cannot be read; unreadable ones below it are left out.
    public static func names(in folder: String) throws -> [String] {
        if isRun(folder) { return [""] }
        var found: [String] = []
        func search(_ names: [String], in parent: String, depth: Int) {
            for name in names {
                let below = parent.isEmpty ? name : Files.path(parent, name), path = Files.path(folder, below)
                guard Files.isFolderItself(path) else { continue }
                if isRun(path) {
                    found.append(below)
                } else if depth < 3, let inside = try? Files.names(in: path) {
                    search(inside, in: below, depth: depth + 1)
                }
            }
        }
        search(try Files.names(in: folder), in: "", depth: 1)
        return found
    }

    /// The runs below a folder, sorted; the best, the latest and the longest come first.
    public static func runs(in folder: String, by order: Order = .name) throws -> [RunSummary] {
        let runs = try names(in: folder).map { name in
            RunSummary(
                name.isEmpty ? folder : Files.path(folder, name), name: name.isEmpty ? Files.name(of: folder) : name)
        }
        return sorted(runs, by: order)
    }

    /// Runs that compare equal stay in the order of their names.
    static func sorted(_ runs: [RunSummary], by order: Order) -> [RunSummary] {
        func key(_ run: RunSummary) -> Double {
            switch order {
            case .name: 0
            case .date: -(run.record?.date.timeIntervalSince1970 ?? -.infinity)
            case .state: Double(RunStatus.State.allCases.firstIndex(of: run.state) ?? 0)
            case .best: run.best.map { MetricSense.isLoss($0.metric) ? $0.value : -$0.value } ?? .infinity
            case .epochs: -Double(run.epochs)
            case .time: -run.seconds
            }
        }
        return runs.map { (key($0), $0) }.sorted { ($0.0, $0.1.name) < ($1.0, $1.1.name) }.map(\.1)
    }

    /// Whether a folder holds the record of a training run.
    static func isRun(_ path: String) -> Bool { Files.exists(Files.path(path, RunFolder.recordName)) }
}
