import Foundation

/// Manual pages in roff, one for the tool and one for each command.
enum ManualPage {
    /// File names with their contents.
    static func all(version: String) -> [(name: String, text: String)] {
        [("anneal.1", overview(version))]
            + ToolDescription.commands.map { ("anneal-\($0.commandName).1", text(of: $0, version)) }
    }

    private static func overview(_ version: String) -> String {
        var lines = head("anneal", version)
        lines += [".SH NAME", "anneal \\- " + escaped(sentence(AnnealTool.configuration.abstract))]
        lines += [".SH SYNOPSIS", "\\fBanneal\\fR \\fICOMMAND\\fR [\\fIFLAGS\\fR]", ".SH COMMANDS"]
        for command in ToolDescription.overview {
            lines += [".TP", "\\fBanneal\\-\(escaped(command.name))\\fR(1)", escaped(command.abstract)]
        }
        lines += [".SH FLAGS", ".TP", "\\fB\\-\\-version\\fR", "Show the version."]
        lines += [".TP", "\\fB\\-\\-help\\fR", "List the commands."]
        lines += [
            ".TP", "\\fB\\-\\-generate\\-completion\\-script\\fR \\fISHELL\\fR",
            "Write completions for bash, zsh or fish.",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    private static func text(of command: ToolDescription.Command, _ version: String) -> String {
        var lines = head("anneal-\(command.commandName)", version)
        lines += [".SH NAME", "anneal\\-\(escaped(command.commandName)) \\- " + escaped(sentence(command.abstract))]
        lines += [".SH SYNOPSIS", escaped(HelpText.usage(of: command)), ".SH DESCRIPTION"]
        let paragraphs = Paragraph.all(of: command.discussion ?? "")
        lines.append(escaped(command.abstract ?? ""))
        for case .prose(let text) in paragraphs { lines += [".PP", escaped(text)] }
        for part in command.parts { lines += section(of: part) }
        for argument in command.positionals {
            lines += [".TP", "\\fI\(escaped(argument.placeholder))\\fR", escaped(argument.abstract ?? "")]
        }
        for section in FlagGroups.sections(of: command, isComplete: true) where !section.flags.isEmpty {
            lines.append(section.title.map { ".SH \($0.uppercased())" } ?? ".SH FLAGS")
            for flag in section.flags where !HelpText.isOpposite(flag, among: section.flags) {
                let names = "--\(flag.name)"
                let value = flag.takesValue ? " \\fI\(escaped(flag.placeholder))\\fR" : ""
                let opposite =
                    HelpText.label(of: flag, among: section.flags).contains("/--no-")
                    ? ", \\fB\(escaped("--no-\(flag.name)"))\\fR" : ""
                lines += [
                    ".TP", "\\fB\(escaped(names))\\fR\(value)\(opposite)", escaped(HelpText.explanation(of: flag)),
                ]
                if let discussion = flag.discussion { lines += [".sp", escaped(discussion)] }
            }
        }
        let examples = paragraphs.flatMap { paragraph -> [String] in
            if case .commands(let list) = paragraph { list } else { [] }
        }
        if !examples.isEmpty {
            lines += [".SH EXAMPLES", ".nf"]
            lines += examples.flatMap { WrappedText.command($0, width: 76, indent: 0) }.map(escaped)
            lines.append(".fi")
        }
        lines += [".SH SEE ALSO", "\\fBanneal\\fR(1)"]
        return lines.joined(separator: "\n") + "\n"
    }

    /// A subcommand, on its command's page.
    private static func section(of command: ToolDescription.Command) -> [String] {
        var lines = [".SH \(command.name.uppercased())", escaped(HelpText.usage(of: command)), ".PP"]
        lines.append(escaped(command.abstract ?? ""))
        for case .prose(let text) in Paragraph.all(of: command.discussion ?? "") { lines += [".PP", escaped(text)] }
        for argument in command.positionals {
            lines += [".TP", "\\fI\(escaped(argument.placeholder))\\fR", escaped(argument.abstract ?? "")]
        }
        for flag in command.flags where !HelpText.isOpposite(flag, among: command.flags) {
            let value = flag.takesValue ? " \\fI\(escaped(flag.placeholder))\\fR" : ""
            lines += [
                ".TP", "\\fB\(escaped("--\(flag.name)"))\\fR\(value)", escaped(HelpText.explanation(of: flag)),
            ]
        }
        return lines
    }

    private static func head(_ name: String, _ version: String) -> [String] {
        [".TH \"\(name.uppercased())\" \"1\" \"\" \"\(version)\" \"User commands\"", ".nh", ".ad l"]
    }

    /// For a NAME section: no capital, no full stop.
    private static func sentence(_ text: String?) -> String {
        let text = text ?? ""
        let bare = text.hasSuffix(".") ? text.dropLast() : text[...]
        return bare.prefix(1).lowercased() + bare.dropFirst()
    }

    /// One line of running text.
    private static func escaped(_ text: String) -> String {
        let line = text.replacingOccurrences(of: "\n", with: " ").replacingOccurrences(of: "\\", with: "\\e")
            .replacingOccurrences(of: "-", with: "\\-").replacingOccurrences(of: "'", with: "\\(aq")
        let ascii = line.unicodeScalars.map { scalar in
            scalar.isASCII ? String(scalar) : "\\[u\(String(format: "%04X", scalar.value))]"
        }.joined()
        return ascii.hasPrefix(".") ? "\\&" + ascii : ascii
    }
}
