import AnnealCore

/// The fraction of correct predictions; MXNet's `accuracy`.
///
/// Ties go to the first class. A row of NaN is wrong, so that a diverged model is noticed.
public struct Accuracy: Metric {
    public let name: String
    /// Correct predictions, predictions.
    public var sums: [Double] = [0, 0]

    public init(name: String = "accuracy") { self.name = name }

    public var value: Double { sums[0] / sums[1] }

    public mutating func update(_ batch: MetricBatch) throws {
        try batch.checkLabels(name)
        var right = 0
        for sample in 0..<batch.samples {
            let predicted = batch.predicted(sample)
            if predicted == batch.label(sample), predicted >= 0 || batch.outputsAreClasses { right += 1 }
        }
        sums[0] += Double(right)
        sums[1] += Double(batch.samples)
    }
}

/// The fraction of predictions with the label among the k highest scores; MXNet's `top_k_accuracy`, printed with k
/// appended.
///
/// Of equal scores the first classes rank higher (MXNet leaves ties undefined); NaN ranks lowest.
public struct TopKAccuracy: Metric {
    public let name: String
    public let k: Int
    /// Correct predictions, predictions.
    public var sums: [Double] = [0, 0]

    /// - Precondition: k is at least 1.
    public init(k: Int, name: String = "top_k_accuracy") {
        precondition(k >= 1, "the best \(k) scores")
        self.k = k
        self.name = "\(name)_\(k)"
    }

    public var value: Double { sums[0] / sums[1] }

    public mutating func update(_ batch: MetricBatch) throws {
        try batch.checkLabels(name)
        var right = 0
        for sample in 0..<batch.samples where isRight(batch, sample) { right += 1 }
        sums[0] += Double(right)
        sums[1] += Double(batch.samples)
    }

    /// Nothing is sorted: the label is among the top k if fewer than k classes rank above it.
    private func isRight(_ batch: MetricBatch, _ sample: Int) -> Bool {
        let label = batch.label(sample)
        if batch.outputsAreClasses { return batch.predicted(sample) == label }
        guard (0..<batch.classes).contains(label) else { return false }
        let own = batch.score(sample, label)
        guard !own.isNaN else { return false }
        var above = 0
        for c in 0..<batch.classes {
            let score = batch.score(sample, c)
            if score > own || (score == own && c < label) { above += 1 }
        }
        return above < k
    }
}
