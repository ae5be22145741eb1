import AnnealCore
import AnnealTrain
import Foundation

/// The result of a learning rate search: a curve, a table and a suggestion.
public struct LearningRateReport {
    public let search: LearningRateSearch
    public let curve: LearningRateCurve
    public let title: String

    public init(_ search: LearningRateSearch, title: String) {
        self.search = search
        self.title = title
        curve = LearningRateCurve(search)
    }

    /// The suggested rate, and why.
    public var suggestion: String {
        let last = search.points.last?.rate ?? search.from
        // The user ended the search: what it did not find may come later.
        let stop = "stopped after \(search.points.count) of \(search.steps) updates, at \(Self.text(last))"
        switch curve.finding {
        case .suggestion(let rate):
            let end =
                !search.isOver
                ? "the search was \(stop)"
                : search.hasDiverged
                    ? "it diverged at \(Self.text(last))" : "it did not diverge up to \(Self.text(last))"
            return
                "Suggestion: --lr \(Self.text(rate)); the loss falls fastest at \(Self.text(curve.steepest?.rate)) and "
                + "is near its lowest from \(Self.text(curve.valley?.lowerBound)) to "
                + "\(Self.text(curve.valley?.upperBound)); \(end)"
        case .stillFalling where search.isOver:
            return "No suggestion: the loss still falls at \(Self.text(last)); search higher rates with --to"
        case .noClearDescent where search.isOver:
            return "No suggestion: from \(Self.text(search.from)) to \(Self.text(last)) the loss did not clearly fall; "
                + "search other rates with --from and --to, or measure with less noise: more --steps, a larger --batch-size"
        case .stillFalling, .noClearDescent:
            return "No suggestion: the search was \(stop); let it run to its end"
        }
    }

    /// `rate,loss,smoothed`, one row per update; nothing is smoothed after a loss that is not finite.
    public var csv: String {
        let rows = search.points.enumerated().map { index, point in
            let smoothed = index < curve.smoothed.count ? "\(curve.smoothed[index].loss)" : ""
            return "\(point.rate),\(point.loss),\(smoothed)"
        }
        return (["rate,loss,smoothed"] + rows).joined(separator: "\n") + "\n"
    }

    /// The loss over the logarithm of the rate: of each batch in gray, smoothed in blue.
    public var chart: Chart {
        // Where training diverges, the losses of single batches would hide the curve.
        let highest = 1.2 * (curve.smoothed.map(\.loss).max() ?? .infinity)
        let losses = search.points.map { Chart.Point($0.rate, $0.loss <= highest ? $0.loss : .nan) }
        let points = curve.smoothed.map { Chart.Point($0.rate, $0.loss) }
        var note: String?, marked: Chart.Point?
        if case .suggestion(let rate) = curve.finding {
            note = "suggestion \(Self.text(rate))"
            marked = points.min { abs(log($0.x / rate)) < abs(log($1.x / rate)) }
        }
        return Chart(
            title: title, subtitle: suggestion, xLabel: "learning rate", xScale: .logarithmic,
            panels: [
                Chart.Panel(
                    title: "Loss (cross-entropy)", note: note,
                    series: [
                        Chart.Series(label: "", points: losses, style: .background, colour: Palette.gray),
                        Chart.Series(label: "smoothed", points: points, colour: Palette.blue, marked: marked),
                    ], height: 300)
            ])
    }

    /// Writes `find-lr.csv`, `find-lr.svg` and `find-lr.png`.
    public func write(to folder: RunFolder) throws {
        try Files.writeAtomically(Data(csv.utf8), to: folder.file("find-lr.csv"))
        try Files.writeAtomically(try chart.svg(), to: folder.file("find-lr.svg"))
        try Files.writeAtomically(try chart.png(), to: folder.file("find-lr.png"))
    }

    /// Two digits: a rate is never known more precisely.
    private static func text(_ rate: Double?) -> String {
        guard let rate, let rounded = Double(String(format: "%.1e", rate)) else { return "?" }
        return Ticks.decimal(rounded)
    }
}
