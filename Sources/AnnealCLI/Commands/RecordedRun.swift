import Anneal
import AnnealConfiguration
import ArgumentParser
import Foundation

/// An earlier run, from the record in its folder.
struct RecordedRun {
    /// The folder's absolute path.
    let folder: String
    /// The command that started the run, with overriding flags at its end.
    let commandLine: [String]
    let command: any TrainingCommand
    /// A description of the run's data; nil if an earlier version recorded the run.
    let data: [String: DataFingerprint]?
    /// --accept-changed-data
    let acceptsChangedData: Bool
    /// The folder that the run's paths are relative to, if it was moved.
    let note: FitEvent?
    /// --load-epoch: the run's checkpoint to go back to.
    private let choice: CheckpointChoice?
    /// --reset-optimizer: use only that checkpoint's weights.
    private let resetsOptimizer: Bool

    /// The model's prefix.
    var prefix: String { command.training.run.modelPrefix ?? RunOptions.prefix(inFolder: folder) }

    /// Reads the record and changes to the folder in which the run was started, or to its present place: the run's
    /// paths are relative to it.
    /// - Parameters:
    ///   - overrides: flags that replace those of the record.
    ///   - acceptsChangedData: whether the run may continue with data that has changed.
    init(folder: String, overrides: [String], acceptsChangedData: Bool = false) throws {
        self.acceptsChangedData = acceptsChangedData
        self.folder = Files.absolute(folder)
        guard Files.isFolder(folder) else {
            let underRuns = Files.path("runs", folder)
            let near = Files.isFolder(underRuns) ? underRuns : Spelling.existingPath(like: folder)
            throw AnnealError(
                folder, "is not a folder",
                suggestion: Spelling.question(near.map { [$0] } ?? []) + "name a run's folder")
        }
        let path = try RunFolder.open(self.folder, occupied: .resume).arguments
        guard Files.exists(path) else {
            throw AnnealError(folder, "holds no run: it has no arguments.json", suggestion: "name a run's folder")
        }
        let record = try RunRecord.read(path)
        guard record.commandLine.count > 1 else {
            throw AnnealError(path, "does not name the run's command", suggestion: "name another run's folder")
        }
        let typedIn = Files.workingFolder
        note = try Self.enter(record, self.folder, overrides)
        var overrides = overrides
        // They say where to resume, and are not flags of the run.
        let number = try Self.takeOut("load-epoch", from: &overrides, of: record.commandLine[1])
        choice = try number.map { text in
            guard let choice = CheckpointChoice(text) else {
                let error = CheckpointChoice.unknown(text)
                throw UsageError(error.place, error.problem, suggestion: error.suggestion)
            }
            return choice
        }
        resetsOptimizer = try Self.takeOut("reset-optimizer", from: &overrides, of: record.commandLine[1]) != nil
        guard choice != nil || !resetsOptimizer else {
            throw UsageError(
                "--reset-optimizer", "begins at a checkpoint", suggestion: "name it too: --load-epoch N, best or last")
        }
        overrides = try Self.withPaths(overrides, from: typedIn, of: record.commandLine[1])
        try Self.check(overrides, record.commandLine[1])
        overrides += try Self.replacedDevices(overrides, record.commandLine[1])
        commandLine = record.commandLine + overrides
        data = record.data
        // The flags in force then: a file or recipe that the run was started with may have changed since.
        let inForce = Files.path(self.folder, ConfigurationFile.name)
        var flags = Array(record.commandLine.dropFirst()) + (Files.exists(inForce) ? ["--config", inForce] : [])
        // That file omits it, since it starts new runs.
        if case .string(let prefix)? = record.arguments["model-prefix"] { flags.append("--model-prefix=\(prefix)") }
        command = try Self.command(flags + overrides)
    }

    /// Changes to the folder that the run's paths are relative to.
    /// - Returns: a note if it is not the folder in which the run was started.
    private static func enter(_ record: RunRecord, _ folder: String, _ overrides: [String]) throws -> FitEvent? {
        // Data that is named now need not be where it was.
        var others = overrides, data: [String] = []
        let isNamed = try takeOut("data-train", from: &others, of: record.commandLine[1]) != nil
        if !isNamed, case .string(let path)? = record.arguments["data-train"] { data = [path] }
        let place = try RunPlace(record, folder: folder).workingFolder(holding: data)
        guard Files.enter(place.path) else {
            throw AnnealError(
                place.path, "the run was started there, but the folder cannot be entered",
                suggestion: "change the folder's permissions, or copy the project")
        }
        return place.isMoved
            ? .note("The run was started in \(record.workingFolder); its paths begin in \(place.path) now") : nil
    }

