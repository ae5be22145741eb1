import AnnealCore

/// Changes the words, numbers and punctuation of a text (JSON, YAML, CSV, lists), so that it usually stays valid.
struct TextMutator {
    let words: [String]

    private static let numbers = [
        "0", "-1", "1", "2", "3", "5", "7", "127", "255", "256", "65535", "65537", "1048576", "2147483647",
        "-2147483648",
        "4294967295", "4294967296", "1099511627775", "-1099511627775", "549755813888", "9223372036854775807",
        "-9223372036854775808", "18446744073709551615", "1e308", "1e999", "-1e999", "-0.0", "0.5", "1e-320", "nan",
        "inf",
    ]

    func mutated(_ bytes: [UInt8], _ random: inout Random) -> [UInt8] {
        var tokens = TextMutator.tokens(bytes)
        guard !tokens.isEmpty else { return Array("[".utf8) }
        let at = random.below(tokens.count)
        switch random.below(10) {
        case 0, 1, 2: replace(&tokens, TextMutator.isNumber, TextMutator.numbers, &random)
        case 3, 4: replace(&tokens, TextMutator.isWord, words, &random)
        case 5: tokens.remove(at: at)
        case 6: tokens.insert(tokens[at], at: at)
        case 7: tokens.swapAt(at, random.below(tokens.count))
        case 8:
            // Repeats a piece, e.g. a node or a line.
            let piece = tokens[at..<min(tokens.count, at + 1 + random.below(200))]
            tokens.insert(contentsOf: piece, at: random.below(tokens.count))
        default: nest(&tokens, at, &random)
        }
        return tokens.flatMap { $0 }
    }

    /// Replaces a number or word by another one, from the list or from the text.
    private func replace(
        _ tokens: inout [ArraySlice<UInt8>], _ fits: (ArraySlice<UInt8>) -> Bool, _ list: [String],
        _ random: inout Random
    ) {
        let places = tokens.indices.filter { fits(tokens[$0]) }
        guard !places.isEmpty else { return }
        let place = places[random.below(places.count)]
        let known = !list.isEmpty && random.uniform() < 0.8
        tokens[place] =
            known ? Array(list[random.below(list.count)].utf8)[...] : tokens[places[random.below(places.count)]]
    }

    /// Recursive readers use the stack for each level.
    private func nest(_ tokens: inout [ArraySlice<UInt8>], _ at: Int, _ random: inout Random) {
        let depth = [3, 100, 600, 5_000, 100_000][random.below(5)]
        let (open, close) = [("[", "]"), ("{\"a\":", "}"), ("- ", "")][random.below(3)]
        let closes = random.bool() ? Array(String(repeating: close, count: depth).utf8) : []
        tokens[at] = (Array(String(repeating: open, count: depth).utf8) + tokens[at] + closes)[...]
    }

    /// Runs of letters, numbers, runs of spaces, and single punctuation marks.
    private static func tokens(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var tokens: [ArraySlice<UInt8>] = []
        var start = 0
        while start < bytes.count {
            let kind = kind(bytes[start])
            var end = start + 1
            while end < bytes.count, kind != .mark, TextMutator.kind(bytes[end]) == kind { end += 1 }
            tokens.append(bytes[start..<end])
            start = end
        }
        return tokens
    }

    private enum Kind { case word, number, space, mark }

    private static func kind(_ byte: UInt8) -> Kind {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): .word
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"): .number
        case 9, 10, 13, 32: .space
        default: .mark
        }
    }

    private static func isNumber(_ token: ArraySlice<UInt8>) -> Bool {
        token.first.map { kind($0) == .number } ?? false
    }
    private static func isWord(_ token: ArraySlice<UInt8>) -> Bool { token.first.map { kind($0) == .word } ?? false }
}
