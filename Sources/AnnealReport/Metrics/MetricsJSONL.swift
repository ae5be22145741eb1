import AnnealCore
import AnnealTrain
import Foundation

/// One JSON object per line: one for each displayed batch and one for each epoch.
///
/// ```
/// {"event":"batch","epoch":0,"batch":20,"batches":391,"samples_per_second":1234.5,"learning_rate":0.05,"metrics":{…}}
/// {"event":"epoch","epoch":0,"checkpoint":1,"train":{…},"validation":{…},"learning_rate":0.05,"seconds":12.3,…}
/// ```
/// Numbers read back as the same double; NaN and infinities, which JSON lacks, are null. A resumed run keeps the lines
/// before its position and drops the others.
public final class MetricsJSONL: FitObserver {
    private let path: String
    private var window: BatchWindow
    private var file: LineFile?

    public init(path: String, displayBatches: Int = 20) {
        self.path = path
        window = BatchWindow(interval: displayBatches)
    }

    public func receive(_ event: FitEvent) throws {
        switch event {
        case .started(let start):
            try keep(before: start.position)
            window.resume(start)
        case .batch(let report):
            if let displayed = window.add(report) { try append(Self.line(displayed)) }
        case .epoch(let report):
            try append(Self.line(report))
            try file?.sync()
        case .finished:
            try file?.sync()
        default:
            break
        }
    }

    private func append(_ line: String) throws {
        let file = try self.file ?? LineFile(appendingTo: path)
        self.file = file
        try file.append(line)
    }

    private func keep(before position: FitPosition) throws {
        file = nil
        guard Files.exists(path) else { return }
        let kept = try RunHistory.records(of: path).filter { $0.record.end <= position }.map(\.line)
        let text = kept.isEmpty ? "" : kept.joined(separator: "\n") + "\n"
        try Files.writeAtomically(Data(text.utf8), to: path)
    }

    package static func line(_ batch: DisplayedBatch) -> String {
        object([
            ("event", "\"batch\""), ("epoch", "\(batch.epoch)"), ("batch", "\(batch.to)"),
            ("batches", "\(batch.batches)"), ("samples_per_second", number(batch.samplesPerSecond)),
            ("learning_rate", number(batch.learningRate)), ("metrics", object(batch.metrics)),
        ])
    }

    package static func line(_ report: EpochReport) -> String {
        object([
            ("event", "\"epoch\""), ("epoch", "\(report.epoch)"), ("checkpoint", "\(report.epoch + 1)"),
            ("train", object(report.training)),
            ("validation", object(report.validation)), ("learning_rate", number(report.learningRate)),
            ("seconds", number(report.seconds)), ("validation_seconds", number(report.validationSeconds)),
            ("samples_per_second", number(report.samplesPerSecond)),
        ])
    }

    private static func object(_ metrics: [MetricValue]) -> String {
        object(metrics.map { ($0.name, number($0.value)) })
    }

    /// Written by hand, because JSONEncoder does not keep the order of keys.
    private static func object(_ members: [(key: String, value: String)]) -> String {
        "{" + members.map { "\(quoted($0.key)):\($0.value)" }.joined(separator: ",") + "}"
    }

    private static func number(_ value: Double) -> String { value.isFinite ? "\(value)" : "null" }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case let control where control.value < 0x20: result += String(format: "\\u%04x", control.value)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
