/// Lines of prose that fit a width. Words are not broken, nor are a flag and its value (`--lr 0.1`) or quoted text;
/// anything longer than the width gets a line of its own.
enum WrappedText {
    /// - Parameters:
    ///   - first: begins the first line; the text follows at column `indent`, or below if `first` is too long.
    ///   - indent: columns before the other lines.
    static func lines(_ text: String, width: Int, first: String = "", indent: Int = 0) -> [String] {
        wrapped(units(text), width: width, first: first, indent: indent)
    }

    private static func wrapped(_ units: [String], width: Int, first: String, indent: Int) -> [String] {
        var lines: [String] = []
        var line = first
        if !first.isEmpty {
            if first.count + 2 > indent {
                lines.append(line)
                line = ""
            } else {
                line += spaces(indent - first.count)
            }
        }
        var isEmpty = true
        for unit in units {
            if !isEmpty, line.count + 1 + unit.count > width {
                lines.append(line)
                line = ""
                isEmpty = true
            }
            if line.isEmpty { line = spaces(indent) }
            line += (isEmpty ? "" : " ") + unit
            isEmpty = false
        }
        if !isEmpty || lines.isEmpty { lines.append(line) }
        return lines
    }

    /// A command as a shell accepts it: all lines but the last end in a backslash.
    static func command(_ text: String, width: Int, indent: Int) -> [String] {
        let further = indent + 4
        let lines = wrapped(units(text, isCommand: true), width: width - 2 - further, first: "", indent: 0)
        return lines.enumerated().map { number, line in
            spaces(number == 0 ? indent : further) + line + (number + 1 < lines.count ? " \\" : "")
        }
    }

    static func spaces(_ count: Int) -> String { String(repeating: " ", count: max(0, count)) }

    /// The parts that must not be broken, in order.
    private static func units(_ text: String, isCommand: Bool = false) -> [String] {
        var result: [String] = []
        var quote: Character?
        for word in text.split(whereSeparator: \.isWhitespace).map(String.init) {
            if quote != nil
                || result.last.map({ isFlag($0) && (isCommand ? !word.hasPrefix("-") : isValue(word)) }) == true
            {
                result[result.count - 1] += " " + word
            } else {
                result.append(word)
            }
            quote = openQuote(word, quote)
        }
        return result
    }

    private static func isFlag(_ word: String) -> Bool {
        word.hasPrefix("--") && word.dropFirst(2).allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" }
    }

    /// Numbers, placeholders, and quoted or plain values, but not the next word of a sentence.
    private static func isValue(_ word: String) -> Bool {
        guard let first = word.first else { return false }
        return first.isNumber || first == "'" || first == "\""
            || word.allSatisfy { $0.isUppercase || $0.isNumber || ",.|=)".contains($0) }
    }

    /// The quote that is open after a word; an apostrophe inside a word does not count.
    private static func openQuote(_ word: String, _ open: Character?) -> Character? {
        let bare = word.drop { $0 == "(" }
        let opens = open ?? bare.first.flatMap { $0 == "'" || $0 == "\"" ? $0 : nil }
        guard let quote = opens else { return nil }
        let inside = open == nil ? bare.dropFirst() : bare
        return inside.contains(quote) ? nil : quote
    }
}
