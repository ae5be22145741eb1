import AnnealCore
import AnnealTrain
import Foundation

/// Writes a run for TensorBoard: metrics, learning rate and speed, for each epoch and each displayed batch; at the end
/// pictures and the confusion matrix; on request the histograms of weights and gradients.
///
/// Epoch steps are checkpoint numbers; batch steps (tags that begin with `batch/`) count batches from the run's start.
public final class TensorBoardWriter: FitObserver {
    private let folder: String
    private let run: RunFolder
    private let arrays: () throws -> [(name: String, values: [Float])]
    private var window: BatchWindow
    private var file: EventFile?
    private var stepsPerEpoch = 1

    /// - Parameters:
    ///   - folder: of the event files, e.g. `logs/RUN`.
    ///   - run: its pictures and confusion matrix are shown at the end.
    ///   - displayBatches: as of the log's speed lines.
    ///   - arrays: their histograms are written after each epoch.
    public init(
        folder: String, run: RunFolder, displayBatches: Int = 20,
        arrays: @escaping () throws -> [(name: String, values: [Float])] = { [] }
    ) {
        self.folder = folder
        self.run = run
        self.arrays = arrays
        window = BatchWindow(interval: displayBatches)
    }

    public func receive(_ event: FitEvent) throws {
        switch event {
        case .started(let start):
            let file = try EventFile(inFolder: folder)
            stepsPerEpoch = max(1, start.stepsPerEpoch)
            window.resume(start)
            if start.position > FitPosition(epoch: 0) { try file.restart(at: start.position.epoch + 1) }
            self.file = file
        case .batch(let report):
            guard let shown = window.add(report) else { return }
            let step = shown.epoch * stepsPerEpoch + shown.to + 1
            let values = shown.metrics.map { ("batch/\($0.name)", $0.value) }
            try add(
                values + [
                    ("batch/learning_rate", shown.learningRate), ("batch/images_per_second", shown.samplesPerSecond),
                ],
                step: step)
        case .epoch(let report):
            let metrics =
                report.training.map { ("\($0.name)/train", $0.value) }
                + report.validation.map { ("\($0.name)/validation", $0.value) }
            try add(
                metrics + [("learning_rate", report.learningRate), ("images_per_second", report.samplesPerSecond)],
                step: report.epoch + 1)
            let histograms = try arrays().map { ("\($0.name)", EventFile.Value.histogram(EventHistogram($0.values))) }
            try file?.add(histograms, step: report.epoch + 1)
            try file?.sync()
        case .finished(let end):
            try addPictures(step: end.lastCheckpoint)
            try file?.sync()
        default: break
        }
    }

    private func add(_ values: [(String, Double)], step: Int) throws {
        try file?.add(values.map { ($0.0, .scalar($0.1)) }, step: step)
    }

    private func addPictures(step: Int) throws {
        var values: [(tag: String, value: EventFile.Value)] = []
        if let pictures = RunPictures.read(inFolder: run.path) {
            for (kind, list) in [("worst", pictures.worst), ("training", pictures.training)] {
                for (number, picture) in list.enumerated() {
                    if let value = Self.image(picture.png) { values.append(("\(kind)/\(number)", value)) }
                }
            }
        }
        if let evaluation = EvaluationRecord.read(inFolder: run.path), evaluation.classNames.count <= 1000 {
            let chart = ConfusionChart(
                title: "Checkpoint \(evaluation.checkpoint)", matrix: evaluation.matrix,
                classNames: evaluation.classNames)
            if let value = Self.image(try chart.png(scale: 1)) { values.append(("confusion_matrix", value)) }
        }
        // One event each, because they are large.
        for value in values { try file?.add([value], step: step) }
    }

    /// nil if it is not a PNG: width and height are at bytes 16 and 20, big-endian.
    private static func image(_ png: Data) -> EventFile.Value? {
        guard png.count > 24, png.starts(with: [0x89, 0x50, 0x4E, 0x47]) else { return nil }
        func number(_ place: Int) -> Int { png.dropFirst(place).prefix(4).reduce(0) { $0 << 8 | Int($1) } }
        return .image(png: png, width: number(16), height: number(20))
    }
}
