/// The last line of a terminal, redrawn in place, and the permanent lines above it.
package struct LiveLine {
    private let output: any TextOutput
    /// Columns that the line on the screen takes; 0 when there is none.
    private var shown = 0

    package init(_ output: any TextOutput) { self.output = output }

    /// Replaces the line. `text` must fit the width: a wrapped line cannot be overwritten.
    package mutating func show(_ text: String, columns: Int) {
        let now = output.style.width
        // A window that became narrower may have wrapped the old line, and how is the terminal's secret. A new line
        // leaves a piece of the old one behind; moving up could wipe out lines that somebody wants to read.
        if shown > now { output.write("\n") }
        output.write("\r\(text)\u{1B}[K")
        shown = columns
    }

    package mutating func clear() {
        guard shown > 0 else { return }
        output.write(shown > output.style.width ? "\n" : "\r\u{1B}[K")
        shown = 0
    }

    /// A line that stays, above whatever is shown next.
    package mutating func print(_ line: String) {
        clear()
        output.write(line + "\n")
    }
}

/// Escape codes, or nothing where there is no colour.
package struct Paint: Sendable {
    package var enabled: Bool

    package init(enabled: Bool) { self.enabled = enabled }

    package func bold(_ text: String) -> String { wrap(text, "1") }
    package func dim(_ text: String) -> String { wrap(text, "2") }
    package func green(_ text: String) -> String { wrap(text, "32") }
    package func cyan(_ text: String) -> String { wrap(text, "36") }
    package func yellow(_ text: String) -> String { wrap(text, "33") }

    private func wrap(_ text: String, _ code: String) -> String {
        enabled && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}
