import AnnealTrain
import Foundation

/// The speed and the metrics since the last line, every `--disp-batches` updates.
package struct DisplayedBatch: Sendable, Equatable {
    package var epoch: Int
    /// The ends of the interval as MXNet writes them: `[from-to]`.
    package var from: Int
    package var to: Int
    package var batches: Int
    package var samplesPerSecond: Double
    package var learningRate: Double
    package var metrics: [MetricValue]
}

/// MXNet 1.9.1's `Speedometer`, called with every update.
///
/// As there, an epoch's first update only starts the clock, a line is due when the update's number is a multiple of the
/// interval, and with `autoReset` its metrics cover the updates since the last line rather than the epoch. Unlike
/// there, the speed counts the valid samples, not the padding of a short batch.
package struct BatchWindow {
    private let interval: Int
    private let autoReset: Bool
    private var epoch: Int?
    private var samples = 0
    private var seconds = 0.0
    /// Samples of the epoch so far; nil if its first batches were not seen.
    private var seen: Int?
    private var shown: (samples: Int, metrics: [MetricValue])?

    package init(interval: Int, autoReset: Bool = true) {
        self.interval = max(1, interval)
        self.autoReset = autoReset
    }

    /// Continues inside an epoch: the next line covers only later updates.
    package mutating func resume(_ start: RunStart) {
        guard start.position.batch > 0 else { return }
        epoch = start.position.epoch
        seen = start.samples
        shown = (start.samples, start.metrics)
    }

    package mutating func add(_ report: BatchReport) -> DisplayedBatch? {
        if epoch != report.epoch {
            epoch = report.epoch
            (samples, seconds) = (0, 0)
            seen = report.batch == 0 ? report.samples : nil
            shown = report.batch == 0 ? (0, []) : nil
            return nil
        }
        samples += report.samples
        seconds += report.seconds
        seen = seen.map { $0 + report.samples }
        guard report.batch % interval == 0 else { return nil }
        let displayed = DisplayedBatch(
            epoch: report.epoch, from: autoReset ? report.batch - interval : 0, to: report.batch,
            batches: report.batches, samplesPerSecond: seconds > 0 ? Double(samples) / seconds : .infinity,
            learningRate: report.learningRate, metrics: autoReset ? sinceShown(report.metrics) : report.metrics)
        (samples, seconds) = (0, 0)
        shown = seen.map { ($0, report.metrics) }
        return displayed
    }

    /// The averages since the last line, from the epoch's averages now and then: (aₙn − aₘm) / (n − m).
    private func sinceShown(_ metrics: [MetricValue]) -> [MetricValue] {
        guard let seen, let shown, shown.samples > 0, seen > shown.samples else { return metrics }
        return metrics.map { metric in
            guard let before = shown.metrics.first(where: { $0.name == metric.name })?.value else { return metric }
            // Perplexity is the exponential of an average.
            let isExponential = metric.name.lowercased().hasPrefix("perplexity")
            let (now, then) = isExponential ? (log(metric.value), log(before)) : (metric.value, before)
            var value = (now * Double(seen) - then * Double(shown.samples)) / Double(seen - shown.samples)
            // The subtraction may give −1e−17 where a sum of terms ≥ 0 was 0.
            if now >= 0, then >= 0, value < 0 { value = 0 }
            return MetricValue(name: metric.name, value: isExponential ? exp(value) : value)
        }
    }
}
