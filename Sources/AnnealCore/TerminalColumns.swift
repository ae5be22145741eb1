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
