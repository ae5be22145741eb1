/// The last lines of a terminal, redrawn in place, and the permanent lines above them.
///
/// The cursor waits at the beginning of the first line. When the window becomes narrower, a terminal either cuts the
/// line or wraps it, and keeps the cursor where the line begins: everything from there down is erased in either case.
package struct LiveLine {
    private static let wipe = "\u{1B}[J"
    private let output: any TextOutput
    private var isShown = false

    package init(_ output: any TextOutput) { self.output = output }

    /// Replaces the line. `text` must fit the width.
    package mutating func show(_ text: String) { show([text]) }

    /// Replaces the lines. Each must fit the width, and all of them the height.
    package mutating func show(_ lines: [String]) {
        let up = lines.count > 1 ? "\u{1B}[\(lines.count - 1)A" : ""
        output.write("\r" + lines.joined(separator: "\u{1B}[K\n") + "\(Self.wipe)\r\(up)")
        isShown = true
    }

    package mutating func clear() {
        guard isShown else { return }
        output.write("\r\(Self.wipe)")
        isShown = false
    }

    /// A permanent line, above the lines shown next.
    package mutating func print(_ line: String) {
        clear()
        output.write(line + "\n")
    }
}

/// Escape codes, or nothing without colour.
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
