import ArgumentParser
import Foundation

/// The commands and their flags as the parser describes itself: what help, manual pages, completion, near misses and
/// configuration files look at.
struct ToolDescription: Decodable, Sendable {
    struct Command: Decodable, Sendable {
        var commandName: String
        var shouldDisplay: Bool?
        var abstract: String?
        var discussion: String?
        var subcommands: [Command]?
        private var arguments: [Argument]?

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
            var list: List?
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
        /// Whether its value is a list with commas, as the value's name shows: `R,G,B`.
        var takesList: Bool { valueName?.contains(",") ?? false }
        /// Whether it takes 0 or 1, as MXNet's switches do.
        var isSwitch: Bool { valueName == "0|1" }
        /// `RATE`; the values themselves where it has no name of its own.
        var placeholder: String {
            let name = valueName ?? ""
            return name == self.name && !values.isEmpty ? values.joined(separator: "|") : name
        }
        fileprivate var isBuiltIn: Bool { ["help", "version"].contains(name) }
    }

    var command: Command

    /// Those that help shows, in the order of use.
    var commands: [Command] {
        (command.subcommands ?? []).filter { $0.commandName != "help" && $0.shouldDisplay ?? true }
    }

    /// Hidden ones too.
    func command(_ name: String) -> Command? {
        command.subcommands?.first { $0.commandName == name && name != "help" }
    }

    static let current: ToolDescription = {
        guard let found = try? JSONDecoder().decode(ToolDescription.self, from: Data(AnnealTool._dumpHelp().utf8))
        else { preconditionFailure("the parser's description of itself has another form") }
        return found
    }()
}
