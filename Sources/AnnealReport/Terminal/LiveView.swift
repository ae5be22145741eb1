import AnnealTrain

/// The view of a run on a terminal while it trains: its progress, its metrics, and its best result so far with a small
/// curve. A narrow or low terminal shows only the first line, as much as fits.
package struct LiveView: Sendable {
    /// The first validation metric, or training's without validation, epoch by epoch.
    package struct Curve: Sendable, Equatable {
        package var name = ""
        package var values: [Double] = []

        package init() {}

        /// From the epochs of a run so far.
        package init(_ epochs: [EpochReport], metric: String? = nil) {
            for epoch in epochs { add(epoch, metric: metric) }
        }

        package mutating func add(_ report: EpochReport, metric: String? = nil) {
            let metrics = report.validation.isEmpty ? report.training : report.validation
            let shown = metrics.first { $0.name == metric ?? "accuracy" } ?? metrics.first
            guard let shown else { return }
            name = (report.validation.isEmpty ? "training " : "validation ") + shown.name
            values.append(shown.value)
        }
    }

    package var state: TerminalState
    package var best: RunStatus.Best?
    package var memoryBytes: Int?
    package var curve: Curve

    package init(state: TerminalState, best: RunStatus.Best?, memoryBytes: Int?, curve: Curve) {
        self.state = state
        self.best = best
        self.memoryBytes = memoryBytes
        self.curve = curve
    }

    private static let narrowest = 60
    private static let lowest = 8
    private static let longestCurve = 40

    /// Lines that fit.
    package func lines(_ style: TerminalStyle) -> [String] {
        guard style.width >= Self.narrowest, style.height ?? 0 >= Self.lowest else {
            return [state.layout().line(style).text]
        }
        let lines = [state.headline().line(style).text, state.details(style, memoryBytes: memoryBytes)]
        return lines + (bestLine(style).map { [$0] } ?? [])
    }

    private func bestLine(_ style: TerminalStyle) -> String? {
        var line = EpochLine()
        line.add(" ", rank: 0)
        if let best {
            line.add("best \(best.metric)", rank: 1, paint: .dim)
            line.add(Readable.metric(best.value), rank: 1, paint: .green, after: " ")
            line.add("(checkpoint \(best.checkpoint))", rank: 3, paint: .dim, after: " ")
        }
        if curve.values.filter(\.isFinite).count > 1 {
            line.add(Self.bars(curve.values, width: Self.longestCurve, unicode: style.unicode), rank: 2, paint: .cyan)
            line.add(curve.name, rank: 4, paint: .dim, after: " ")
        }
        let text = line.shortened(to: style.width).text(colour: style.colour)
        return text == " " ? nil : text
    }

    /// One character per value, or for the mean of neighbouring ones: `▁▃▅▆█`, or `_.-=#` in ASCII. Values that are not
    /// finite are a space.
    package static func bars(_ values: [Double], width: Int, unicode: Bool) -> String {
        let letters = Array(unicode ? "▁▂▃▄▅▆▇█" : "_.-~=+*#")
        let finite = values.filter(\.isFinite)
        guard let low = finite.min(), let high = finite.max(), width > 0 else { return "" }
        let count = min(width, values.count)
        return String(
            (0..<count).map { (place: Int) -> Character in
                let part = values[(place * values.count / count)..<((place + 1) * values.count / count)]
                let known = part.filter(\.isFinite)
                guard !known.isEmpty else { return " " }
                let mean = known.reduce(0, +) / Double(known.count)
                let level = high > low ? (mean - low) / (high - low) : 0.5
                return letters[min(letters.count - 1, Int(level * Double(letters.count)))]
            })
    }
}
