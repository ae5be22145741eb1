import AnnealCore
import Foundation

/// The folder that holds all that a run leaves behind for people: its arguments, log, metrics and curves.
///
/// Two runs never mix: a folder that already holds a run is continued only when the caller resumes that run.
public struct RunFolder: Sendable, Equatable {
    /// What to do when the folder already holds a run.
    public enum Occupied: Sendable {
        /// Stop with an error that says which options there are.
        case refuse
        /// Take the first free of `PATH-2`, `PATH-3`, …
        case number
        /// Go on in the same folder: the caller resumes that run.
        case resume
    }

    public let path: String
    /// Whether the folder held a run before: its metrics are continued, not started.
    public let isContinued: Bool

    /// The resolved arguments, the command line, the version and the machine. See `RunRecord`.
    public var arguments: String { file("arguments.json") }
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

    /// What `score` found, and of which model and data. See `EvaluationReport`.
    public var score: String { file("score.json") }

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

    /// Makes the folder, or opens it as `occupied` says when it already holds a run.
    ///
    /// - Throws: `AnnealError` when the folder cannot be made, or holds a run and `occupied` is `.refuse`.
    public static func open(_ path: String, occupied: Occupied) throws -> RunFolder {
        guard holdsRun(path) else {
            try Files.makeFolder(path)
            return RunFolder(path: path, isContinued: false)
        }
        switch occupied {
        case .resume:
            return RunFolder(path: path, isContinued: true)
        case .refuse:
            throw AnnealError(
                path, "the folder already holds a run", suggestion: "resume it, name another folder, or remove it")
        case .number:
            return RunFolder(path: try makeNumbered(path), isContinued: false)
        }
    }

    /// Whether any of the files that a run writes is there.
    public static func holdsRun(_ path: String) -> Bool {
        let folder = RunFolder(path: path, isContinued: false)
        return [folder.arguments, folder.log, folder.metricsCSV, folder.metricsJSONL, folder.score].contains(
            where: Files.exists)
    }

    /// Writes `arguments.json`. A continued run keeps the earlier ones as `arguments-1.json`, `arguments-2.json`, …
    public func write(_ record: RunRecord) throws {
        if Files.exists(arguments) {
            let number = (1...).first { !Files.exists(file("arguments-\($0).json")) } ?? 1
            try Files.writeAtomically(Files.read(arguments), to: file("arguments-\(number).json"))
        }
        try Files.writeAtomically(record.json(), to: arguments)
    }

    /// `mkdir` decides, so two runs started at one moment get two folders.
    private static func makeNumbered(_ path: String) throws -> String {
        let parent = Files.folder(of: path)
        if !parent.isEmpty { try Files.makeFolder(parent) }
        for number in 2...9999 {
            let candidate = "\(path)-\(number)"
            if mkdir(candidate, 0o755) == 0 { return candidate }
            guard errno == EEXIST else {
                throw AnnealError(candidate, "the folder cannot be made: \(String(cString: strerror(errno)))")
            }
        }
        throw AnnealError(path, "9999 numbered folders exist already", suggestion: "name another folder")
    }
}
