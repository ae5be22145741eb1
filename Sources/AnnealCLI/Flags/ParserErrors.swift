import Anneal
import ArgumentParser

extension AnnealTool {
    /// Parses prepared arguments; the parser's errors are thrown in the form of all other errors.
    static func parse(_ prepared: PreparedArguments) throws -> any ParsableCommand {
        do {
            return try parseAsRoot(prepared.arguments)
        } catch  where exitCode(for: error) != .success {
            throw prepared.located(refusal(message(for: error), of: prepared.command))
        }
    }

    /// The parser's errors are not public; their messages have only a few forms.
    private static func refusal(_ message: String, of name: String) -> AnnealError {
        let command = ToolDescription.command(name)
        let help = "see anneal \(name) --help"
        func suggestion(_ argument: ToolDescription.Argument?) -> String {
            guard let argument, let abstract = argument.abstract else { return help }
            let text = abstract.hasSuffix(".") ? String(abstract.dropLast()) : abstract
            return argument.kind == .positional
                ? "\(argument.placeholder): \(text)" : "--\(argument.name) \(argument.placeholder): \(text)"
        }
        if let match = message.wholeMatch(of: /(?s)The value '(.*)' is invalid for '--([a-z0-9-]+) <.*/) {
            let value = String(match.1), flag = command?.flag(String(match.2))
            if flag?.name == "load-epoch" { return CheckpointChoice.unknown(oneLine(value)) }
            let shown = value.isEmpty ? "''" : oneLine(value)
            return AnnealError("--\(match.2) \(shown)", refusal(ofNumber: value), suggestion: suggestion(flag))
        }
        if let match = message.wholeMatch(of: /Missing expected argument '--([a-z0-9-]+) .*'/) {
            return AnnealError(
                "--\(match.1)", "is missing", suggestion: "give " + suggestion(command?.flag(String(match.1))))
        }
        if let match = message.wholeMatch(of: /Missing expected argument '<(.+)>.*'/) {
            let place = command?.positionals.first { $0.name == match.1 }
            return AnnealError(
                place?.placeholder ?? String(match.1), "is missing", suggestion: "give " + suggestion(place))
        }
        return AnnealError("", oneLine(message), suggestion: help)
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    private static func refusal(ofNumber text: String) -> String {
        guard Double(text) != nil else { return "is not a number" }
        return text.drop { $0 == "-" || $0 == "+" }.allSatisfy(\.isWholeNumber)
            ? "is out of range" : "is not a whole number"
    }
}
