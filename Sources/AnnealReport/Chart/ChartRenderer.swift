import Foundation

/// Draws a chart on any canvas: the same code for SVG and PNG.
struct ChartRenderer {
    private let chart: Chart
    private let canvas: Canvas
    private let domain: ClosedRange<Double>

    init(chart: Chart, canvas: Canvas) {
        self.chart = chart
        self.canvas = canvas
        domain = Self.domain(of: chart)
    }

    private typealias Font = Canvas.Font
    private static let titleFont = Font(19, bold: true)
    private static let subtitleFont = Font(12)
    private static let headFont = Font(13, bold: true)
    private static let noteFont = Font(11.5)
    private static let tickFont = Font(11)
    private static let labelFont = Font(12, bold: true)
    private static let margin = 28.0
    private static let panelHead = 33.0
    private static let panelGap = 24.0
    private static let labelPitch = 16.0
    private static let labelGap = 16.0

    static func height(of chart: Chart) -> Double {
        let panels =
            chart.panels.reduce(0) { $0 + panelHead + $1.height } + panelGap * Double(max(0, chart.panels.count - 1))
        return headHeight(chart) + panels + 58
    }

    private static func headHeight(_ chart: Chart) -> Double { chart.subtitle == nil ? 56 : 76 }

    func draw() {
        canvas.fill(Box(x: 0, y: 0, width: chart.width, height: Self.height(of: chart)), Palette.background)
        let wide = chart.width - 2 * Self.margin
        canvas.text(
            canvas.fitted(chart.title, Self.titleFont, room: wide), at: Spot(Self.margin, 42), Self.titleFont,
            Palette.text)
        if let subtitle = chart.subtitle {
            canvas.text(
                canvas.fitted(subtitle, Self.subtitleFont, room: wide), at: Spot(Self.margin, 64), Self.subtitleFont,
                Palette.quiet)
        }
        let left = Self.margin + tickRoom()
        let plotWidth = chart.width - Self.margin - labelRoom() - left
        var top = Self.headHeight(chart)
        for (index, panel) in chart.panels.enumerated() {
            let box = Box(x: left, y: top + Self.panelHead, width: plotWidth, height: panel.height)
            draw(panel, in: box, isLast: index == chart.panels.count - 1)
            top = box.bottom + Self.panelGap
        }
    }

    // MARK: The shared axis

    /// The position of a value on the axis before it is scaled to a panel; not finite for a value without one.
    private static func position(_ value: Double, on scale: Chart.XScale) -> Double {
        scale == .counting ? value : value > 0 ? log10(value) : .nan
    }

    private func isPlaced(_ value: Double) -> Bool { Self.position(value, on: chart.xScale).isFinite }

    /// The range in positions: with a margin of half an epoch if there are few, almost none if there are many.
    private static func domain(of chart: Chart) -> ClosedRange<Double> {
        let xs = chart.panels.flatMap(\.series).flatMap(\.points).map { position($0.x, on: chart.xScale) }
            .filter(\.isFinite)
        guard let low = xs.min(), let high = xs.max() else { return 0.5...1.5 }
        // Never less than the resolution of numbers of this size.
        let air = max(low == high ? 0.5 : min(0.5, 0.03 * (high - low)), 4 * max(low.magnitude, high.magnitude).ulp)
        return (low - air)...(high + air)
    }

    private func x(_ value: Double, _ box: Box) -> Double {
        let part = Self.position(value, on: chart.xScale) - domain.lowerBound
        return box.x + part / (domain.upperBound - domain.lowerBound) * box.width
    }

    private func colour(_ panel: Chart.Panel, _ index: Int) -> Colour {
        panel.series[index].colour ?? Palette.all[index % Palette.all.count]
    }

    // MARK: A panel

    private func draw(_ panel: Chart.Panel, in box: Box, isLast: Bool) {
        let scale = PanelScale(panel, box: box)
        drawHead(panel, box, isLogarithmic: scale.isLogarithmic)
        let isEmpty = panel.series.allSatisfy { $0.points.isEmpty }
        // Without values the axis labels would be meaningless.
        let ticks = scale.hasValues ? scale.ticks() : Ticks(values: [], labels: [])
        drawGrid(ticks, isEmpty ? Ticks(values: [], labels: []) : xTicks(box), scale, box, isLast: isLast)
        canvas.clipped(to: Box(x: box.x, y: box.y - 6, width: box.width + 6, height: box.height + 12)) {
            for (index, series) in panel.series.enumerated() {
                var series = series
                // The palette's second round is dashed, so that no two curves look alike.
                if series.colour == nil, index >= Palette.all.count, series.style == .line { series.style = .dashed }
                drawSeries(series, colour(panel, index), scale, box, fills: panel.series.count == 1)
            }
        }
        drawEndLabels(panel, scale, box)
        if isEmpty {
            canvas.text(
                "nothing to show yet", at: Spot(box.x + box.width / 2, box.y + box.height / 2), Self.noteFont,
                Palette.quiet,
                anchor: .middle)
        }
    }

