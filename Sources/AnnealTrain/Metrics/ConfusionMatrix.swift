import AnnealCore

/// How often samples of one class were predicted as another, accumulated over batches.
///
/// Only pairs that occur use memory.
public struct ConfusionMatrix: Sendable, Equatable {
    public let classes: Int
    /// Samples of each class.
    public private(set) var images: [Int]
    /// Samples by true class * classes + predicted class.
    private var cells: [Int: Int] = [:]

    /// - Precondition: there is at least one class.
    public init(classes: Int) {
        precondition(classes > 0)
        self.classes = classes
        images = Array(repeating: 0, count: classes)
    }

    /// From previously counted pairs.
    /// - Precondition: there is at least one class, and each pair consists of valid classes.
    public init(classes: Int, pairs: [(label: Int, predicted: Int, count: Int)]) {
        self.init(classes: classes)
        for pair in pairs {
            precondition((0..<classes).contains(pair.label) && (0..<classes).contains(pair.predicted))
            images[pair.label] += pair.count
            cells[pair.label * classes + pair.predicted, default: 0] += pair.count
        }
    }

    /// The number of samples of class `label` that were predicted as `predicted`.
    public subscript(label: Int, predicted: Int) -> Int { cells[label * classes + predicted] ?? 0 }

    /// The pairs that occur, by label, then by predicted class.
    public var pairs: [(label: Int, predicted: Int, count: Int)] {
        cells.sorted { $0.key < $1.key }.map { ($0.key / classes, $0.key % classes, $0.value) }
    }

    /// Adds the valid rows of a batch; the first maximum counts, as in `Accuracy`; a row of NaN belongs to no class's
    /// predictions.
    /// - Throws: for a label that is not a class number.
    public mutating func update(_ batch: MetricBatch) throws {
        precondition(batch.classes == classes)
        try batch.checkLabels("confusion matrix", inRange: true)
        for sample in 0..<batch.samples {
            let label = batch.label(sample), predicted = batch.predicted(sample)
            images[label] += 1
            if predicted >= 0 { cells[label * classes + predicted, default: 0] += 1 }
        }
    }

    /// The statistics of each class, by label.
    public var scores: [ClassScore] {
        var predicted = Array(repeating: 0, count: classes)
        for (key, count) in cells { predicted[key % classes] += count }
        return (0..<classes).map { ClassScore(images: images[$0], predicted: predicted[$0], correct: self[$0, $0]) }
    }
}

/// How well one class is recognised. Fractions with a denominator of 0 are nil.
public struct ClassScore: Sendable, Equatable {
    /// Samples of the class.
    public var images: Int
    /// Samples predicted as the class.
    public var predicted: Int
    /// Samples that are both.
    public var correct: Int

    public init(images: Int, predicted: Int, correct: Int) {
        self.images = images
        self.predicted = predicted
        self.correct = correct
    }

    /// The fraction of the class's samples that were found: its accuracy.
    public var recall: Double? { share(images) }
    /// The fraction of the samples predicted as the class that belong to it.
    public var precision: Double? { share(predicted) }
    /// The harmonic mean of both, 2 correct / (images + predicted).
    public var f1: Double? { images + predicted > 0 ? 2 * Double(correct) / Double(images + predicted) : nil }

    private func share(_ whole: Int) -> Double? { whole > 0 ? Double(correct) / Double(whole) : nil }
}
