import Anneal
import ArgumentParser
import Foundation

/// The product `anneal`.
@main
struct AnnealTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "anneal",
        abstract: "Train, fine-tune, score and use image classifiers, with MXNet's files and flags.",
        version: "anneal 0.2.0",
        subcommands: [
            Train.self, FineTuneCommand.self, FindLR.self, AugmentPreview.self, Resume.self, VerifyResume.self,
            Launch.self, Score.self, Predict.self, Runs.self, Watch.self, Compare.self, Report.self, Serve.self,
            Check.self, Im2rec.self, Rec.self, ImportData.self, ImportMNIST.self, ExportImages.self, Import.self,
            Export.self, Convert.self, Summary.self, PlotNetwork.self, PlotCurves.self, Recipes.self, Devices.self,
            Profile.self, PlanJob.self, BenchStep.self, BenchExchange.self, ManPages.self, Reference.self,
        ])

    static func main() {
        let typed = Array(CommandLineArguments.typed.dropFirst())
        ProcessStart.prepare(computes: !HelpRequest.isOne(typed))
        var end = ToolEnd.of(typed, width: StandardStream.output.style.width)
        StandardStream.output.write(end.output)
        if end.status == 0 {
            do { try StandardStream.output.check() } catch { end = ToolEnd(error) }
        }
        if !end.errors.isEmpty {
            if let rank = Job.rank, rank > 0 {
                // An error that occurs everywhere is reported once: the first process's end ends this one.
                sleep(2)
                end.errors = "rank \(rank): \(end.errors)"
            }
            printError(end.errors)
        }
        Foundation.exit(end.status)
    }

    /// - Returns: the text that was requested instead of a command.
    fileprivate static func run(_ typed: [String], width: Int) throws -> String {
        if let text = try flagErrors({ try HelpRequest.answer(typed, width: width) }) { return text }
        // A flag that cannot be used is a usage error.
        let prepared = try flagErrors { try CommandLineArguments.prepare(typed) }
        var command = try flagErrors { try parse(prepared) }
        ProcessStart.limitThreads()
        do {
            try command.run()
        } catch let error as UsageError {
            let located = prepared.located(error.error)
            throw UsageError(located.place, located.problem, suggestion: located.suggestion)
        }
        return ""
    }
}

/// How a call of the tool ends: its final output and its exit status. What a command prints while it runs is not
/// included.
package struct ToolEnd: Sendable {
    package var status: Int32 = 0
    /// Help and the like, for standard output.
    package var output = ""
    /// For standard error, without the last line feed.
    package var errors = ""

    /// Does what the arguments request.
    /// - Parameters:
    ///   - typed: without the program's name.
    ///   - width: columns for help.
    package static func of(_ typed: [String], width: Int) -> ToolEnd {
        do {
            var end = ToolEnd()
            end.output = try AnnealTool.run(typed, width: width)
            return end
        } catch {
            return ToolEnd(error)
        }
    }

    private init() {}

    fileprivate init(_ error: any Error) {
        switch error {
        case let error as AnnealError: (status, errors) = (1, "anneal: error: \(error)")
        case let error as UsageError:
            (status, errors) = (ExitCode.validationFailure.rawValue, "anneal: error: \(error.error)")
        case let stop as Interrupted: (status, errors) = (128 + stop.signal, "anneal: stopped; \(stop.suggestion)")
        case is BrokenPipe: status = 128 + SIGPIPE
        default:
            let text = AnnealTool.fullMessage(for: error)
            status = AnnealTool.exitCode(for: error).rawValue
            if status == 0 { output = text + "\n" } else { errors = text }
        }
    }
}

/// A wrong flag that only the command itself can detect.
struct UsageError: Error {
    let error: AnnealError

    init(_ flag: String, _ problem: String, suggestion: String? = nil) {
        error = AnnealError(flag, problem, suggestion: suggestion)
    }
}
