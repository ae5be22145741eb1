import AnnealCore
import Foundation

/// The folder with everything that a run writes for people: its arguments, log, metrics and curves.
///
/// Two runs never mix: a folder that already holds a run is continued only when the caller resumes that run.
public struct RunFolder: Sendable, Equatable {
    /// What to do when the folder already exists.
    public enum Occupied: Sendable {
        /// Stop with an error that lists the options, if it holds a run.
        case refuse
        /// Use the first free one of `PATH-2`, `PATH-3`, … The system's `mkdir` decides, so runs started at the same
        /// moment get separate folders.
        case number
        /// Continue in the same folder: the caller resumes that run.
        case resume
    }

    public let path: String
    /// Whether the folder held a run before: its metrics are continued, not started.
    public let isContinued: Bool
    /// Whether `open` created the folder: if several processes try, it is true in only one.
    public let isNew: Bool

    /// The resolved arguments, the command line, the version and the machine. See `RunRecord`.
    public var arguments: String { file(Self.recordName) }
    /// The run in MXNet's log grammar. See `TextLog`.
    public var log: String { file("log.txt") }
    /// One row per epoch. See `MetricsCSV`.
    public var metricsCSV: String { file("metrics.csv") }
    /// One object per epoch and displayed batch. See `MetricsJSONL`.
    public var metricsJSONL: String { file("metrics.jsonl") }
    /// The curves as vectors. See `CurvesWriter`.
    public var curvesSVG: String { file("curves.svg") }
    /// The curves as pixels. See `CurvesWriter`.
    public var curvesPNG: String { file("curves.png") }

    /// The run as one page. See `RunPage`.
    public var report: String { file("report.html") }
    /// The run's results, once it is over. See `RunResults`.
    public var results: String { file("results.json") }
    /// The run's progress. See `RunStatus`.
    public var status: String { file("status.json") }
    /// The results of `score`, with the model and data. See `EvaluationReport`.
    public var score: String { file("score.json") }

    package static let recordName = "arguments.json"

    /// A folder to read from: nothing is created.
    public init(existing path: String) { self.init(path: path, isContinued: true, isNew: false) }

    private init(path: String, isContinued: Bool, isNew: Bool) {
        self.path = path
        self.isContinued = isContinued
        self.isNew = isNew
    }

    /// A file of the folder by its name.
    public func file(_ name: String) -> String { Files.path(path, name) }

    /// `runs/2026-11-22_20-50-43-train`: sorts by date, and has no characters that are special to shells or other
    /// systems.
    public static func defaultPath(command: String, date: Date = Date(), under parent: String = "runs") -> String {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.calendar = Calendar(identifier: .gregorian)
        format.dateFormat = "yyyy-MM-dd_HH-mm-ss"
        return Files.path(parent, "\(format.string(from: date))-\(command)")
    }

    /// Creates the folder, or opens it as `occupied` says if it already exists.
    ///
    /// - Throws: `AnnealError` when the folder cannot be created, or holds a run and `occupied` is `.refuse`.
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
            // It may still be empty if a run has just begun.
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

    /// Removes the folder if `open` created it and it is empty.
    public func removeIfEmpty() {
        if isNew { _ = Files.withPath(path) { rmdir($0) } }
    }

    /// Removes incomplete files that a killed process left in the folder.
    /// - Parameter names: further files that the run writes here.
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

    /// Whether any of the files that a run writes exists.
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
