import AnnealCore
import Foundation

/// The folder that holds all that a run writes for people: its arguments, log, metrics and curves.
///
/// Two runs never mix: a folder that already holds a run is continued only when the caller resumes that run.
public struct RunFolder: Sendable, Equatable {
    /// What to do when the folder is there already.
    public enum Occupied: Sendable {
        /// Stop with an error that says which options there are, if it holds a run.
        case refuse
        /// Take the first free of `PATH-2`, `PATH-3`, … The system's `mkdir` decides, so runs that are started at the same
        /// moment get folders of their own.
        case number
        /// Continue in the same folder: the caller resumes that run.
        case resume
    }

    public let path: String
    /// Whether the folder held a run before: its metrics are continued, not started.
    public let isContinued: Bool
    /// Whether `open` made the folder: of several processes, that is true for one.
    public let isNew: Bool

    /// The resolved arguments, the command line, the version and the machine. See `RunRecord`.
    public var arguments: String { file(Self.recordName) }
    /// The run in MXNet's log grammar. See `TextLog`.
    public var log: String { file("log.txt") }
    /// A row an epoch. See `MetricsCSV`.
    public var metricsCSV: String { file("metrics.csv") }
    /// An object an epoch and a displayed batch. See `MetricsJSONL`.
    public var metricsJSONL: String { file("metrics.jsonl") }
    /// The curves as vectors. See `CurvesWriter`.
    public var curvesSVG: String { file("curves.svg") }
    /// The curves as pixels. See `CurvesWriter`.
    public var curvesPNG: String { file("curves.png") }

    /// The run as one page. See `RunPage`.
    public var report: String { file("report.html") }
    /// What the run came to, once it is over. See `RunResults`.
    public var results: String { file("results.json") }
    /// Where the run is. See `RunStatus`.
    public var status: String { file("status.json") }
    /// What `score` found, and of which model and data. See `EvaluationReport`.
    public var score: String { file("score.json") }

    package static let recordName = "arguments.json"

    /// A folder to read from: nothing is made.
    public init(existing path: String) { self.init(path: path, isContinued: true, isNew: false) }

    private init(path: String, isContinued: Bool, isNew: Bool) {
        self.path = path
        self.isContinued = isContinued
        self.isNew = isNew
    }

    /// A file of the folder by its name.
    public func file(_ name: String) -> String { Files.path(path, name) }

    /// `runs/2026-11-22_20-50-43-train`: sorts by date, holds no character that a shell or another system minds.
    public static func defaultPath(command: String, date: Date = Date(), under parent: String = "runs") -> String {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.calendar = Calendar(identifier: .gregorian)
        format.dateFormat = "yyyy-MM-dd_HH-mm-ss"
        return Files.path(parent, "\(format.string(from: date))-\(command)")
    }

    /// Makes the folder, or opens it as `occupied` says when it is there already.
    ///
    /// - Throws: `AnnealError` when the folder cannot be made, or holds a run and `occupied` is `.refuse`.
    public static func open(_ path: String, occupied: Occupied) throws -> RunFolder {
        if try Files.makeNewFolder(path) { return RunFolder(path: path, isContinued: false, isNew: true) }
        switch occupied {
        case .resume:
            return RunFolder(path: path, isContinued: holdsRun(path), isNew: false)
        case .refuse:
            let folder = RunFolder(path: path, isContinued: false, isNew: false)
            try folder.checkUnused()
            return folder
        case .number:
            // It may be empty as yet: a run that has just begun.
            return RunFolder(path: try makeNumbered(path), isContinued: false, isNew: true)
        }
    }

    /// Refuses a folder that holds a run.
    public func checkUnused() throws {
        guard !Self.holdsRun(path) else {
            throw AnnealError(
                path, "the folder already holds a run", suggestion: "resume it, name another folder, or remove it")
        }
    }

    /// Removes the folder if `open` made it and nothing is in it.
    public func removeIfEmpty() {
        if isNew { _ = Files.withPath(path) { rmdir($0) } }
    }

    /// Removes what a killed process left half written of the folder's files.
    /// - Parameter names: of further files that the run writes here.
    public func removeLeftovers(_ names: [String]) {
        let own = Set(
            Self.recordNames + [
                "curves.svg", "curves.png", "status.json", "evaluation.json", "predictions.csv", "results.json",
                "pictures.json", "layers.json", "profile.json", "report.html", "README.md",
            ] + names)
        Files.removeLeftovers(in: path) { name in
            own.contains(name) || name.wholeMatch(of: /arguments-[0-9]+\.json/) != nil
        }
    }

    /// A folder with one of these holds a run.
    private static let recordNames = [
        "arguments.json", "log.txt", "metrics.csv", "metrics.jsonl", "score.json", "find-lr.csv",
    ]

    /// Whether any of the files that a run writes is there.
    public static func holdsRun(_ path: String) -> Bool {
        recordNames.contains { Files.exists(Files.path(path, $0)) }
    }

    /// Writes `arguments.json`. A continued run keeps the earlier ones as `arguments-1.json`, `arguments-2.json`, …
    public func write(_ record: RunRecord) throws {
        if Files.exists(arguments) {
            let number = (1...).first { !Files.exists(file("arguments-\($0).json")) } ?? 1
            try Files.writeAtomically(Files.read(arguments), to: file("arguments-\(number).json"))
        }
        try Files.writeAtomically(record.json(), to: arguments)
    }

    private static func makeNumbered(_ path: String) throws -> String {
        for number in 2...9999 {
            let candidate = "\(path)-\(number)"
            if try Files.makeNewFolder(candidate) { return candidate }
        }
        throw AnnealError(path, "9999 numbered folders exist already", suggestion: "name another folder")
    }
}
