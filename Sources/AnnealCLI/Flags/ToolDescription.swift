import ArgumentParser
import Foundation

/// The commands and their flags as the parser describes itself: what help, manual pages, completion, near misses and
/// configuration files look at. A description takes milliseconds and is made of those commands only that are asked for:
/// of all of them it would be half of the time that the tool takes to start.
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
        /// The commands that it has of its own.
        var parts: [Command] { (subcommands ?? []).filter { $0.commandName != "help" && $0.shouldDisplay ?? true } }
        /// What is given by name, in the order of declaration; not --help and --version.
        var flags: [Argument] { (arguments ?? []).filter { $0.kind != .positional && !$0.isBuiltIn } }
        var positionals: [Argument] { (arguments ?? []).filter { $0.kind == .positional } }

        func flag(_ name: String) -> Argument? { flags.first { $0.name == name } }
        /// `resume` and `verify-resume` take the flags of the commands that train, too.
        var passesFlagsOn: Bool { positionals.contains { $0.parsingStrategy == "allUnrecognized" } }
        /// `launch` ends in a command with flags of its own.
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

        /// The long name without the dashes; of a positional argument its value's name.
        var name: String { names?.first { $0.kind == "long" }?.name ?? valueName ?? "" }
        /// The letter after one dash; nil if it has none.
        var letter: String? { names?.first { $0.kind == "short" }?.name }
        var takesValue: Bool { kind != .flag }
        /// The values that it takes; empty if there are too many to list.
        var values: [String] { allValues ?? [] }
        /// Those that completion offers: all that it takes, or of others, as names of networks, the known ones.
        var knownValues: [String] { values.isEmpty ? completionKind?.list?.values ?? [] : values }
        /// Whether its value is a file or a folder.
        var takesPath: Bool { completionKind?.file != nil || completionKind?.directory != nil }
        /// Whether its value is a list with commas, as the value's name shows: `R,G,B`.
        var takesList: Bool { valueName?.contains(",") ?? false }
        /// Whether one mention takes several values: `--exts .jpg .png`.
        var takesSeveral: Bool { isRepeating && valueName?.hasSuffix("...") ?? false }
        /// Whether it takes 0 or 1, as MXNet's switches do.
        var isSwitch: Bool { valueName == "0|1" }
        /// `RATE`; the values themselves where it has no name of its own.
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

    /// Those that help shows, in the order of use.
    static var commands: [Command] { shown.map(described) }

    /// Hidden ones too.
    /// - Parameter name: of a command's own command after its name and a space.
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
