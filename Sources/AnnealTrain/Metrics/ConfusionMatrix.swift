import AnnealCore

/// How often samples of one class were taken for another, gathered over batches.
///
/// Only pairs that occur take memory.
public struct ConfusionMatrix: Sendable, Equatable {
    public let classes: Int
    /// Samples of each class.
    public private(set) var images: [Int]
    /// Samples by true class * classes + predicted class.
    private var cells: [Int: Int] = [:]

    /// - Precondition: there is a class.
    public init(classes: Int) {
        precondition(classes > 0)
        self.classes = classes
        images = Array(repeating: 0, count: classes)
    }

    /// From pairs that were counted before.
    /// - Precondition: there is a class, and each pair is of classes.
    public init(classes: Int, pairs: [(label: Int, predicted: Int, count: Int)]) {
        self.init(classes: classes)
        for pair in pairs {
            precondition((0..<classes).contains(pair.label) && (0..<classes).contains(pair.predicted))
            images[pair.label] += pair.count
            cells[pair.label * classes + pair.predicted, default: 0] += pair.count
        }
    }

    /// The samples of class `label` that were taken for `predicted`.
    public subscript(label: Int, predicted: Int) -> Int { cells[label * classes + predicted] ?? 0 }

    /// The pairs that occur, by label, then by predicted class.
    public var pairs: [(label: Int, predicted: Int, count: Int)] {
        cells.sorted { $0.key < $1.key }.map { ($0.key / classes, $0.key % classes, $0.value) }
    }

    /// Adds the valid rows of a batch, the first maximum counting as in `Accuracy`; a row of NaN belongs to no class's
    /// predictions.
    /// - Throws: for a label that names no class.
    public mutating func update(_ batch: MetricBatch) throws {
        precondition(batch.classes == classes)
        try batch.checkLabels("confusion matrix", inRange: true)
        for sample in 0..<batch.samples {
            let label = batch.label(sample), predicted = batch.predicted(sample)
            images[label] += 1
            if predicted >= 0 { cells[label * classes + predicted, default: 0] += 1 }
        }
    }

    /// Each class's own numbers, by label.
    public var scores: [ClassScore] {
        var predicted = Array(repeating: 0, count: classes)
        for (key, count) in cells { predicted[key % classes] += count }
        return (0..<classes).map { ClassScore(images: images[$0], predicted: predicted[$0], correct: self[$0, $0]) }
    }
}

/// How well one class is told from the others. A share of nothing is nil.
public struct ClassScore: Sendable, Equatable {
    /// Samples of the class.
    public var images: Int
    /// Samples that were taken for it.
    public var predicted: Int
    /// Samples that are both.
    public var correct: Int

    public init(images: Int, predicted: Int, correct: Int) {
        self.images = images
        self.predicted = predicted
        self.correct = correct
    }

    /// The share of the class's samples that were found: its accuracy.
    public var recall: Double? { share(images) }
    /// The share of what was taken for the class that belongs to it.
    public var precision: Double? { share(predicted) }
    /// The harmonic mean of both, 2 correct / (images + predicted).
    public var f1: Double? { images + predicted > 0 ? 2 * Double(correct) / Double(images + predicted) : nil }

    private func share(_ whole: Int) -> Double? { whole > 0 ? Double(correct) / Double(whole) : nil }
}
