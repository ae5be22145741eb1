import Foundation

/// Help for a terminal.
struct HelpText {
    /// Columns of the terminal.
    let width: Int
    private typealias Command = ToolDescription.Command
    private typealias Argument = ToolDescription.Argument

    init(width: Int) { self.width = max(20, width) }

    func overview() -> String {
        var lines = WrappedText.lines(AnnealTool.configuration.abstract, width: width)
        lines += ["", "Usage: anneal COMMAND [FLAGS]", "", "Commands:"]
        for command in ToolDescription.overview {
            lines += entry("  " + command.name, command.abstract, column: 20)
        }
        lines += [""]
        lines += WrappedText.lines(
            "'anneal help COMMAND' explains a command, 'anneal --version' prints the version, and 'anneal --generate-completion-script SHELL' writes completions for bash, zsh or fish.",
            width: width)
        return text(lines)
    }

    /// - Parameter all: whether to include rarely needed flags.
    func text(of command: ToolDescription.Command, all: Bool) -> String {
        var lines = WrappedText.lines(command.abstract ?? "", width: width) + [""]
        lines += WrappedText.lines("Usage: " + Self.usage(of: command), width: width)
        for paragraph in Paragraph.all(of: command.discussion ?? "") {
            lines.append("")
            switch paragraph {
            case .prose(let text): lines += WrappedText.lines(text, width: width)
            case .commands(let list): lines += list.flatMap { WrappedText.command($0, width: width, indent: 2) }
            }
        }
        if !command.parts.isEmpty {
            lines += ["", "Commands:"]
            for part in command.parts {
                lines += entry("  " + part.commandName, part.abstract ?? "", column: 20)
            }
            lines += [""]
            lines += WrappedText.lines("'anneal help \(command.name) COMMAND' explains one.", width: width)
            return text(lines)
        }
        if !command.positionals.isEmpty {
            lines += ["", "Arguments:"]
            for argument in command.positionals { lines += entry("  " + argument.placeholder, argument.abstract ?? "") }
        }
        let sections = FlagGroups.sections(of: command, isComplete: all)
        for section in sections where !section.flags.isEmpty {
            lines += ["", (section.title ?? "Flags") + ":"]
            for flag in section.flags {
                lines += entries(flag, among: section.flags, discussed: all || !FlagGroups.apply(to: command))
            }
        }
        lines.append("")
        let count = command.flags.filter { !Self.isOpposite($0, among: command.flags) }.count
        if sections.reduce(0, { $0 + $1.flags.count }) < count {
            lines += WrappedText.lines(
                "These are the flags that most runs need; 'anneal \(command.name) --help-all' shows all \(count).",
                width: width)
        } else if FlagGroups.apply(to: command) {
            lines += WrappedText.lines(
                "'anneal \(command.name) --help' shows those that most runs need. Flags can be abbreviated to any unique prefix.",
                width: width)
        } else {
            lines += WrappedText.lines("Flags can be abbreviated to any unique prefix.", width: width)
        }
        return text(lines)
    }

    /// `anneal score --model PREFIX [FLAGS]`: required arguments, and a hint at others.
    static func usage(of command: ToolDescription.Command) -> String {
        let required = command.flags.filter { !$0.isOptional }.map { "--\($0.name) \($0.placeholder)" }
        let hasMore = command.flags.contains { $0.isOptional }
        let positionals = command.positionals.map { argument in
            let name = argument.placeholder + (argument.isRepeating ? "..." : "")
            return argument.isOptional ? "[\(name)]" : name
        }
        guard command.parts.isEmpty else { return "anneal \(command.name) COMMAND [FLAGS]" }
        return (["anneal \(command.name)"] + required + (hasMore ? ["[FLAGS]"] : []) + positionals)
            .joined(separator: " ")
    }

    /// A flag's description, with its default, and its values unless the description names them.
    static func explanation(of flag: ToolDescription.Argument) -> String {
        let abstract = flag.abstract ?? ""
        var notes: [String] = []
        if flag.placeholder == flag.valueName, !flag.values.allSatisfy(abstract.contains) {
            notes.append(flag.values.joined(separator: ", "))
        }
        if flag.takesValue, let value = flag.defaultValue {
            notes.append("default: " + (value.contains(" ") ? "'\(value)'" : value))
        }
        guard !notes.isEmpty else { return abstract }
        return (abstract.hasSuffix(".") ? String(abstract.dropLast()) : abstract)
            + " (\(notes.joined(separator: "; ")))."
    }

    /// `--lr RATE`, `--nesterov/--no-nesterov`.
    static func label(of flag: ToolDescription.Argument, among flags: [ToolDescription.Argument]) -> String {
        guard !flag.takesValue else { return "--\(flag.name) \(flag.placeholder)" }
        let opposite = "no-\(flag.name)"
        return "--\(flag.name)" + (flags.contains { $0.name == opposite } ? "/--\(opposite)" : "")
    }

    /// Whether it is shown together with the flag that it negates.
    static func isOpposite(_ flag: ToolDescription.Argument, among flags: [ToolDescription.Argument]) -> Bool {
        flag.name.hasPrefix("no-") && flags.contains { $0.name == flag.name.dropFirst(3) }
    }

    private func entries(_ flag: Argument, among flags: [Argument], discussed: Bool) -> [String] {
        if Self.isOpposite(flag, among: flags) { return [] }
        let lines = entry("  " + Self.label(of: flag, among: flags), Self.explanation(of: flag))
        guard discussed, let discussion = flag.discussion else { return lines }
        return lines + WrappedText.lines(discussion, width: width, indent: indent(26) + 2)
    }

    private func entry(_ label: String, _ text: String, column: Int = 26) -> [String] {
        WrappedText.lines(text, width: width, first: label, indent: indent(column))
    }

    /// A narrow terminal has no room for two columns.
    private func indent(_ column: Int) -> Int { width < 50 ? 6 : column }

    private func text(_ lines: [String]) -> String { lines.joined(separator: "\n") + "\n" }
}

/// The parts of a discussion.
enum Paragraph {
    case prose(String)
    /// Examples, one per shell.
    case commands([String])

    static func all(of text: String) -> [Paragraph] {
        text.components(separatedBy: "\n\n").compactMap { part in
            let lines = part.split(separator: "\n").map(String.init)
            if lines.isEmpty { return nil }
            let areCommands = lines.allSatisfy { $0.hasPrefix("anneal ") || $0.contains("| anneal ") }
            return areCommands ? .commands(lines) : .prose(lines.joined(separator: " "))
        }
    }
}
