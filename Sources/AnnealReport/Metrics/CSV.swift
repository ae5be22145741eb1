import Foundation

/// Lines of comma-separated values.
enum CSV {
    static func line(_ fields: [String]) -> String { fields.map(quoted).joined(separator: ",") }

    /// RFC 4180: quotes only where they are needed.
    static func quoted(_ field: String) -> String {
        guard field.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return field }
        return "\"" + field.replacingOccurrences(of: "\"", with: "\"\"") + "\""
    }

    /// The fields of a line.
    static func fields(_ line: String) -> [String] {
        var fields = [""]
        var inQuotes = false
        // A doubled quote leaves and enters again: the second one is content.
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
