import AnnealCore
import Foundation

/// Pieces of HTML. Text from outside (names of classes, files and runs, flags, messages) goes through `text`.
package enum PageText {
    /// Text for a page: markup is escaped, and control characters and those that change the direction of writing are
    /// made visible. Also for attributes in double quotes.
    package static func text(_ text: String) -> String {
        var result = ""
        for character in text.printable(keeping: ["\n", "\t"]).unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    /// A command line whose lines break between words only: browsers would break it after each hyphen of a flag.
    static func command(_ text: String) -> String {
        text.split(separator: " ").map { "<span class=\"word\">\(Self.text(String($0)))</span>" }.joined(separator: " ")
    }

    /// JSON for a `script` element: no text in it can end the element.
    package static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
            .replacingOccurrences(of: "<", with: "\\u003c").replacingOccurrences(of: "\u{2028}", with: "\\u2028")
            .replacingOccurrences(of: "\u{2029}", with: "\\u2029")
    }

    /// A table with a header; cells are text, the columns in `right` are aligned to the right.
    package static func table(_ header: [String], _ rows: [[String]], right: Set<Int> = []) -> String {
        func line(_ cells: [String], _ tag: String) -> String {
            let scope = tag == "th" ? " scope=\"col\"" : ""
            let columns = cells.enumerated().map { column, cell in
                "<\(tag)\(scope)\(right.contains(column) ? " class=\"n\"" : "")>\(text(cell))</\(tag)>"
            }
            return "<tr>\(columns.joined())</tr>"
        }
        let body = rows.map { line($0, "td") }.joined(separator: "\n")
        return """
            <div class="wide" tabindex="0" role="region" aria-label="\(text(header.first ?? ""))">
            <table><thead>\(line(header, "th"))</thead><tbody>
            \(body)
            </tbody></table></div>
            """
    }

    /// A whole page. Only its own script runs, and nothing is loaded from anywhere.
    /// - Parameters:
    ///   - body: HTML.
    ///   - data: JSON elements that the script reads, by their ids.
    ///   - isServed: whether it comes from a server, which it may send requests to.
    package static func page(
        title: String, body: String, data: [(id: String, json: String)], script: String, isServed: Bool = false
    ) -> String {
        let policy = [
            "default-src 'none'", "style-src 'unsafe-inline'", "img-src data:",
            "script-src 'sha256-\(SHA256.base64(of: script.utf8))'", "base-uri 'none'",
            isServed ? "form-action 'self'" : "form-action 'none'", isServed ? "connect-src 'self'" : nil,
        ].compactMap { $0 }.joined(separator: "; ")
        let elements = data.map { "<script type=\"application/json\" id=\"\($0.id)\">\($0.json)</script>" }
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta http-equiv="Content-Security-Policy" content="\(policy)">
            <title>\(text(title))</title>
            <style>\(PageStyle.css)</style>
            </head>
            <body>
            \(body)
            \(elements.joined(separator: "\n"))
            <script>\(script)</script>
            </body>
            </html>

            """
    }
}

extension SHA256 {
    /// The hash of a script as in a content security policy.
    static func base64(of bytes: some Sequence<UInt8>) -> String {
        let digits = Array(SHA256.digits(of: bytes))
        let hash = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(digits[$0...($0 + 1)]), radix: 16)
        }
        return Data(hash).base64EncodedString()
    }
}
