import Anneal
import ArgumentParser
import Foundation

/// Shows a run as a single page.
struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a run as one self-contained page.",
        discussion: """
            Results, curves, classes and confusions, the images that the model is most wrong about, settings, layers and log, \
            in one HTML file that loads nothing from anywhere. Every run writes it into its folder at its end; this command \
            writes it at any time, also of a run that is under way. To a name that ends in .md goes the model card.

            anneal report runs/2026-11-23_10-00-00-train --to report.html
            """)

    @Argument(help: ArgumentHelp("The run's folder.", valueName: "RUN"), completion: .directory)
    var folder: String
    @Option(
        help: ArgumentHelp(
            "Output file: .html or .md (default: report.html in the run's folder).", valueName: "FILE"))
    var to: String?

    func run() throws {
        let run = RunFolder(existing: folder)
        guard Files.exists(run.arguments) else {
            throw AnnealError(
                folder, Files.isFolder(folder) ? "holds no run" : "is not a folder",
                suggestion: Spelling.question(Spelling.existingPath(like: folder).map { [$0] } ?? [])
                    + "name a run's folder; anneal runs lists them", code: .notFound)
        }
        let path = to ?? run.report, name = path.lowercased()
        if name.hasSuffix(".md") {
            try ModelCard(inFolder: folder).write(to: path)
        } else {
            guard name.hasSuffix(".html") || name.hasSuffix(".htm") || Files.isStandardOutput(path) else {
                throw UsageError("--to \(path)", "has no known suffix", suggestion: "end it in .html or .md")
            }
            try Files.writeAtomically(try RunPage(inFolder: folder).html(), to: path)
        }
        print(path, about: path)
    }
}
