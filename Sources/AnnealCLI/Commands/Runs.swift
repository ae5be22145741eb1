import Anneal
import ArgumentParser
import Foundation

extension RunCatalogue.Order: ExpressibleByArgument {}

/// Lists what is below a folder of runs.
struct Runs: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the training runs of a folder.",
        discussion: """
            Runs are looked for in the folder and up to three levels below it. A run is running, finished, interrupted (by a \
            signal, or because it was killed: 'anneal resume' continues it) or failed. The best is the best validation so \
            far; the best, the latest and the longest runs come first when they are sorted by that.

            anneal runs
            anneal runs experiments --sort best
            anneal runs --json
            """)

    @Argument(help: ArgumentHelp("Where to look.", valueName: "FOLDER"), completion: .directory)
    var folder: String = "runs"
    @Option(
        help: ArgumentHelp(
            "Sort order.",
            valueName: "ORDER")
    )
    var sort: RunCatalogue.Order = .name
    @Flag(help: "Print one line of JSON for each run.")
    var json = false
    @Flag(help: "Print comma-separated values.")
    var csv = false

    func run() throws {
        guard !json || !csv else {
            throw UsageError("--csv", "cannot be combined with --json", suggestion: "give one of them")
        }
        guard Files.isFolder(folder) else {
            throw AnnealError(
                folder, Files.exists(folder) ? "is not a folder" : "is not there",
                suggestion: Spelling.question(Spelling.existingPath(like: folder).map { [$0] } ?? [])
                    + "name a folder of runs: anneal runs FOLDER", code: .notFound)
        }
        let runs = try RunCatalogue.runs(in: folder, by: sort)
        if json {
            for run in runs { print(try run.json.encoded()) }
        } else if csv {
            print(
                CSV.line([
                    "run", "state", "metric", "best", "checkpoint", "epochs", "end_epoch", "seconds", "started",
                    "command",
                ]))
            for run in runs { print(Self.csv(run)) }
        } else if runs.isEmpty {
            print("no runs in \(folder)")
        } else {
            print(Self.table(runs, width: StandardStream.output.style))
            for run in runs {
                guard let problem = run.problem ?? run.status?.error else { continue }
                print("\(run.name.printable()): \(problem.printable())")
            }
        }
    }

    private static func csv(_ run: RunSummary) -> String {
        CSV.line([
            CSV.text(run.name), run.state.rawValue, run.best?.metric ?? "", run.best.map { "\($0.value)" } ?? "",
            run.best.map { "\($0.checkpoint)" } ?? "", "\(run.epochs)", run.endEpoch.map(String.init) ?? "",
            "\(run.seconds)", run.record?.date.formatted(.iso8601) ?? "", CSV.text(run.commandLine),
        ])
    }

    private static func table(_ runs: [RunSummary], width style: TerminalStyle) -> String {
        let rows = runs.map { run in
            [
                run.name, run.state.rawValue, run.best.map { Readable.metric($0.value) } ?? "-",
                run.best.map { "\($0.checkpoint)" } ?? "-",
                run.endEpoch.map { "\(run.epochs)/\($0)" } ?? "\(run.epochs)",
                Readable.duration(run.seconds), String(run.commandLine.dropFirst("anneal ".count)),
            ]
        }
        let header = ["run", "state", "best", "at", "epochs", "time", "command"]
        let used = (0..<6).reduce(0) { sum, column in
            sum + 2 + (rows + [header]).reduce(0) { max($0, $1[column].printable().columns) }
        }
        // Lines are cut to the width of a terminal; elsewhere nothing is cut.
        let room = style.isInteractive ? style.width - used - 1 : .max
        // A narrow one has no room for commands.
        var table = TextTable(room < 10 ? header.dropLast() : header, right: [2, 3, 4, 5])
        for var row in rows {
            let command = row.removeLast().printable()
            if room >= 10 { row.append(command.columns > room ? command.prefix(columns: room - 1) + "…" : command) }
            table.add(row)
        }
        return table.text
    }
}
