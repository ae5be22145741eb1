import AnnealCore
import AnnealTrain
import Foundation

/// What a search for a learning rate found: a curve, a table and a sentence.
public struct LearningRateReport {
    public let search: LearningRateSearch
    public let title: String

    public init(_ search: LearningRateSearch, title: String) {
        self.search = search
        self.title = title
    }

    /// What to try, and why.
    public var suggestion: String {
        let range = "\(Self.text(search.from)) to \(Self.text(search.points.last?.rate ?? search.from))"
        guard let lowest = search.lowest, let steepest = search.steepest else {
            return "No suggestion: the loss did not fall between \(range); search another range with --from and --to"
        }
        let end =
            search.hasDiverged
            ? "it diverged at \(Self.text(search.points.last?.rate ?? 0))"
            : "it did not diverge up to \(Self.text(search.to))"
        return "Suggestion: --lr \(Self.text(steepest.rate)), where the loss falls fastest; at most "
            + "\(Self.text(lowest.rate / 10)), a tenth of where it is lowest (\(Self.text(lowest.rate))); \(end)"
    }

    /// `rate,loss,smoothed`, a row an update.
    public var csv: String {
        (["rate,loss,smoothed"] + search.points.map { "\($0.rate),\($0.loss),\($0.smoothed)" })
            .joined(separator: "\n") + "\n"
    }

    /// The loss over the rate's power of ten.
    public var chart: Chart {
        func point(_ point: LearningRateSearch.Point, _ loss: Double) -> Chart.Point {
            Chart.Point(log10(point.rate), loss)
        }
        let smoothed = Chart.Series(
            label: "smoothed", points: search.points.map { point($0, $0.smoothed) }, colour: Palette.blue,
            marked: search.steepest.map { point($0, $0.smoothed) })
        let note = search.steepest.map { "falls fastest at \(Self.text($0.rate))" }
        return Chart(
            title: title, subtitle: suggestion, xLabel: "learning rate, as a power of ten",
            panels: [Chart.Panel(title: "Loss (cross-entropy)", note: note, series: [smoothed], height: 300)])
    }

    /// Writes `find-lr.csv`, `find-lr.svg` and `find-lr.png`.
    public func write(to folder: RunFolder) throws {
        try Files.writeAtomically(Data(csv.utf8), to: folder.file("find-lr.csv"))
        try Files.writeAtomically(try chart.svg(), to: folder.file("find-lr.svg"))
        try Files.writeAtomically(try chart.png(), to: folder.file("find-lr.png"))
    }

    /// Two digits: a rate is never known better.
    private static func text(_ rate: Double) -> String { String(format: "%.2g", rate) }
}
