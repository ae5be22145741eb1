import AnnealCore
import CAnnealFuzz
import Foundation
import Synchronization

/// Runs workers over all inputs of all targets, several at a time, and collects the reasons why they ended.
final class Campaign: Sendable {
    struct Failure: Sendable {
        let target: String
        let number: Int
        let problem: String
    }

    struct Settings: Sendable {
        var targets: [FuzzTarget]
        var count: Int
        var seed: UInt64
        var fixtures: String
        /// The folder for inputs that fail.
        var failures: String
        var jobs: Int
    }

    /// After this many failures a target's other inputs are skipped.
    private static let enough = 20

    private let settings: Settings
    private let folder: String
    private let state: Mutex<State>

    private struct State {
        var pieces: [(target: FuzzTarget, inputs: Range<Int>)]
        var scores: [String: Scoreboard.Scores] = [:]
        var failures: [Failure] = []
        /// Errors of the campaign itself.
        var problem: AnnealError?
    }

    var failures: [Failure] { state.withLock { $0.failures } }

    init(_ settings: Settings) throws {
        self.settings = settings
        // In memory if the system supports it: every input is briefly a file.
        let parent = Files.isFolder("/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
        folder = Files.path(parent, "anneal-fuzz-\(getpid())")
        try Files.makeFolder(folder)
        // Several pieces per target, so that no core waits for the slowest one.
        let size = max(1, (settings.count + 3) / 4)
        state = Mutex(
            State(
                pieces: settings.targets.flatMap { target in
                    stride(from: 0, to: settings.count, by: size).map { (target, $0..<min(settings.count, $0 + size)) }
                }))
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// - Returns: the table of results, a line per target.
    func run() throws -> [String] {
        DispatchQueue.concurrentPerform(iterations: settings.jobs) { _ in
            while let (target, inputs) = state.withLock({ $0.pieces.popLast() }) {
                do {
                    try run(target, inputs)
                } catch {
                    state.withLock { $0.problem = error as? AnnealError ?? AnnealError(target.name, "\(error)") }
                }
            }
        }
        return try state.withLock { state in
            if let problem = state.problem { throw problem }
            return settings.targets.map { row($0, state) }
        }
    }

    private func run(_ target: FuzzTarget, _ inputs: Range<Int>) throws {
        let path = Files.path(folder, "\(target.name)-\(inputs.lowerBound)")
        try Files.makeFolder(path)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let board = try Scoreboard(Files.path(path, "scores"))
        var from = inputs.lowerBound
        while from < inputs.upperBound {
            board.scores.current = -1
            let problem = try work(target, from..<inputs.upperBound, path)
            guard let problem else { break }
            let number = board.scores.current
            guard number >= 0 else { throw AnnealError(target.name, "the reader cannot be prepared: \(problem)") }
            let count = try note(Failure(target: target.name, number: number, problem: problem))
            guard count < Campaign.enough else { break }
            from = number + 1
        }
        state.withLock { $0.scores[target.name, default: .init()].add(board.scores) }
    }

    /// Runs one worker; returns why it ended early, or nil.
    private func work(_ target: FuzzTarget, _ inputs: Range<Int>, _ folder: String) throws -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
        process.arguments = [
            "--target", target.name, "--seed", "\(settings.seed)", "--fixtures", settings.fixtures,
            "--from", "\(inputs.lowerBound)", "--to", "\(inputs.upperBound)", "--worker", folder,
        ]
        var environment = ProcessInfo.processInfo.environment
        // Backtraces take seconds; use --input to get one.
        environment["SWIFT_BACKTRACE"] = "enable=no"
        environment["OMP_NUM_THREADS"] = "1"
        process.environment = environment
        let log = Files.path(folder, "errors")
        try Data().write(to: URL(fileURLWithPath: log))
        process.standardError = FileHandle(forWritingAtPath: log)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        let status = process.terminationStatus
        if process.terminationReason == .uncaughtSignal {
            if status == SIGALRM { return "takes more than \(target.secondsLimit) s" }
            return "ends the process by signal \(status) (\(String(cString: strsignal(status))))"
        }
        guard status != 0 else { return nil }
        let message = String(decoding: try Files.read(log), as: UTF8.self).split(separator: "\n").last.map(String.init)
        return status == ANNEAL_FUZZ_OVER_LIMIT
            ? "takes too much memory: \(message ?? "")" : message ?? "exit code \(status)"
    }

    /// Keeps the input; returns the target's number of failures.
    private func note(_ failure: Failure) throws -> Int {
        let path = Files.path(folder, "\(failure.target)-\(failure.number)-again")
        try Files.makeFolder(path)
        defer { try? FileManager.default.removeItem(atPath: path) }
        // Generated again, because the worker that generated it has ended.
        let workspace = Workspace(folder: path, fixtures: settings.fixtures)
        let worker = try Worker(FuzzTarget.named(failure.target), seed: settings.seed, workspace: workspace)
        try Files.makeFolder(settings.failures)
        let file = Files.path(settings.failures, "\(failure.target)-\(settings.seed)-\(failure.number).bin")
        try Files.writeAtomically(Data(worker.mutator.input(failure.number)), to: file)
        return state.withLock { state in
            state.failures.append(failure)
            print("\(failure.target), input \(failure.number): \(failure.problem)")
            print("  repeat it: \(CommandLine.arguments[0]) --target \(failure.target) --input \(file)")
            return state.failures.count { $0.target == failure.target }
        }
    }

    static let heading = row("reader", "inputs", "accepted", "refused", "slowest", "memory", "of a file of", "verdict")

    private func row(_ target: FuzzTarget, _ state: State) -> String {
        let scores = state.scores[target.name] ?? .init()
        let failed = state.failures.count { $0.target == target.name }
        return Campaign.row(
            target.name, "\(scores.accepted + scores.refused + failed)", "\(scores.accepted)", "\(scores.refused)",
            "\(scores.slowestMicroseconds / 1000) ms", "\(scores.memory >> 10) KB", "\(scores.memorySize) bytes",
            failed == 0 ? "ok" : "\(failed) failed")
    }

    private static func row(_ first: String, _ others: String...) -> String {
        func pad(_ text: String) -> String { String(repeating: " ", count: max(1, 15 - text.count)) + text }
        return first + String(repeating: " ", count: max(0, 15 - first.count)) + others.map(pad).joined()
    }
}
