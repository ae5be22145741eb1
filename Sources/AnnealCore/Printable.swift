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
