import Anneal
import ArgumentParser
import Foundation

/// Arguments that are ready for the parser.
struct PreparedArguments {
    var command: String
    /// The command first; every flag in full and joined to its value: `--lr=0.1`.
    var arguments: [String]
    /// Where the value of a flag that was not typed comes from: `c.yaml, line 3`.
    var places: [String: String] = [:]

    /// Errors about a flag from a file name the file.
    func located(_ error: AnnealError) -> AnnealError {
        guard let word = error.place.split(whereSeparator: { $0 == " " || $0 == ":" }).first, word.hasPrefix("--"),
            let place = places[String(word.dropFirst(2))]
        else { return error }
        return error.within(place)
    }
}

/// Prepares arguments for the parser. As in Python's argparse, for users of MXNet's scripts, any unique prefix of a
/// flag stands for it (`--num-epoch`), and values may begin with a minus. Unknown flags are refused with a suggestion.
/// The flags of a recipe and of a configuration file come before the typed ones, unless these set them.
enum CommandLineArguments {
    typealias Flag = ToolDescription.Argument

    /// The process's arguments; bytes that are not UTF-8, as in a file's name, are preserved (`FilePath.text`).
    static let typed: [String] = (0..<Int(CommandLine.argc)).compactMap { index in
        CommandLine.unsafeArgv[index].map { start in
            FilePath(bytes: UnsafeRawBufferPointer(start: start, count: strlen(start))).text
        }
    }

    static func prepare(_ arguments: [String]) throws -> PreparedArguments {
        guard let first = arguments.first, !first.hasPrefix("-") else {
            guard let flag = arguments.first, !ownFlags.contains(where: flag.hasPrefix) else {
                return PreparedArguments(command: "", arguments: arguments)
            }
            throw NearMiss.notBeforeACommand(flag)
        }
        guard let command = ToolDescription.command(first) else { throw NearMiss.unknownCommand(first) }
        guard command.parts.isEmpty else { return try prepare(arguments.dropFirst(), partOf: command) }
        let typed = try TypedArguments(arguments.dropFirst(), of: command)
        guard AnnealTool.isMXNetScript(first) else {
            return PreparedArguments(command: first, arguments: [first] + EmptyValues.removed(from: typed.arguments))
        }
        let set = try FlagsFromFiles(command, typed)
        return PreparedArguments(
            command: first, arguments: [first] + EmptyValues.removed(from: set.arguments + typed.arguments),
            places: set.places)
    }

    /// Arguments of a command with subcommands.
    private static func prepare(
        _ arguments: ArraySlice<String>, partOf group: ToolDescription.Command
    ) throws -> PreparedArguments {
        guard let first = arguments.first else { throw NearMiss.missingPart(of: group) }
        guard let command = group.parts.first(where: { $0.commandName == first }) else {
            throw NearMiss.unknownPart(first, of: group)
        }
        let typed = try TypedArguments(arguments.dropFirst(), of: command)
        return PreparedArguments(command: command.name, arguments: [group.commandName, first] + typed.arguments)
    }

    /// The parser's own.
    static let ownFlags = ["--experimental-dump-help", "---completion"]

    /// By name; for a command that passes flags on, also those of the training commands.
    static func flags(of command: ToolDescription.Command) -> [String: Flag] {
        let others = command.passesFlagsOn ? AnnealTool.training.compactMap(ToolDescription.command) : []
        return Dictionary(([command] + others).flatMap(\.flags).map { ($0.name, $0) }) { first, _ in first }
    }

    /// A flag with its value, for the parser.
    static func joined(_ name: String, _ value: String) -> [String] {
        value.isEmpty ? ["--\(name)", ""] : ["--\(name)=\(value)"]
    }

    static func check(_ value: String, of flag: Flag) throws {
        try EmptyValues.check(value, of: flag)
        guard !flag.values.isEmpty, !flag.values.contains(value) else { return }
        throw AnnealError(
            "--\(flag.name) \(value.isEmpty ? "''" : value)", "is not known",
            suggestion: Spelling.question(Spelling.misspelt(value, among: flag.values))
                + "it is \(flag.values.dropLast().joined(separator: ", ")) or \(flag.values.last ?? "")")
    }
}

/// What was typed after a command, with flags in full and joined to their values.
struct TypedArguments {
    private(set) var arguments: [String] = []
    /// The flags that are present; the last one if a flag is repeated.
    private(set) var values: [String: String] = [:]
    var names: Set<String> { Set(values.keys) }

