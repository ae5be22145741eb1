import Foundation

/// Fits a progress line into a width: a pure function from the contents to the line.
///
/// The fields are shown in order and dropped by rank: the bar shrinks first, then the least important fields are left
/// out, and the bar disappears before the required fields.
package struct LineLayout: Sendable {
    package struct Field: Sendable {
        package var text: String
        /// Fields of rank 0 stay to the last; higher ranks go first.
        package var rank: Int
        package var paint: Paint.Tone

        package init(_ text: String, rank: Int, paint: Paint.Tone = .plain) {
            self.text = text
            self.rank = rank
            self.paint = paint
        }
    }

    package var label: String
    /// 0…1; nil when the end is unknown: then there is no bar.
    package var fraction: Double?
    package var fields: [Field]

    package init(label: String, fraction: Double?, fields: [Field]) {
        self.label = label
        self.fraction = fraction
        self.fields = fields
    }

    private static let gap = "  "
    private static let shortestBar = 8
    private static let longestBar = 32

    /// The line, and its width in columns: at most `style.width - 1`, because a full last column wraps in some
    /// terminals.
    package func line(_ style: TerminalStyle) -> (text: String, columns: Int) {
        let room = max(1, style.width - 1)
        let paint = Paint(enabled: style.colour)
        var kept = fields
        let barLeast = fraction == nil ? 0 : Self.shortestBar + Self.gap.count
        while let last = leastImportant(kept) {
            // The bar makes room for the two most important fields: the fraction done and the time left.
            guard length(kept) + (kept[last].rank > 1 ? barLeast : 0) > room else { break }
            kept.remove(at: last)
        }
        if kept.isEmpty && label.count > room { return (String(label.prefix(room)), room) }

        var parts = [paint.bold(label)]
        var columns = length(kept)
        let barRoom = min(Self.longestBar, room - columns - Self.gap.count)
        if let fraction, barRoom >= Self.shortestBar {
            parts.append(Self.bar(fraction, width: barRoom, style))
            columns += barRoom + Self.gap.count
        }
        parts += kept.map { paint.apply($0.paint, $0.text) }
        return (parts.joined(separator: Self.gap), columns)
    }

    private func length(_ fields: [Field]) -> Int {
        label.count + fields.reduce(0) { $0 + Self.gap.count + $1.text.count }
    }

    private func leastImportant(_ fields: [Field]) -> Int? {
        fields.indices.max { (fields[$0].rank, $0) < (fields[$1].rank, $1) }
    }

    /// `━━━━━━╸────` in green and gray, or `[====>----]`.
    package static func bar(_ fraction: Double, width: Int, _ style: TerminalStyle) -> String {
        let part = fraction.isFinite ? min(1, max(0, fraction)) : 0
        let paint = Paint(enabled: style.colour)
        if style.unicode {
            // Half a cell is the finest step that all fonts draw in one weight.
            let halves = Int((part * Double(2 * width)).rounded(.down))
            let full = String(repeating: "━", count: halves / 2) + (halves % 2 == 1 ? "╸" : "")
            // Without colour the rest must differ in shape.
            let rest = String(repeating: style.colour ? "━" : "─", count: width - full.count)
            return paint.green(full) + paint.dim(rest)
        }
        let inner = width - 2
        let full = Int((part * Double(inner)).rounded(.down))
        let isBetween = full > 0 && full < inner
        let head = String(repeating: "=", count: isBetween ? full - 1 : full) + (isBetween ? ">" : "")
        return "[" + paint.green(head) + String(repeating: "-", count: inner - full) + "]"
    }
}

extension Paint {
    package enum Tone: Sendable { case plain, bold, dim, green, cyan, yellow }

    package func apply(_ tone: Tone, _ text: String) -> String {
        switch tone {
        case .plain: text
        case .bold: bold(text)
        case .dim: dim(text)
        case .green: green(text)
        case .cyan: cyan(text)
        case .yellow: yellow(text)
        }
    }
}

/// Numbers formatted for people.
package enum Readable {
    /// `9s`, `4m 03s`, `2h 05m`, `3d 04h`.
    package static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "?" }
        let whole = Int(seconds.rounded())
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        switch whole {
        case ..<60: return "\(whole)s"
        case ..<3600: return "\(whole / 60)m \(two(whole % 60))s"
        case ..<86400: return "\(whole / 3600)h \(two(whole % 3600 / 60))m"
        default: return "\(whole / 86400)d \(two(whole % 86400 / 3600))h"
        }
    }

    /// `0.5`, `12.3`, `840`, `12,345`.
    package static func rate(_ value: Double) -> String {
        guard value.isFinite, value < 1e15 else { return "?" }
        return value < 99.95 ? String(format: "%.1f", value) : count(Int(value.rounded()))
    }

    /// `12,345 images`, `1 image`; the noun is given in the singular.
    package static func counted(_ value: Int, _ noun: String) -> String {
        "\(count(value)) \(value.counted(noun).drop { $0 != " " }.dropFirst())"
    }

    /// `12,345`.
    package static func count(_ value: Int) -> String {
        var digits = String(value.magnitude)
        var result = ""
        while digits.count > 3 {
            result = "," + digits.suffix(3) + result
            digits.removeLast(3)
        }
        return (value < 0 ? "-" : "") + digits + result
    }

    /// `3.86 G`, `120`.
    package static func scaled(_ value: Double) -> String {
        for (unit, size) in [("G", 1e9), ("M", 1e6), ("k", 1e3)] where value >= size {
            return String(format: "%.2f \(unit)", value / size)
        }
        return String(format: "%.0f", value)
    }

    /// `0.05`, `1e-05`: a learning rate.
    package static func general(_ value: Double) -> String { String(format: "%.4g", value) }

    /// `0.9123`; `nan`.
    package static func metric(_ value: Double) -> String { LogGrammar.fixed(value, 4) }
}
