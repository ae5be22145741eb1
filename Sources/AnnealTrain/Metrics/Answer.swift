/// A classifier's answer for one image, with the true class.
public struct Answer: Sendable, Equatable {
    /// The image's index in its source.
    public var number: Int
    /// The true class.
    public var label: Int
    /// The predicted class; nil if all scores are NaN.
    public var predicted: Int?
    /// Of the predicted class; NaN if there is none.
    public var probability: Float
    /// Of the true class.
    public var labelProbability: Float

    public var isRight: Bool { predicted == label }

    public init(number: Int, label: Int, predicted: Int?, probability: Float, labelProbability: Float) {
        self.number = number
        self.label = label
        self.predicted = predicted
        self.probability = probability
        self.labelProbability = labelProbability
    }

    /// The answer for one row of a classifier's batch.
    /// - Precondition: the row is valid and its label names a class, as `ConfusionMatrix.update` checks.
    public init(_ batch: MetricBatch, row: Int, number: Int) {
        let label = batch.label(row), predicted = batch.predicted(row)
        self.init(
            number: number, label: label, predicted: predicted < 0 ? nil : predicted,
            probability: predicted < 0 ? .nan : batch.score(row, predicted), labelProbability: batch.score(row, label))
    }
}

/// The wrong answers that gave the true class the lowest probability, the worst first.
public struct WorstAnswers: Sendable {
    public private(set) var answers: [Answer] = []
    /// The number of all wrong answers.
    public private(set) var wrong = 0
    private let limit: Int

    public init(limit: Int) { self.limit = limit }

    public mutating func add(_ answer: Answer) {
        guard !answer.isRight else { return }
        wrong += 1
        if answers.count == limit, let last = answers.last, !Self.isWorse(answer, than: last) { return }
        let place = answers.firstIndex { Self.isWorse(answer, than: $0) } ?? answers.count
        answers.insert(answer, at: place)
        if answers.count > limit { answers.removeLast() }
    }

    /// A NaN probability is the worst. Of equal answers the earlier image comes first.
    private static func isWorse(_ a: Answer, than b: Answer) -> Bool {
        if a.labelProbability.isNaN || b.labelProbability.isNaN { return !b.labelProbability.isNaN }
        return a.labelProbability < b.labelProbability
    }
}
