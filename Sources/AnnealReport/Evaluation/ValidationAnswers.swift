import AnnealCore
import AnnealTrain
import Foundation

/// Keeps the answers of the best epoch's model for each validation image, and writes them when the run ends or is
/// interrupted: `predictions.csv`, as `score --per-image` does, and `evaluation.json` with the confusion matrix.
public final class ValidationAnswers: FitObserver {
    private let folder: RunFolder
    private let classNames: [String]
    private let image: (Int) throws -> String
    /// Of the current validation.
    private var answers: [Answer] = []
    private var confusion: ConfusionMatrix
    private var isUsable = true
    private var best: (report: EpochReport, answers: [Answer], confusion: ConfusionMatrix)?
    /// The best in earlier parts of the run.
    private var bestBefore: MetricValue?

    /// - Parameters:
    ///   - image: the name of an image in tables, by its index: its path, or its record's id.
    public init(folder: RunFolder, classNames: [String], image: @escaping (Int) throws -> String) {
        self.folder = folder
        self.classNames = classNames
        self.image = image
        confusion = ConfusionMatrix(classes: max(1, classNames.count))
    }

    /// Receives a batch of the validation.
    /// - Parameter numbers: the indices of its images in their source.
    public func add(_ batch: MetricBatch, numbers: [Int]) {
        // Other kinds of outputs, and labels that are not class numbers, are reported by the metrics.
        guard isUsable, batch.classes == confusion.classes, batch.positions == 1, !batch.outputsAreClasses,
            !batch.labelsAreProbabilities, batch.labelWidth == 1, numbers.count == batch.rows,
            (try? confusion.update(batch)) != nil
        else {
            isUsable = false
            return
        }
        for (row, number) in numbers.enumerated() { answers.append(Answer(batch, row: row, number: number)) }
    }

    public func receive(_ event: FitEvent) throws {
        switch event {
        case .started(let start): bestBefore = start.best
        case .epoch(let report):
            if isUsable, !answers.isEmpty, isBest(report) { best = (report, answers, confusion) }
            reset()
        case .finished:
            // Answers with test-time views come after the last epoch and do not belong to one view.
            reset()
            try write()
        default: break
        }
    }

    private func reset() {
        answers.removeAll(keepingCapacity: true)
        confusion = ConfusionMatrix(classes: confusion.classes)
    }

    private func isBest(_ report: EpochReport) -> Bool {
        guard let metric = report.validation.first, metric.value.isFinite else {
            return best == nil && bestBefore == nil
        }
        let before = best?.report.validation.first ?? bestBefore
        guard let before, before.name == metric.name, before.value.isFinite else { return true }
        return MetricSense.isBetter(metric.value, than: before.value, name: metric.name)
    }

    /// The worst answers of the best epoch, for pictures of them.
    public func worst(_ limit: Int) -> WorstAnswers {
        var worst = WorstAnswers(limit: limit)
        for answer in best?.answers ?? [] { worst.add(answer) }
        return worst
    }

    private func write() throws {
        guard let best else { return }
        try AnswerTable(best.answers, classNames: classNames).write(to: folder.file("predictions.csv"), image: image)
        let record = EvaluationRecord(
            checkpoint: best.report.epoch + 1, images: best.answers.count,
            metrics: Dictionary(best.report.validation.map { ($0.name, $0.value.isFinite ? $0.value : nil) }) { a, _ in
                a
            },
            classNames: classNames,
            confusion: best.confusion.pairs.map { [$0.label, $0.predicted, $0.count] })
        try Files.writeAtomically(try record.json(), to: folder.file(EvaluationRecord.name))
    }
}

/// `evaluation.json`: the results of a run's best checkpoint on the validation images, class by class.
public struct EvaluationRecord: Codable, Sendable {
    static let name = "evaluation.json"

    public var checkpoint: Int
    public var images: Int
    public var metrics: [String: Double?]
    public var classNames: [String]
    /// Pairs of classes that occur: the true one, the predicted one, number of images.
    public var confusion: [[Int]]

    enum CodingKeys: String, CodingKey {
        case checkpoint, images, metrics, confusion
        case classNames = "classes"
    }

    func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self) + Data("\n".utf8)
    }

    /// Reads a run's `evaluation.json`; nil if it is missing, incomplete, or its numbers are inconsistent.
    public static func read(inFolder folder: String) -> EvaluationRecord? {
        guard let data = try? Files.read(Files.path(folder, name)),
            let record = try? JSONDecoder().decode(EvaluationRecord.self, from: data)
        else { return nil }
        let classes = record.classNames.indices
        let isSound = record.confusion.allSatisfy { pair in
            pair.count == 3 && classes.contains(pair[0]) && classes.contains(pair[1]) && (0...1 << 40).contains(pair[2])
        }
        return isSound && !record.classNames.isEmpty ? record : nil
    }

    /// Images without a prediction are left out.
    public var matrix: ConfusionMatrix {
        ConfusionMatrix(classes: classNames.count, pairs: confusion.map { ($0[0], $0[1], $0[2]) })
    }

    /// The statistics of each class, by label.
    public var scores: [ClassScore] {
        var scores = Array(repeating: ClassScore(images: 0, predicted: 0, correct: 0), count: classNames.count)
        for pair in confusion {
            scores[pair[0]].images += pair[2]
            scores[pair[1]].predicted += pair[2]
            if pair[0] == pair[1] { scores[pair[0]].correct += pair[2] }
        }
        return scores
    }
}
