import AnnealTrain
import Foundation

/// MXNet 1.9.1's log messages, character by character, so that its `tools/parse_log.py` and other tools for its logs
/// read ours. Epochs count from 0 here, as they do there.
package enum LogGrammar {
    package static func batch(_ batch: DisplayedBatch) -> String {
        let head = "Epoch[\(batch.epoch)] Batch [\(batch.from)-\(batch.to)]"
        let speed = "Speed: \(fixed(batch.samplesPerSecond, 2)) samples/sec"
        return ([head, speed] + batch.metrics.map { "\($0.name)=\(fixed($0.value, 6))" }).joined(separator: "\t")
    }

    package static func firstBatch(_ report: BatchReport) -> String {
        "First batch trained in \(fixed(report.seconds, 3)) seconds"
    }

    /// `Epoch[0] Train-accuracy=0.471000`; one line per metric.
    package static func training(_ report: EpochReport) -> [String] {
        report.training.map { "Epoch[\(report.epoch)] Train-\($0.name)=\(fixed($0.value, 6))" }
    }

    package static func time(_ report: EpochReport) -> String {
        "Epoch[\(report.epoch)] Time cost=\(fixed(report.seconds, 3))"
    }

    /// A line that MXNet's logs do not have; nil if it was not measured.
    package static func waiting(_ report: EpochReport) -> String? {
        report.waitingShare.map { "Epoch[\(report.epoch)] Waiting for data=\(fixed(100 * $0, 1)) %" }
    }

    package static func validation(_ report: EpochReport) -> [String] {
        report.validation.map { "Epoch[\(report.epoch)] Validation-\($0.name)=\(fixed($0.value, 6))" }
    }

    /// The run's progress when a line was written; nil for a line that does not belong to a part of the run.
    package static func end(ofLine line: Substring) -> FitPosition? {
        let pattern = /^[A-Z]+:root:Epoch\[(\d+)\] (?:Batch \[\d+-(\d+)\]|Train-|Time cost=|Waiting for|Validation-)/
        guard let match = try? pattern.firstMatch(in: line), let epoch = Int(match.1) else { return nil }
        return FitPosition(afterBatch: match.2.flatMap { Int($0) }, of: epoch)
    }

    package static func saved(_ path: String) -> String { "\(savedBeginning)\"\(path)\"" }
    static let savedBeginning = "Saved checkpoint to "

    /// Python's `%.Nf`.
    package static func fixed(_ value: Double, _ digits: Int) -> String {
        // Linux prints -nan for some NaNs; Python never does.
        value.isNaN ? "nan" : String(format: "%.\(digits)f", value)
    }
}

extension FitPosition {
    /// After a batch or, if it is nil, after the epoch.
    init(afterBatch batch: Int?, of epoch: Int) {
        if let batch { self.init(epoch: epoch, batch: batch + 1) } else { self.init(epoch: epoch + 1) }
    }
}
