import Anneal
import ArgumentParser
import Foundation

/// The product `anneal`.
@main
struct AnnealTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "anneal",
        abstract: "Train, fine-tune, score and use image classifiers, with MXNet's files and flags.",
        version: "anneal 0.1.0",
        subcommands: [
            Train.self, FineTuneCommand.self, FindLR.self, AugmentPreview.self, Resume.self, VerifyResume.self,
            Score.self, Predict.self, Check.self, Export.self, Convert.self, ImportMNIST.self, Summary.self,
            PlotNetwork.self, PlotCurves.self, Recipes.self, Profile.self, BenchStep.self, ManPages.self,
        ])

    static func main() {
        ProcessStart.prepare()
        do {
            try run(Array(CommandLineArguments.typed.dropFirst()))
            try StandardStream.output.check()
        } catch {
            end(error)
        }
    }

    private static func run(_ typed: [String]) throws {
        if let text = try flagErrors({ try HelpRequest.answer(typed, width: StandardStream.output.style.width) }) {
            return StandardStream.output.write(text)
        }
        // A flag that cannot be taken is bad usage.
        let prepared = try flagErrors { try CommandLineArguments.prepare(typed) }
        var command = try flagErrors { try parse(prepared) }
        ProcessStart.limitThreads()
        do {
            try command.run()
        } catch let error as UsageError {
            let located = prepared.located(error.error)
            throw UsageError(located.place, located.problem, suggestion: located.suggestion)
        }
    }

    /// Says what went wrong, or what was asked for (`--help`), and ends the process.
    private static func end(_ error: any Error) -> Never {
        switch error {
        case let error as AnnealError: fail(error, status: 1)
        case let error as UsageError: fail(error.error, status: ExitCode.validationFailure.rawValue)
        case let stop as Interrupted:
            printError("anneal: stopped; \(stop.suggestion)")
            Foundation.exit(128 + stop.signal)
        case is BrokenPipe: Foundation.exit(128 + SIGPIPE)
        default:
            let text = fullMessage(for: error), status = exitCode(for: error)
            guard status.isSuccess else {
                if !text.isEmpty { printError(text) }
                Foundation.exit(status.rawValue)
            }
            print(text)
            do { try StandardStream.output.check() } catch { end(error) }
            Foundation.exit(status.rawValue)
        }
    }

    private static func fail(_ error: AnnealError, status: Int32) -> Never {
        printError("anneal: error: \(error)")
        Foundation.exit(status)
    }
}

/// A wrong flag that only the command itself can notice.
struct UsageError: Error {
    let error: AnnealError

    init(_ flag: String, _ problem: String, suggestion: String? = nil) {
        error = AnnealError(flag, problem, suggestion: suggestion)
    }
}
