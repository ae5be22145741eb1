import Anneal
import ArgumentParser
import Foundation

/// A run's live view from another terminal.
struct Watch: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watch a run from another terminal.",
        discussion: """
            Shows the run's progress until it ends: its epochs, the rate, the time left, the metrics and the best so far. \
            Ctrl-C ends the view, never the run. Where the output is no terminal, the log's lines are printed as they \
            come.

            anneal watch
            anneal watch runs/2026-11-23_10-00-00-train
            """)

    @Argument(
        help: ArgumentHelp("The run's folder (default: the latest run below runs).", valueName: "RUN"),
        completion: .directory)
    var folder: String?

    func run() throws {
        let folder = RunFolder(existing: try self.folder ?? Self.latest())
        guard Files.exists(folder.arguments) else {
            throw AnnealError(
                folder.path, Files.isFolder(folder.path) ? "holds no run" : "is not a folder",
                suggestion: Spelling.question(Spelling.existingPath(like: folder.path).map { [$0] } ?? [])
                    + "name a run's folder; anneal runs lists them", code: .notFound)
        }
        let interrupt = Interrupt(isAnnounced: false)
        if StandardStream.output.style.isInteractive {
            try watch(folder, interrupt)
        } else {
            try follow(folder, interrupt)
        }
    }

    private static func latest() throws -> String {
        let runs = Files.isFolder("runs") ? try RunCatalogue.runs(in: "runs", by: .date) : []
        guard let run = runs.first(where: { $0.state == .running }) ?? runs.first else {
            throw AnnealError(
                "runs", "holds no run", suggestion: "name a run's folder: anneal watch RUN", code: .notFound)
        }
        return run.path
    }

    /// A run that has just begun has no status yet.
    private func status(_ folder: RunFolder, _ interrupt: Interrupt) throws -> RunStatus {
        for _ in 0..<100 {
            if let status = RunStatus.read(folder.status) { return status }
            // It is always replaced as a whole.
            guard !Files.exists(folder.status) else {
                throw AnnealError(
                    folder.status, "is damaged", suggestion: "anneal runs shows what is known of the run",
                    code: .damaged)
            }
            if interrupt.check() { throw interrupt.interrupted(suggestion: "the run is not touched") }
            usleep(100_000)
        }
        throw AnnealError(
            folder.status, "is not there: the run has not begun to train, or is of an earlier version",
            suggestion: "anneal runs shows what is known of it", code: .notFound)
    }

    private func watch(_ folder: RunFolder, _ interrupt: Interrupt) throws {
        let output = StandardStream.output
        var live = LiveLine(output), curve = LiveView.Curve(), seen = -1
        var status = try status(folder, interrupt)
        live.print("\(folder.path.printable()): \(RunSummary(folder.path, name: "").commandLine.printable())")
        while true {
            let state = status.current()
            if status.epochs != seen {
                curve = LiveView.Curve(RunHistory.readable(folder.metricsJSONL), metric: status.best?.metric)
                seen = status.epochs
            }
            if state != .running {
                live.print(Self.end(status, state))
                return
            }
            let view = LiveView(
                state: TerminalState(status), best: status.best, memoryBytes: status.memoryBytes, curve: curve)
            live.show(view.lines(output.style))
            usleep(250_000)
            if interrupt.check() {
                live.clear()
                throw interrupt.interrupted(suggestion: "the run continues; anneal watch shows it again")
            }
            status = RunStatus.read(folder.status) ?? status
        }
    }

    /// The log's lines as they arrive, and how the run ended.
    private func follow(_ folder: RunFolder, _ interrupt: Interrupt) throws {
        var shown = 0
        while true {
            // Checked first, so that lines written before the end are printed before it.
            let status = try status(folder, interrupt), state = status.current()
            let lines = try LineFile.completeLines(of: folder.log)
            for line in lines.dropFirst(shown) { print(line) }
            shown = lines.count
            guard state == .running else { return print(Self.end(status, state)) }
            if interrupt.check() { throw interrupt.interrupted(suggestion: "the run continues") }
            usleep(500_000)
        }
    }

    private static func end(_ status: RunStatus, _ state: RunStatus.State) -> String {
        var text = "\(state.rawValue.prefix(1).uppercased() + state.rawValue.dropFirst()) after "
        text += "\(status.epochs) of \(status.endEpoch.counted("epoch")), \(Readable.duration(status.seconds))"
        if let best = status.best {
            text += "; best \(best.metric) \(Readable.metric(best.value)), checkpoint \(best.checkpoint)"
        }
        return text + (status.error.map { ": \($0)" } ?? "")
    }
}
