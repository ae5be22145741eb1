import Anneal
import ArgumentParser
import Foundation

/// Requests to print a text instead of running: help, the version, a completion script.
enum HelpRequest {
    /// Whether the arguments request a text, so that nothing will be computed.
    static func isOne(_ arguments: [String]) -> Bool {
        guard let first = arguments.first else { return true }
        return first == "help" || isVersion(first) || first.hasPrefix("--generate-completion-script")
            || arguments.prefix { $0 != "--" }.contains(where: isHelp)
    }

    /// The text that the arguments request; nil if they do not.
    ///
    /// - Parameter width: columns of the terminal.
    static func answer(_ arguments: [String], width: Int) throws -> String? {
        guard let first = arguments.first else { return HelpText(width: width).overview() }
        switch first {
        case let flag where isHelp(flag): return HelpText(width: width).overview()
        // The parser would examine every command for it.
        case let flag where isVersion(flag): return AnnealTool.configuration.version + "\n"
        case "help":
            let names = arguments.dropFirst().filter { !isHelp($0) && $0 != "help" }
            guard let name = names.first else { return HelpText(width: width).overview() }
            guard var command = ToolDescription.command(name) else { throw NearMiss.unknownCommand(name) }
            for name in names.dropFirst() {
                guard !command.parts.isEmpty else {
                    throw AnnealError(name, "is not expected here", suggestion: "write anneal help \(command.name)")
                }
                guard let part = command.parts.first(where: { $0.commandName == name }) else {
                    throw NearMiss.unknownPart(name, of: command)
                }
                command = part
            }
            return HelpText(width: width).text(of: command, all: arguments.contains(where: isForAll))
        case let flag where flag.hasPrefix("--generate-completion-script"):
            let value = flag.split(separator: "=", maxSplits: 1).dropFirst().first.map(String.init)
            return try CompletionScript.text(for: value ?? arguments.dropFirst().first)
        default:
            let typed = arguments.prefix { $0 != "--" }
            guard typed.contains(where: isHelp), var command = ToolDescription.command(first) else { return nil }
            if let part = command.parts.first(where: { $0.commandName == typed.dropFirst().first }) { command = part }
            return HelpText(width: width).text(of: command, all: typed.contains(where: isForAll))
        }
    }

    /// -h, or a prefix of --help-all, the shortest being --h.
    private static func isHelp(_ argument: String) -> Bool {
        argument == "-h" || argument.count > 2 && "--help-all".hasPrefix(argument)
    }

    private static func isVersion(_ argument: String) -> Bool {
        ["-v", "-V"].contains(argument) || argument.count > 2 && "--version".hasPrefix(argument)
    }

    private static func isForAll(_ argument: String) -> Bool { isHelp(argument) && argument.count > "--help".count }
}
