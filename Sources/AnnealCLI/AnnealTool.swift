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
            Score.self,
            Predict.self, Export.self, Convert.self, ImportMNIST.self, Summary.self, PlotNetwork.self, PlotCurves.self,
            Recipes.self, Profile.self, BenchStep.self,
        ])

    static func main() {
        ThreadWaiting.limitSpinning()
        Parallel.limitToQuota()
        do {
            let arguments = try CommandLineArguments.prepare(Array(CommandLine.arguments.dropFirst()))
            var command = try AnnealTool.parseAsRoot(arguments)
            do {
                try command.run()
            } catch let error as AnnealError {
                fail(error, status: 1)
            } catch let error as UsageError {
                fail(error.error, status: ExitCode.validationFailure.rawValue)
            } catch let stop as Interrupted {
                FileHandle.standardError.write(Data("anneal: stopped; \(stop.suggestion)\n".utf8))
                Foundation.exit(130)
            }
        } catch let error as AnnealError {
            // A flag that cannot be taken: bad usage.
            fail(error, status: ExitCode.validationFailure.rawValue)
        } catch {
            AnnealTool.exit(withError: error)
        }
    }

    private static func fail(_ error: AnnealError, status: Int32) -> Never {
        FileHandle.standardError.write(Data("anneal: error: \(error)\n".utf8))
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
