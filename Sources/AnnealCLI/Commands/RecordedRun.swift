import Anneal
import AnnealConfiguration
import ArgumentParser
import Foundation

/// A run that began earlier, by the record in its folder.
struct RecordedRun {
    /// The folder's absolute path.
    let folder: String
    /// The command that began the run, with the flags that override at its end.
    let commandLine: [String]
    let command: any TrainingCommand

    /// Of the model.
    var prefix: String { command.training.run.modelPrefix ?? RunOptions.prefix(inFolder: folder) }

    /// The last saved state; nil if nothing was saved yet: then the command begins again.
    var state: String? {
        let path = Checkpoint.latestPath(prefix)
        return Files.exists(path) ? path : nil
    }

    /// Reads the record and goes to the folder in which the run was started: its paths begin there.
    /// - Parameter overrides: flags that replace those of the record.
    init(folder: String, overrides: [String]) throws {
        self.folder = URL(fileURLWithPath: folder).standardizedFileURL.path
        guard Files.isFolder(folder) else {
            throw AnnealError(folder, "is no folder", suggestion: "name a run's folder")
        }
        let path = try RunFolder.open(self.folder, occupied: .resume).arguments
        guard Files.exists(path) else {
            throw AnnealError(folder, "holds no run: arguments.json is not there", suggestion: "name a run's folder")
        }
        let record = try RunRecord.read(path)
        guard record.commandLine.count > 1, chdir(record.workingFolder) == 0 else {
            throw AnnealError(
                record.workingFolder, "the run was started there, and it cannot be entered",
                suggestion: "make it again, or repeat the run's command elsewhere with --load-epoch")
        }
        try Self.check(overrides, record.commandLine[1])
        commandLine = record.commandLine + overrides
        // The flags that were in force then: a file or a recipe that the run was started with may be another by now.
        let inForce = Files.path(self.folder, ConfigurationFile.name)
        var flags = Array(record.commandLine.dropFirst()) + (Files.exists(inForce) ? ["--config", inForce] : [])
        // That file leaves it out: it starts new runs.
        if case .string(let prefix)? = record.arguments["model-prefix"] { flags.append("--model-prefix=\(prefix)") }
        command = try Self.command(flags + overrides)
    }

    /// The training command of these arguments, its name first.
    static func command(_ arguments: [String]) throws -> any TrainingCommand {
        let prepared = try flagErrors { try CommandLineArguments.prepare(arguments) }
        guard let command = try AnnealTool.parseAsRoot(prepared) as? any TrainingCommand else {
            throw AnnealError(
                arguments.first ?? "", "is no command that trains", suggestion: "it is train or fine-tune")
        }
        return command
    }

    /// What makes it this run stays.
    private static func check(_ overrides: [String], _ command: String) throws {
        let flags = try flagErrors { try CommandLineArguments.prepare([command] + overrides) }
        for name in ["run-folder", "model-prefix", "load-epoch", "seed"] {
            if let flag = flags.first(where: { $0 == "--\(name)" || $0.hasPrefix("--\(name)=") }) {
                throw UsageError(
                    flag, "cannot change when a run goes on", suggestion: "leave it out, or start a new run")
            }
        }
    }
}
