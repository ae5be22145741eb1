import ArgumentParser
import Foundation

/// The commands and their flags as the parser describes itself: used by help, manual pages, completion, suggestions and
/// configuration files. A description takes milliseconds, so only those of the needed commands are created: all of them
/// together would take half of the tool's start-up time.
enum ToolDescription {
    struct Command: Decodable, Sendable {
        var commandName: String
        var shouldDisplay: Bool?
        var abstract: String?
        var discussion: String?
        var subcommands: [Command]?
        private var superCommands: [String]?
        private var arguments: [Argument]?

        /// As it is typed after `anneal`: `rec info`.
        var name: String { ((superCommands ?? []) + [commandName]).joined(separator: " ") }
        /// Its subcommands.
        var parts: [Command] { (subcommands ?? []).filter { $0.commandName != "help" && $0.shouldDisplay ?? true } }
        /// The named arguments, in the order of declaration; without --help and --version.
        var flags: [Argument] { (arguments ?? []).filter { $0.kind != .positional && !$0.isBuiltIn } }
        var positionals: [Argument] { (arguments ?? []).filter { $0.kind == .positional } }

        func flag(_ name: String) -> Argument? { flags.first { $0.name == name } }
        /// `resume` and `verify-resume` also accept the flags of the training commands.
        var passesFlagsOn: Bool { positionals.contains { $0.parsingStrategy == "allUnrecognized" } }
        /// `launch` ends with a command that has its own flags.
        var endsInCommand: Bool { positionals.contains { $0.parsingStrategy == "allRemainingInput" } }
    }

    struct Argument: Decodable, Sendable {
        enum Kind: String, Decodable { case positional, option, flag }
        struct Name: Decodable, Sendable {
            var kind: String
            var name: String
        }

        var kind: Kind
        var isOptional: Bool
        var isRepeating: Bool
        var parsingStrategy: String
        var valueName: String?
        var defaultValue: String?
        var abstract: String?
        var discussion: String?
        private struct Completion: Decodable, Sendable {
            struct List: Decodable { var values: [String] }
            struct Path: Decodable {}
            var list: List?
            var file: Path?
            var directory: Path?
        }

        private var names: [Name]?
        private var completionKind: Completion?
        private var allValues: [String]?

        /// The long name without the dashes; for a positional argument, its value's name.
        var name: String { names?.first { $0.kind == "long" }?.name ?? valueName ?? "" }
        /// The letter after a single dash; nil if there is none.
        var letter: String? { names?.first { $0.kind == "short" }?.name }
        var takesValue: Bool { kind != .flag }
        /// The accepted values; empty if there are too many to list.
        var values: [String] { allValues ?? [] }
        /// The values that completion offers: all accepted ones, or known ones, e.g. names of networks.
        var knownValues: [String] { values.isEmpty ? completionKind?.list?.values ?? [] : values }
        /// Whether its value is a file or a folder.
        var takesPath: Bool { completionKind?.file != nil || completionKind?.directory != nil }
        /// Whether its value is a comma-separated list, as the value's name shows: `R,G,B`.
        var takesList: Bool { valueName?.contains(",") ?? false }
        /// Whether it accepts several values at once: `--exts .jpg .png`.
        var takesSeveral: Bool { isRepeating && valueName?.hasSuffix("...") ?? false }
        /// Whether it takes 0 or 1, like MXNet's switches.
        var isSwitch: Bool { valueName == "0|1" }
        /// `RATE`; the values themselves if it has no name.
        var placeholder: String {
            let name = valueName ?? ""
            return name == self.name && !values.isEmpty ? values.joined(separator: "|") : name
        }
        fileprivate var isBuiltIn: Bool { ["help", "version"].contains(name) }
    }

    /// Names and abstracts of the commands that help shows, in the order of use.
    static var overview: [(name: String, abstract: String)] {
        shown.map { ($0._commandName, $0.configuration.abstract) }
    }

    /// The commands that help shows, in the order of use.
    static var commands: [Command] { shown.map(described) }

    /// Includes hidden ones.
    /// - Parameter name: for a subcommand, its command's name, a space, and its own name.
    static func command(_ name: String) -> Command? {
        let parts = name.split(separator: " ")
        guard let type = AnnealTool.configuration.subcommands.first(where: { $0._commandName == parts.first ?? "" })
        else { return nil }
        return parts.dropFirst().reduce(Optional(described(type))) { found, part in
            found?.parts.first { $0.commandName == part }
        }
    }

    private static var shown: [any ParsableCommand.Type] {
        AnnealTool.configuration.subcommands.filter { $0.configuration.shouldDisplay }
    }

    private static func described(_ type: any ParsableCommand.Type) -> Command {
        struct Dump: Decodable {
            var command: Command
        }
        guard let found = try? JSONDecoder().decode(Dump.self, from: Data(type._dumpHelp().utf8)) else {
            preconditionFailure("the parser's description of itself has another form")
        }
        return found.command
    }
}