    private func drawHead(_ panel: Chart.Panel, _ box: Box, isLogarithmic: Bool) {
        let baseline = box.y - 15
        canvas.text(panel.title, at: Spot(Self.margin, baseline), Self.headFont, Palette.text)
        var notes = panel.note.map { [$0] } ?? []
        if isLogarithmic { notes.append("log scale") }
        if panel.series.contains(where: { $0.style != .background && $0.points.contains { !$0.y.isFinite } }) {
            notes.append("× not finite")
        }
        let x = Self.margin + canvas.width(of: panel.title, Self.headFont) + 12
        canvas.text(
            canvas.fitted(notes.joined(separator: "  ·  "), Self.noteFont, room: chart.width - Self.margin - x),
            at: Spot(x, baseline), Self.noteFont, Palette.quiet)
    }

    private func xTicks(_ box: Box) -> Ticks {
        let count = max(2, Int(box.width / 60))
        switch chart.xScale {
        case .counting: return .integers(domain, count: count)
        case .logarithmic: return .decades(pow(10, domain.lowerBound)...pow(10, domain.upperBound), count: count)
        }
    }

    private func drawGrid(_ ticks: Ticks, _ xTicks: Ticks, _ scale: PanelScale, _ box: Box, isLast: Bool) {
        for (value, label) in zip(ticks.values, ticks.labels) {
            guard let y = scale.y(value) else { continue }
            canvas.line([Spot(box.x, y), Spot(box.right, y)], Palette.grid, width: 1, round: false)
            canvas.text(label, at: Spot(box.x - 8, y + 4), Self.tickFont, Palette.quiet, anchor: .end)
        }
        for (value, label) in zip(xTicks.values, xTicks.labels) {
            let x = x(value, box)
            canvas.line([Spot(x, box.y), Spot(x, box.bottom)], Palette.grid, width: 1, round: false)
            guard isLast else { continue }
            canvas.line([Spot(x, box.bottom), Spot(x, box.bottom + 4)], Palette.axis, width: 1, round: false)
            canvas.text(label, at: Spot(x, box.bottom + 18), Self.tickFont, Palette.quiet, anchor: .middle)
        }
        canvas.line([Spot(box.x, box.bottom), Spot(box.right, box.bottom)], Palette.axis, width: 1, round: false)
        if isLast {
            canvas.text(
                chart.xLabel, at: Spot(box.x + box.width / 2, box.bottom + 38), Self.noteFont, Palette.quiet,
                anchor: .middle)
        }
    }

    // MARK: A curve

    private func drawSeries(_ series: Chart.Series, _ colour: Colour, _ scale: PanelScale, _ box: Box, fills: Bool) {
        let units = chart.xScale == .counting ? domain.upperBound - domain.lowerBound : Double(series.points.count)
        let spacing = box.width / max(1, units)
        for run in runs(series, scale, box).map(CurveThinning.thinned) {
            guard series.style != .background else {
                canvas.line(run, colour.mixed(with: Palette.background, 0.65), width: 1)
                continue
            }
            let path = series.style == .step ? stepped(run, box, half: spacing / 2) : run
            if fills {
                var shade = colour
                shade.alpha = 0.08
                canvas.area(path, base: box.bottom, shade)
            }
            canvas.line(path, colour, width: 2, dash: series.style == .dashed ? [6, 4] : [])
            // If there are few points they are marked; a single one has no line.
            if series.style != .step, spacing > 16 || run.count == 1 {
                for spot in run { canvas.disc(spot, radius: 3, colour) }
            }
        }
        guard series.style != .background else { return }
        for point in crosses(series) {
            cross(Spot(x(point.x, box), Self.crossHeight(point.y, box)), colour)
        }
        if let marked = series.marked, let y = scale.y(marked.y) {
            canvas.disc(Spot(x(marked.x, box), y), radius: 4.5, colour, ring: 2)
        }
    }

    /// A mark at the edge for a value that is not finite: a diverged run should be visible.
    private func cross(_ spot: Spot, _ colour: Colour) {
        let arm = 3.0
        canvas.line([Spot(spot.x - arm, spot.y - arm), Spot(spot.x + arm, spot.y + arm)], colour, width: 1.5)
        canvas.line([Spot(spot.x - arm, spot.y + arm), Spot(spot.x + arm, spot.y - arm)], colour, width: 1.5)
    }

    /// The points that are not finite, at most one per half point of the width.
    private func crosses(_ series: Chart.Series) -> [Chart.Point] {
        let least = (domain.upperBound - domain.lowerBound) / (2 * chart.width)
        var crosses: [Chart.Point] = []
        for point in series.points where isPlaced(point.x) && !point.y.isFinite {
            let position = Self.position(point.x, on: chart.xScale)
            if let last = crosses.last, abs(position - Self.position(last.x, on: chart.xScale)) < least { continue }
            crosses.append(point)
        }
        return crosses
    }

