import AnnealTrain
import Foundation

/// A panel of curves as the page's script draws it.
package struct PagePanel: Codable, Sendable, Equatable {
    package struct Series: Codable, Sendable, Equatable {
        package var name: String
        package var x: [Double]
        /// null where a value is not finite.
        package var y: [Double?]
        /// Its index in the palette; nil: its index in the panel.
        package var colour: Int?
        package var dashed: Bool?
    }

    package var title: String
    package var series: [Series]
    /// Logarithmic if the largest value is at least this many times the smallest.
    package var log: Double?
    package var floor: Double?
    package var ceiling: Double?
    /// Values hold until the next one.
    package var step: Bool?
    package var height: Double

    /// The maximum number of points of a curve: more than a window has pixels.
    private static let most = 800

    /// Accuracy, loss, learning rate and speed of a run, as far as they were measured.
    package static func panels(_ epochs: [EpochReport]) -> [PagePanel] {
        var names: [String] = []
        for metric in epochs.prefix(1).flatMap({ $0.training + $0.validation }) where !names.contains(metric.name) {
            names.append(metric.name)
        }
        let accuracies = names.filter { $0 == "accuracy" } + names.filter { $0.hasPrefix("top_k_accuracy_") }
        var panels: [PagePanel] = []
        if !accuracies.isEmpty {
            panels.append(
                PagePanel(
                    title: "Accuracy", series: accuracies.flatMap { series(epochs, $0, isFirst: $0 == accuracies[0]) },
                    floor: 0, ceiling: 1, height: 260))
        }
        for name in names where !accuracies.contains(name) {
            panels.append(
                PagePanel(
                    title: name.prefix(1).uppercased() + name.dropFirst(), series: series(epochs, name, isFirst: true),
                    log: MetricSense.isLoss(name) ? 100 : nil, height: 220))
        }
        func line(_ name: String, colour: Int, _ value: (EpochReport) -> Double) -> Series {
            thinned(name, epochs.map { (Double($0.epoch + 1), value($0)) }, colour: colour)
        }
        panels.append(
            PagePanel(
                title: "Learning rate", series: [line("learning rate", colour: 2, \.learningRate)], log: 10, step: true,
                height: 130))
        panels.append(
            PagePanel(
                title: "Images a second", series: [line("training", colour: 6, \.samplesPerSecond)], floor: 0,
                height: 130))
        return panels.filter { $0.series.contains { $0.y.contains { $0 != nil } } }
    }

    private static func series(_ epochs: [EpochReport], _ name: String, isFirst: Bool) -> [Series] {
        let suffix = name.hasPrefix("top_k_accuracy_") ? " top-" + name.dropFirst("top_k_accuracy_".count) : ""
        return [("training", \EpochReport.training, 0), ("validation", \EpochReport.validation, 1)].compactMap {
            word, part, colour in
            let points = epochs.compactMap { epoch in
                epoch[keyPath: part].first { $0.name == name }.map { (Double(epoch.epoch + 1), $0.value) }
            }
            guard !points.isEmpty else { return nil }
            var series = thinned(word + suffix, points, colour: colour)
            series.dashed = isFirst ? nil : true
            return series
        }
    }

    /// If there are more points than are visible, the lowest and the highest of each piece, so that no peak is lost.
    package static func thinned(_ name: String, _ points: [(Double, Double)], colour: Int? = nil) -> Series {
        var kept: [(Double, Double)] = points
        if points.count > most {
            kept = []
            let pieces = most / 2
            for piece in 0..<pieces {
                let part = (piece * points.count / pieces)..<((piece + 1) * points.count / pieces)
                let finite = part.filter { points[$0].1.isFinite }
                guard let low = finite.min(by: { points[$0].1 < points[$1].1 }),
                    let high = finite.max(by: { points[$0].1 < points[$1].1 })
                else {
                    kept.append(points[part.lowerBound])
                    continue
                }
                kept += Set([low, high]).sorted().map { points[$0] }
            }
            // The last value is the most important one.
            if let last = points.last, kept.last?.0 != last.0 { kept.append(last) }
        }
        // Six digits are more than a screen can show.
        func rounded(_ value: Double) -> Double? { value.isFinite ? Double(String(format: "%.6g", value)) : nil }
        return Series(name: name, x: kept.map(\.0), y: kept.map { rounded($0.1) }, colour: colour)
    }
}