    /// Where the run resumes; nil if nothing was saved yet: then the command starts from the beginning.
    /// - Throws: an error with a suggestion, if the last state is missing but checkpoints exist.
    func origin() throws -> RunOrigin? {
        if let choice {
            let number = try Checkpoint.number(prefix: prefix, choice)
            return .checkpoint(prefix: prefix, epoch: number, resetsOptimizer: resetsOptimizer)
        }
        let state = Checkpoint.latestPath(prefix)
        if Files.exists(state) { return .state(state) }
        let resume = "anneal resume \(shellQuoted(folder))"
        if let newest = Checkpoint.numbers(prefix: prefix).last {
            throw AnnealError(
                state, "is not there, and a run that began again would overwrite the checkpoints up to \(newest)",
                suggestion: "to continue from the newest, run: \(resume) --load-epoch \(newest)")
        }
        guard try !TextLog.tellsOfCheckpoints(Files.path(folder, "log.txt")) else {
            throw AnnealError(
                state, "is not there, nor any checkpoint, and the run's log says that some were saved",
                suggestion: "put them back, or start a new run: anneal \(commandLine[1]) --config "
                    + shellQuoted(Files.path(folder, ConfigurationFile.name)))
        }
        return nil
    }

    /// The training command of these arguments, its name first.
    static func command(_ arguments: [String]) throws -> any TrainingCommand {
        let parsed = try flagErrors { try AnnealTool.parse(CommandLineArguments.prepare(arguments)) }
        guard let command = parsed as? any TrainingCommand else {
            throw AnnealError(
                arguments.first ?? "", "is not a training command", suggestion: "it is train or fine-tune")
        }
        return command
    }

    /// Removes a flag, which may be abbreviated, from the arguments of a command.
    /// - Returns: its value, empty for a flag without one; nil if the flag is missing.
    private static func takeOut(_ flag: String, from arguments: inout [String], of command: String) throws -> String? {
        guard let description = ToolDescription.command(command) else { return nil }
        let typed = try flagErrors { [arguments] in try TypedArguments(arguments[...], of: description) }
        guard let value = typed.values[flag] else { return nil }
        arguments = typed.arguments.filter { $0 != "--\(flag)" && !$0.hasPrefix("--\(flag)=") }
        return value
    }

    /// Makes the paths of flags relative to the folder in which they were typed.
    private static func withPaths(_ arguments: [String], from folder: String, of command: String) throws -> [String] {
        guard let description = ToolDescription.command(command), folder != Files.workingFolder else {
            return arguments
        }
        let typed = try flagErrors { try TypedArguments(arguments[...], of: description) }
        return typed.arguments.map { argument in
            let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1)
            guard parts.count == 2, argument.hasPrefix("--"), description.flag(String(parts[0]))?.takesPath == true
            else { return argument }
            let isAbsolute = parts[1].utf8.first == UInt8(ascii: "/")
            return "--\(parts[0])=\(Files.absolute(Files.path(isAbsolute ? "" : folder, String(parts[1]))))"
        }
    }

    /// Two flags name devices: a new one replaces the other.
    private static func replacedDevices(_ overrides: [String], _ command: String) throws -> [String] {
        let flags = try flagErrors { try CommandLineArguments.prepare([command] + overrides).arguments }
        func has(_ name: String) -> Bool { flags.contains { $0 == "--\(name)" || $0.hasPrefix("--\(name)=") } }
        guard has("devices") != has("gpus") else { return [] }
        return [has("devices") ? "--gpus=" : "--devices="]
    }

    /// What identifies the run stays.
    private static func check(_ overrides: [String], _ command: String) throws {
        let flags = try flagErrors { try CommandLineArguments.prepare([command] + overrides).arguments }
        for name in ["run-folder", "model-prefix", "seed", "val-split"] {
            if let flag = flags.first(where: { $0 == "--\(name)" || $0.hasPrefix("--\(name)=") }) {
                throw UsageError(
                    flag, "cannot change when a run resumes", suggestion: "leave it out, or start a new run")
            }
        }
    }
}
