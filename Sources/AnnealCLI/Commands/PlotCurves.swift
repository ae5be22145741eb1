import Anneal
import ArgumentParser
import Foundation

/// Compares runs.
struct PlotCurves: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plot-curves",
        abstract: "Draw the curves of several runs in one picture.",
        discussion: """
            Validation accuracy and loss of each run, over its epochs; a run without validation shows those of training. \
            A run is its folder, or a metrics.jsonl file.

            anneal plot-curves runs/scratch runs/fine-tuned --labels "from scratch,fine-tuned" --to curves.svg
            """)

    @Argument(help: ArgumentHelp("Run folders.", valueName: "RUN"), completion: .directory)
    var runs: [String]
    @Option(
        help: ArgumentHelp(
            "Names of the curves, in the order of the runs (default: the folders' names).", valueName: "A,B"))
    var labels: String?
    @Option(help: ArgumentHelp("The picture's title.", valueName: "TEXT"))
    var title: String = "Comparison of runs"
    @Option(help: ArgumentHelp("Output file: .svg, .pdf or .png.", valueName: "FILE"))
    var to: String = "curves.svg"

    func run() throws {
        let kind = [".svg", ".pdf", ".png"].first { to.lowercased().hasSuffix($0) }
        guard kind != nil || Files.isStandardOutput(to) else {
            throw UsageError("--to \(to)", "has no known suffix", suggestion: "end it in .svg, .pdf or .png")
        }
        let names =
            labels?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            ?? runs.map { FilePath($0).name.description }
        guard names.count == runs.count else {
            throw UsageError(
                "--labels", "has \(names.count.counted("name")) for \(runs.count.counted("run"))",
                suggestion: "give one for each")
        }
        let read = try zip(runs, names).map { path, label in
            RunComparison.Run(label: label, epochs: try epochs(of: path))
        }
        let chart = RunComparison.chart(read, title: title)
        guard !chart.panels.isEmpty else {
            throw AnnealError(runs.joined(separator: ", "), "have no metric in common")
        }
        let data = kind == ".png" ? try chart.png() : kind == ".pdf" ? try chart.pdf() : try chart.svg()
        try Files.writeAtomically(data, to: to)
        print(to, about: to)
    }

    private func epochs(of path: String) throws -> [EpochReport] {
        let file = path.hasSuffix(".jsonl") ? path : Files.path(path, "metrics.jsonl")
        guard Files.exists(file) || Files.exists(RunFolder(existing: path).arguments) else {
            throw AnnealError(
                file, "does not exist",
                suggestion: Spelling.question(Spelling.existingPath(like: path).map { [$0] } ?? [])
                    + "name the folder of a run of 'anneal train' or 'fine-tune'")
        }
        let epochs = Files.exists(file) ? try RunHistory.epochs(of: file) : []
        guard !epochs.isEmpty else {
            let isOver = Files.isFolder(path) && RunSummary(path, name: path).state != .running
            throw AnnealError(
                path, "has no finished epoch",
                suggestion: isOver ? "continue the run: anneal resume \(shellQuoted(path))" : "wait for one")
        }
        return epochs
    }
}
