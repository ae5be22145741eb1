import Foundation

/// Lines of comma-separated values.
package enum CSV {
    /// - Parameter fields: names must be passed through `text`.
    package static func line(_ fields: [String]) -> String { fields.map(quoted).joined(separator: ",") }

    /// RFC 4180: quotes only where they are needed.
    static func quoted(_ field: String) -> String {
        // Some programs split at semicolons or tabs.
        guard field.contains(where: { ",;\t\"".contains($0) || $0.isNewline }) else { return field }
        return "\"" + field.replacingOccurrences(of: "\"", with: "\"\"") + "\""
    }

    /// A name as a field: with an apostrophe before what a spreadsheet would evaluate (`=HYPERLINK(…)`). Numbers are
    /// unchanged.
    package static func text(_ name: String) -> String {
        // Full-width characters too.
        let signs = "=+-@\t\r\n\u{FF1D}\u{FF0B}\u{FF0D}\u{FF20}".unicodeScalars
        guard let first = name.unicodeScalars.first, signs.contains(first),
            name.wholeMatch(of: /[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?/) == nil
        else { return name }
        return "'" + name
    }

    /// The fields of each line of a file, in which quoted fields may hold line feeds; bytes that are not UTF-8 are replaced.
    static func rows(_ bytes: [UInt8]) -> [[String]] {
        var rows: [[String]] = [], fields: [String] = [], field: [UInt8] = []
        var inQuotes = false, wasQuote = false
        func end() {
            fields.append(String(decoding: field, as: UTF8.self))
            field.removeAll(keepingCapacity: true)
        }
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""):
                // A doubled quote leaves and re-enters: the second one is content.
                if !inQuotes, wasQuote { field.append(byte) }
                inQuotes.toggle()
            case UInt8(ascii: ",") where !inQuotes: end()
            case UInt8(ascii: "\n") where !inQuotes:
                end()
                if fields != [""] { rows.append(fields) }
                fields = []
            case UInt8(ascii: "\r") where !inQuotes: break
            default: field.append(byte)
            }
            wasQuote = byte == UInt8(ascii: "\"")
        }
        // A line that a killed process left incomplete is not a row.
        return rows
    }

    /// The fields of a line.
    static func fields(_ line: String) -> [String] {
        var fields = [""]
        var inQuotes = false
        // A doubled quote leaves and re-enters: the second one is content.
        var previous: Character?
        for character in line where character != "\r" {
            if character == "\"" {
                if !inQuotes && previous == "\"" { fields[fields.count - 1].append(character) }
                inQuotes.toggle()
            } else if character == "," && !inQuotes {
                fields.append("")
            } else {
                fields[fields.count - 1].append(character)
            }
            previous = character
        }
        return fields
    }
}
