import Foundation

/// Every command with its flags as a page of Markdown: `Documentation/commands.md`.
enum CommandReference {
    static func markdown() -> String {
        let commands = ToolDescription.commands
        let list = commands.map { command in
            "| [\(command.commandName)](#anneal-\(command.commandName)) | \(escaped(command.abstract ?? "")) |"
        }
        let head = """
            # Commands

            Made by `make reference` from what the tool says of itself. Flags can be abbreviated to any unique prefix; `anneal help \
            COMMAND` shows the same on a terminal, and manual pages come with the package.

            | command | what it does |
            |---|---|
            \(list.joined(separator: "\n"))

            """
        return ([head] + commands.map(text)).joined(separator: "\n")
    }

    private static func text(of command: ToolDescription.Command) -> String {
        var lines = ["## anneal \(command.commandName)", "", escaped(command.abstract ?? ""), ""]
        lines += ["```", HelpText.usage(of: command), "```", ""]
        for paragraph in Paragraph.all(of: command.discussion ?? "") {
            switch paragraph {
            case .prose(let text): lines += [escaped(text.replacingOccurrences(of: "\n", with: " ")), ""]
            case .commands(let list):
                lines += ["```sh"] + list.flatMap { WrappedText.command($0, width: 110, indent: 0) } + ["```", ""]
            }
        }
        func table(_ title: String, _ rows: [(String, String)]) {
            guard !rows.isEmpty else { return }
            lines +=
                ["| \(title) | |", "|---|---|"]
                + rows.map { "| `\($0.replacingOccurrences(of: "|", with: "\\|"))` | \(escaped($1)) |" }
            lines.append("")
        }
        table("argument", command.positionals.map { ($0.placeholder, $0.abstract ?? "") })
        for section in FlagGroups.sections(of: command, isComplete: true) {
            let flags = section.flags.filter { !HelpText.isOpposite($0, among: section.flags) }
            table(
                section.title.map { $0.lowercased() } ?? "flag",
                flags.map { (HelpText.label(of: $0, among: section.flags), HelpText.explanation(of: $0)) })
        }
        return lines.joined(separator: "\n")
    }

    /// A single line without markup.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            if "|*_<>[]\\`".contains(character) { result.append("\\") }
            result.append(character)
        }
        return result
    }
}
