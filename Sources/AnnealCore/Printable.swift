extension StringProtocol {
    /// The text with its control characters, and those that change the direction of writing, escaped as `\u001b`: in
    /// the name of a file or class they would move a terminal's cursor, change colours, or hide a part of the name.
    /// JSON reads the same text back.
    /// Bytes of a path that are not UTF-8 (`FilePath.text`) become `\xE9`.
    /// - Parameters:
    ///   - kept: control characters to keep, such as a line feed between our own lines.
    ///   - json: whether the text is JSON, which has no `\xE9`: such bytes stay as they are.
    public func printable(keeping kept: Set<Unicode.Scalar> = [], json: Bool = false) -> String {
        func isHidden(_ scalar: Unicode.Scalar) -> Bool {
            if scalar.isASCII { return (scalar.value < 0x20 || scalar.value == 0x7F) && !kept.contains(scalar) }
            if !json, FilePath.byte(scalar) != nil { return true }
            let properties = scalar.properties
            return properties.isBidiControl
                || [.control, .lineSeparator, .paragraphSeparator].contains(properties.generalCategory)
        }
        guard unicodeScalars.contains(where: isHidden) else { return String(self) }
        var result = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            guard isHidden(scalar) else {
                result.append(scalar)
                continue
            }
            if let byte = FilePath.byte(scalar) {
                result.append(contentsOf: FilePath.escape(byte).unicodeScalars)
                continue
            }
            let digits = String(scalar.value, radix: 16)
            result.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).unicodeScalars)
        }
        return String(result)
    }
}

extension StringProtocol {
    /// The columns that it takes on a terminal: Chinese, Japanese and Korean characters and most emoji take two.
    public var columns: Int { reduce(0) { $0 + $1.columns } }

    /// The beginning that fits into a number of columns.
    public func prefix(columns: Int) -> String {
        var room = columns
        return String(
            prefix {
                room -= $0.columns
                return room >= 0
            })
    }
}

extension Character {
    /// Blocks of wide characters (Unicode's East Asian Width).
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
        0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x20000...0x3FFFD,
    ]

    fileprivate var columns: Int {
        guard let first = unicodeScalars.first, first.value >= 0x1100 else { return 1 }
        let isEmoji = first.properties.isEmojiPresentation || unicodeScalars.contains { $0.value == 0xFE0F }
        return isEmoji || Self.wide.contains { $0.contains(first.value) } ? 2 : 1
    }
}
