import AnnealTrain

/// A run's events as JSON, one object per line, for programs that monitor it: `started`, `batch` and `epoch` as in
/// `metrics.jsonl`, `saved`, `note`, `warning`, and `finished` or `failed`.
public final class EventLines: FitObserver {
    private let output: any TextOutput
    private let folder: String?
    private var window: BatchWindow

    /// - Parameter displayBatches: the same interval as for the log's speed lines.
    /// - Parameter folder: the run's.
    public init(output: any TextOutput, folder: String? = nil, displayBatches: Int = 20) {
        self.output = output
        self.folder = folder
        window = BatchWindow(interval: displayBatches)
    }

    public func receive(_ event: FitEvent) throws {
        switch event {
        case .started(let start):
            window.resume(start)
            try write([
                "event": "started", "epoch": .integer(start.position.epoch), "end_epoch": .integer(start.endEpoch),
                "batches": .integer(start.stepsPerEpoch), "training_images": .integer(start.trainingCount),
                "validation_images": start.validationCount.map(JSONValue.integer) ?? .null,
                "run": folder.map(JSONValue.string) ?? .null,
            ])
        case .batch(let report):
            if let shown = window.add(report) { output.write(MetricsJSONL.line(shown) + "\n") }
        case .validating: break
        case .epoch(let report): output.write(MetricsJSONL.line(report) + "\n")
        case .saved(let epoch, let path):
            try write(["event": "saved", "checkpoint": .integer(epoch), "path": .string(path)])
        case .note(let text): try write(["event": "note", "text": .string(text)])
        case .warning(let text): try write(["event": "warning", "text": .string(text)])
        case .finished(let end):
            try write([
                "event": "finished", "epochs": .integer(end.epochs), "seconds": .number(end.seconds),
                "interrupted": .boolean(end.interrupted), "checkpoint": .integer(end.lastCheckpoint),
                "best": end.best.map {
                    ["checkpoint": .integer($0.checkpoint), "metric": .string($0.metric), "value": .number($0.value)]
                }
                    ?? .null,
            ])
        }
    }

    /// The last line of a run that ends with an error, which is no event of training.
    public static func writeFailure(_ error: String, to output: any TextOutput) throws {
        try write(["event": "failed", "error": .string(error)], to: output)
    }

    private func write(_ object: [String: JSONValue]) throws { try Self.write(object, to: output) }

    private static func write(_ object: [String: JSONValue], to output: any TextOutput) throws {
        output.write(try JSONValue.object(object).encoded().printable(json: true) + "\n")
    }
}