    /// The pieces between gaps.
    private func runs(_ series: Chart.Series, _ scale: PanelScale, _ box: Box) -> [[Spot]] {
        var runs: [[Spot]] = [[]]
        for point in series.points {
            if isPlaced(point.x), let y = scale.y(point.y) {
                runs[runs.count - 1].append(Spot(x(point.x, box), y))
            } else if runs.last?.isEmpty == false {
                runs.append([])
            }
        }
        return runs.filter { !$0.isEmpty }
    }

    /// Constant from half-way before each point to half-way after it.
    private func stepped(_ run: [Spot], _ box: Box, half: Double) -> [Spot] {
        var path: [Spot] = []
        for (index, spot) in run.enumerated() {
            let from = index > 0 ? (run[index - 1].x + spot.x) / 2 : max(box.x, spot.x - half)
            let to = index + 1 < run.count ? (run[index + 1].x + spot.x) / 2 : min(box.right, spot.x + half)
            path += [Spot(from, spot.y), Spot(to, spot.y)]
        }
        return path
    }

    // MARK: Labels at the curves' ends

    private struct EndLabel {
        var name: String
        var value: String
        var colour: Colour
        var end: Spot
        var y: Double
    }

    private func drawEndLabels(_ panel: Chart.Panel, _ scale: PanelScale, _ box: Box) {
        var labels = panel.series.enumerated().compactMap { index, series in
            endLabel(series, colour(panel, index), scale, box)
        }
        let positions = LabelSpread.spread(labels.map(\.y), pitch: Self.labelPitch, in: (box.y + 4)...(box.bottom - 2))
        for (index, y) in positions.enumerated() { labels[index].y = y }
        for label in labels {
            let x = box.right + Self.labelGap
            // A thin line to a curve that does not end next to its label.
            if abs(label.y - label.end.y) > 3 || box.right - label.end.x > 60 {
                canvas.line(
                    [Spot(label.end.x + 5, label.end.y), Spot(box.right + 4, label.end.y), Spot(x - 4, label.y)],
                    label.colour.mixed(with: Palette.background, 0.6), width: 1)
            }
            // A long name is truncated, never the value.
            let room = chart.width - Self.margin - x - canvas.width(of: " " + label.value, Self.labelFont)
            let name = label.name.isEmpty ? "" : canvas.fitted(label.name, Self.labelFont, room: room) + " "
            let text = name + label.value
            // Darker than the curve, because thin strokes look lighter.
            canvas.text(text, at: Spot(x, label.y + 4.3), Self.labelFont, label.colour.mixed(with: Palette.text, 0.22))
        }
    }

    /// nil for a series without points.
    private func endLabel(_ series: Chart.Series, _ colour: Colour, _ scale: PanelScale, _ box: Box) -> EndLabel? {
        guard series.style != .background else { return nil }
        let finite = series.points.filter { isPlaced($0.x) }
        guard let last = finite.last else { return nil }
        // A run that ended in NaN is labelled as such, next to its last cross.
        if !last.y.isFinite {
            let y = Self.crossHeight(last.y, box)
            return EndLabel(
                name: series.label, value: LogGrammar.fixed(last.y, 0), colour: colour, end: Spot(x(last.x, box), y),
                y: y)
        }
        guard let drawn = finite.last(where: { scale.y($0.y) != nil }), let y = scale.y(drawn.y) else { return nil }
        // A step reaches the edge.
        let end = series.style == .step ? box.right - 1 : x(drawn.x, box)
        return EndLabel(
            name: series.label, value: Self.endValue(series, drawn.y), colour: colour, end: Spot(end, y), y: y)
    }

    private static func crossHeight(_ value: Double, _ box: Box) -> Double {
        value == -.infinity ? box.bottom - 4 : box.y + 4
    }

    private static func endValue(_ series: Chart.Series, _ value: Double) -> String {
        let digits = abs(value) < 1e6 ? series.digits : nil
        return digits.map { LogGrammar.fixed(value, $0) } ?? Ticks.label(value, step: nil)
    }

    // MARK: Margins

    private func labelRoom() -> Double {
        let widths = chart.panels.flatMap(\.series).map { series in
            if series.style == .background { return 0.0 }
            let last = series.points.last { $0.y.isFinite }?.y ?? 0
            return canvas.width(of: "\(series.label) \(Self.endValue(series, last))", Self.labelFont)
        }
        return min(max(70, (widths.max() ?? 0) + Self.labelGap), chart.width * 0.3)
    }

    private func tickRoom() -> Double {
        let widths = chart.panels.flatMap { panel in
            PanelScale(panel, box: Box(x: 0, y: 0, width: 1, height: panel.height)).ticks().labels.map {
                canvas.width(of: $0, Self.tickFont)
            }
        }
        return max(24, (widths.max() ?? 0) + 8)
    }
}