    init(_ typed: ArraySlice<String>, of command: ToolDescription.Command) throws {
        let flags = CommandLineArguments.flags(of: command), later = LaterFlags.of(command)
        let known = Array(flags.keys) + ["version"] + Array(later.keys)
        var rest = typed, positionals = 0
        while var argument = rest.popFirst() {
            if argument.count == 2, let flag = flags.values.first(where: { $0.letter.map { "-\($0)" } == argument }) {
                argument = "--\(flag.name)"
            }
            guard argument.hasPrefix("-"), argument != "-" else {
                if command.endsInCommand {
                    arguments += [argument] + rest
                    return
                }
                try Self.check(argument, number: positionals, of: command)
                try EmptyValues.checkPositional(argument, of: command)
                positionals += 1
                arguments.append(argument)
                continue
            }
            if argument == "--" {
                arguments += [argument] + rest
                return
            }
            guard argument.hasPrefix("--"), argument.dropFirst(2).first != "=" else {
                throw NearMiss.unknownFlag(argument, of: command)
            }
            let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            // MXNet's mnist script writes --image_shape.
            let name = try Self.expand(String(parts[0]).replacingOccurrences(of: "_", with: "-"), among: known)
            if let reason = later[name] { throw AnnealError("--\(name)", "is not supported", suggestion: reason) }
            if name == "version", flags[name] == nil {
                arguments.append("--version")
                continue
            }
            guard let flag = flags[name] else { throw NearMiss.unknownFlag("--" + parts[0], of: command) }
            guard flag.takesValue else {
                guard parts.count == 1 else {
                    throw AnnealError("--\(name)", "takes no value", suggestion: "write --\(name) alone")
                }
                arguments.append("--\(name)")
                values[name] = ""
                continue
            }
            guard let value = parts.count > 1 ? String(parts[1]) : Self.value(&rest) else {
                throw AnnealError(
                    "--\(name)", "has no value",
                    suggestion: "write --\(name) \(flag.placeholder)"
                        + (rest.first.map { ", or --\(name)=\($0) if that is the value" } ?? ""))
            }
            try CommandLineArguments.check(value, of: flag)
            arguments += CommandLineArguments.joined(name, value)
            values[name] = value
            // Python's nargs='+', as in `--exts .jpg .png`; a path begins with a dot only before a slash.
            while flag.takesSeveral, let next = rest.first, next.hasPrefix("."), !next.contains("/"), next != "..",
                next != "."
            {
                arguments += CommandLineArguments.joined(name, next)
                rest.removeFirst()
            }
        }
    }

    /// The next argument, unless it is a flag. One dash begins a number, as in `--min-crop-size -1`.
    private static func value(_ rest: inout ArraySlice<String>) -> String? {
        guard let next = rest.first, !next.hasPrefix("--"), next != "-h" else { return nil }
        return rest.popFirst()
    }

    private static func expand(_ name: String, among names: [String]) throws -> String {
        if names.contains(name) { return name }
        let matches = name.isEmpty ? [] : Array(Set(names.filter { $0.hasPrefix(name) })).sorted()
        guard matches.count < 2 else {
            throw AnnealError(
                "--\(name)", "could be \(matches.map { "--" + $0 }.joined(separator: ", "))", suggestion: "write it out"
            )
        }
        return matches.first ?? name
    }

    private static func check(_ argument: String, number: Int, of command: ToolDescription.Command) throws {
        let expected = command.positionals
        guard number >= expected.count, !expected.contains(where: \.isRepeating) else { return }
        let near = NearMiss.flags(for: argument, of: command)
        throw AnnealError(
            argument, "is not expected here",
            suggestion: near.isEmpty
                ? "flags begin with --; anneal help \(command.name) lists them"
                : "did you mean \(near.joined(separator: " or "))?")
    }
}

/// A command with the flags of one of MXNet's scripts.
protocol MXNetScript: ParsableCommand {}

extension AnnealTool {
    static func isMXNetScript(_ command: String) -> Bool {
        configuration.subcommands.contains { $0 is any MXNetScript.Type && $0._commandName == command }
    }

    /// The commands whose flags `resume` and `verify-resume` pass on.
    static let training = [Train._commandName, FineTuneCommand._commandName]
}
