import AnnealCore
import AnnealTrain
import Foundation

/// Keeps a run's `curves.svg` and `curves.png` up to date.
///
/// They are drawn after the first epoch, at the end, and after epochs in between such that the total drawing time stays
/// below 1 % of the run's: short epochs are drawn several at a time. A resumed run starts from the epochs that
/// `metrics.jsonl` already has. Both files are replaced atomically: a viewer never sees half a picture.
public final class CurvesWriter: FitObserver {
    private let folder: RunFolder
    private let title: String
    private let subtitle: String?
    private let clock: @Sendable () -> Double
    private var epochs: [EpochReport] = []
    /// Whether there are epochs that the files do not show.
    private var isBehind = false
    /// When the files may be drawn again.
    private var nextDrawing = -Double.infinity

    /// The fraction of the time that drawing may take.
    private static let share = 0.01

    public init(
        folder: RunFolder, title: String, subtitle: String? = nil,
        clock: @escaping @Sendable () -> Double = Clocks.monotonic
    ) {
        self.folder = folder
        self.title = title
        self.subtitle = subtitle
        self.clock = clock
    }

    public func receive(_ event: FitEvent) throws {
        switch event {
        case .started(let start):
            epochs = try RunHistory.epochs(of: folder.metricsJSONL).filter { $0.epoch < start.position.epoch }
            (isBehind, nextDrawing) = (false, -.infinity)
        case .epoch(let report):
            epochs.append(report)
            isBehind = true
            if clock() >= nextDrawing { try draw() }
        case .finished:
            if isBehind { try draw() }
        default:
            break
        }
    }

    private func draw() throws {
        let begin = clock()
        try Files.makeFolder(folder.path)
        let chart = Self.chart(title: title, subtitle: subtitle, epochs: epochs)
        try Files.writeAtomically(try named(folder.curvesSVG, chart.svg), to: folder.curvesSVG)
        try Files.writeAtomically(try named(folder.curvesPNG) { try chart.png() }, to: folder.curvesPNG)
        let end = clock()
        nextDrawing = end + (end - begin) / Self.share
        isBehind = false
    }

    private func named(_ path: String, _ body: () throws -> Data) throws -> Data {
        do { return try body() } catch let error as AnnealError { throw error.within(path) }
    }

    /// Accuracy, loss and learning rate over the epochs, as far as they were measured.
    ///
    /// An epoch is shown at the number of its checkpoint: the first, which the log calls 0, at 1.
    public static func chart(title: String, subtitle: String? = nil, epochs: [EpochReport]) -> Chart {
        var panels: [Chart.Panel] = []
        let names = metricNames(epochs)
        // Plain accuracy comes first, in whatever order they were requested.
        let accuracies = names.filter { $0 == "accuracy" } + names.filter { $0.hasPrefix("top_k_accuracy_") }
        if !accuracies.isEmpty || epochs.isEmpty {
            panels.append(panel("Accuracy", epochs, accuracies, limits: 0...1, scale: .linear, height: 230))
        }
        if let loss = ["cross-entropy", "nll-loss", "loss"].first(where: names.contains) {
            let name = loss == "cross-entropy" ? "Loss (cross-entropy)" : loss == "nll-loss" ? "Loss (nll)" : "Loss"
            panels.append(panel(name, epochs, [loss], limits: nil, scale: .automatic(ratio: 100), height: 190))
        }
        let rates = epochs.map { Chart.Point(Double($0.epoch + 1), $0.learningRate) }
        panels.append(
            Chart.Panel(
                title: "Learning rate",
                series: [Chart.Series(label: "", points: rates, style: .step, colour: Palette.green, digits: nil)],
                scale: .automatic(ratio: 10), height: 92))
        return Chart(title: title, subtitle: subtitle, xLabel: "epoch", panels: panels)
    }

    private static func metricNames(_ epochs: [EpochReport]) -> [String] {
        var names: [String] = []
        var seen: Set<String> = []
        for epoch in epochs {
            for metric in epoch.training + epoch.validation where seen.insert(metric.name).inserted {
                names.append(metric.name)
            }
        }
        return names
    }

    /// Training and validation of one or more metrics; further ones, e.g. top-5, are dashed.
    private static func panel(
        _ title: String, _ epochs: [EpochReport], _ names: [String], limits: ClosedRange<Double>?, scale: Chart.Scale,
        height: Double
    ) -> Chart.Panel {
        var series: [Chart.Series] = []
        var note: String?
        for name in names {
            let suffix = !name.hasPrefix("top_k_accuracy_") ? "" : " top-" + name.dropFirst("top_k_accuracy_".count)
            let style: Chart.Series.Style = name == names[0] ? .line : .dashed
            let training = points(epochs, name, \.training)
            let validation = points(epochs, name, \.validation)
            let best = best(validation, name)
            if let best, name == names[0] {
                note = "best validation \(Readable.metric(best.y)) after epoch \(Readable.count(Int(best.x)))"
            }
            if !training.isEmpty {
                series.append(.init(label: "training" + suffix, points: training, style: style, colour: Palette.blue))
            }
            if !validation.isEmpty {
                series.append(
                    .init(
                        label: "validation" + suffix, points: validation, style: style, colour: Palette.vermilion,
                        marked: name == names[0] ? best : nil))
            }
        }
        return Chart.Panel(title: title, note: note, series: series, scale: scale, limits: limits, height: height)
    }

    private static func points(
        _ epochs: [EpochReport], _ name: String, _ side: (EpochReport) -> [MetricValue]
    ) -> [Chart.Point] {
        epochs.compactMap { epoch in
            side(epoch).first { $0.name == name }.map { Chart.Point(Double(epoch.epoch + 1), $0.value) }
        }
    }

    static func best(_ points: [Chart.Point], _ name: String) -> Chart.Point? {
        points.filter(\.y.isFinite).reduce(nil) { best, point in
            guard let best else { return point }
            return MetricSense.isBetter(point.y, than: best.y, name: name) ? point : best
        }
    }
}
