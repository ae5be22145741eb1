import AnnealCore
import AnnealTrain
import Foundation
import Testing

@Suite struct MetricTests {
    /// Three classes; the rows' predictions are 1, 0 (tie with 2), 2.
    private let outputs: [Float] = [0.1, 0.7, 0.2, 0.4, 0.2, 0.4, 0, 0.25, 0.75]

    private func value(
        _ metric: any Metric, labels: [Float], outputs: [Float], rows: Int? = nil, classes: Int
    ) throws -> Double {
        var metric = metric
        try metric.update(labels: labels, outputs: outputs, rows: rows, classes: classes)
        return metric.value
    }

    private func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) < 1e-6 }

    @Test func accuracy() throws {
        #expect(try value(Accuracy(), labels: [1, 0, 0], outputs: outputs, classes: 3) == 2.0 / 3)
        // The first maximum wins a tie.
        #expect(try value(Accuracy(), labels: [1, 2, 2], outputs: outputs, classes: 3) == 2.0 / 3)
        // Only the valid rows count.
        #expect(try value(Accuracy(), labels: [1, 0, 0], outputs: outputs, rows: 2, classes: 3) == 1)
        #expect(Accuracy().value.isNaN)
        #expect(try value(Accuracy(), labels: [0], outputs: [.nan, .nan], classes: 2) == 0)
        #expect(try value(Accuracy(), labels: [1], outputs: [.nan, 0.5], classes: 2) == 1)
        #expect(try value(Accuracy(), labels: [-1, 7], outputs: [.nan, .nan, 1, 0], classes: 2) == 0)
    }

    @Test func accuracyOfPositions() throws {
        // Two classes, two positions: (batch, classes, positions).
        let outputs: [Float] = [0.9, 0.1, 0.2, 0.8], labels: [Float] = [0, 0]
        var metric = Accuracy()
        try labels.withUnsafeBufferPointer { labels in
            try outputs.withUnsafeBufferPointer { outputs in
                try metric.update(MetricBatch(labels: labels, outputs: outputs, rows: 1, classes: 2, positions: 2))
            }
        }
        #expect(metric.value == 0.5 && metric.sums == [1, 2])
    }

    @Test func topK() throws {
        #expect(TopKAccuracy(k: 5).name == "top_k_accuracy_5")
        let metric = TopKAccuracy(k: 2)
        #expect(try value(metric, labels: [2, 2, 0], outputs: outputs, classes: 3) == 2.0 / 3)
        // Among equal scores the first come first.
        #expect(try value(metric, labels: [2], outputs: [1, 1, 1], classes: 3) == 0)
        #expect(try value(metric, labels: [1], outputs: [1, 1, 1], classes: 3) == 1)
        #expect(try value(metric, labels: [0], outputs: [.nan, 1, 1], classes: 3) == 0)
        #expect(try value(metric, labels: [2], outputs: [.nan, 1, 0], classes: 3) == 1)
        #expect(try value(TopKAccuracy(k: 9), labels: [2, 3], outputs: [1, 2, 3, 1, 2, 3], classes: 3) == 0.5)
    }

    /// Rows of probabilities: the largest gives the class, and cross-entropy uses all.
    @Test func softLabels() throws {
        func value(_ metric: any Metric, _ labels: [Float]) throws -> Double {
            var metric = metric
            try labels.withUnsafeBufferPointer { labels in
                try outputs.withUnsafeBufferPointer { outputs in
                    try metric.update(
                        MetricBatch(labels: labels, outputs: outputs, rows: 3, classes: 3, labelsAreProbabilities: true)
                    )
                }
            }
            return metric.value
        }
        let labels: [Float] = [0.1, 0.8, 0.1, 0.6, 0.2, 0.2, 0.5, 0.5, 0]
        #expect(try value(Accuracy(), labels) == 2.0 / 3)
        #expect(try value(TopKAccuracy(k: 2), labels) == 2.0 / 3)
        let expected =
            -(0.1 * log(0.1) + 0.8 * log(0.7) + 0.1 * log(0.2) + 0.8 * log(0.4) + 0.2 * log(0.2) + 0.5 * log(1e-12)
            + 0.5 * log(0.25)) / 3
        #expect(close(try value(CrossEntropy(), labels), expected))
        // Weighted rows count as much as they sum to.
        #expect(close(try value(CrossEntropy(), [0, 2, 0, 0, 0, 0, 0, 0, 0]), -2 * log(0.7) / 3))
    }

    @Test func crossEntropy() throws {
        let metric = CrossEntropy()
        #expect(
            close(try value(metric, labels: [1, 0], outputs: outputs, rows: 2, classes: 3), -(log(0.7) + log(0.4)) / 2))
        #expect(close(try value(metric, labels: [0], outputs: [0, 1], classes: 2), -log(1e-12)))
        #expect(metric.name == "cross-entropy" && CrossEntropy.negativeLogLikelihood().name == "nll-loss")
        for label: Float in [3, -1, .nan] {
            #expect(throws: AnnealError.self) { try value(metric, labels: [label], outputs: [0, 1, 0], classes: 3) }
        }
    }

    @Test func perplexity() throws {
        #expect(
            close(
                try value(Perplexity(), labels: [1, 0], outputs: outputs, rows: 2, classes: 3), 1 / (0.28).squareRoot())
        )
        #expect(
            close(
                try value(Perplexity(ignoreLabel: 0), labels: [1, 0], outputs: outputs, rows: 2, classes: 3), 1 / 0.7))
        #expect(try value(Perplexity(ignoreLabel: 0), labels: [0], outputs: [1], classes: 1).isNaN)
    }

    @Test func regression() throws {
        // The mean of the batches' means, regardless of their size.
        for (kind, expected) in [(RegressionMetric.Kind.mae, 1.75), (.mse, 3.25), (.rmse, (2.5.squareRoot() + 2) / 2)] {
            var metric = RegressionMetric(kind)
            try metric.update(labels: [0, 0], outputs: [1, 2], classes: 1)
            try metric.update(labels: [0], outputs: [2], classes: 1)
            #expect(close(metric.value, expected), "\(kind)")
        }
    }

    @Test func binary() throws {
        // Predictions 1 1 1 0 0, labels 1 0 1 1 0: tp 2, fp 1, fn 1, tn 1.
        let outputs: [Float] = [0, 1, 0, 1, 0, 1, 1, 0, 1, 0], labels: [Float] = [1, 0, 1, 1, 0]
        #expect(close(try value(BinaryMetric(.f1), labels: labels, outputs: outputs, classes: 2), 2.0 / 3))
        #expect(close(try value(BinaryMetric(.mcc), labels: labels, outputs: outputs, classes: 2), 1.0 / 6))
        #expect(
            close(try value(BinaryMetric(.mcc, average: .micro), labels: labels, outputs: outputs, classes: 2), 1.0 / 6)
        )
        #expect(close(try value(ClassCorrelation(), labels: labels, outputs: outputs, classes: 2), 1.0 / 6))
        #expect(throws: AnnealError.self) {
            try value(BinaryMetric(.f1), labels: [0, 1, 2], outputs: [0, 1, 0, 1, 0, 1], classes: 2)
        }
        var macro = BinaryMetric(.f1), micro = BinaryMetric(.f1, average: .micro)
        for (label, output) in [([Float(1)], [Float(0), 1]), ([0, 1], [0, 1, 1, 0])] {
            try macro.update(labels: label, outputs: output, classes: 2)
            try micro.update(labels: label, outputs: output, classes: 2)
        }
        #expect(macro.value == 0.5 && micro.value == 0.5)
        #expect(micro.sums == [1, 1, 1, 0])
    }

    @Test func correlations() throws {
        let x: [Float] = [1, 2, 3, 5], y: [Float] = [2, 4, 6, 10]
        #expect(close(try value(PearsonCorrelation(), labels: x, outputs: y, classes: 1), 1))
        var micro = PearsonCorrelation(average: .micro)
        try micro.update(labels: [1, 2], outputs: [1, 0], classes: 1)
        try micro.update(labels: [3], outputs: [5], classes: 1)
        // x 1 2 3, y 1 0 5: covariance 4, variances 2 and 14.
        #expect(close(micro.value, 4 / 28.0.squareRoot()))
        #expect(
            try value(ClassCorrelation(), labels: [0, 1, 2], outputs: [1, 0, 0, 0, 1, 0, 0, 0, 1], classes: 3) == 1)
        #expect(throws: AnnealError.self) { try value(ClassCorrelation(), labels: [1e8], outputs: [1, 0], classes: 2) }
    }

    @Test func lossAndComposite() throws {
        #expect(try value(LossMetric(), labels: [], outputs: [1, 2, 6], classes: 1) == 3)
        var both = CompositeMetric([Accuracy(), try Metrics.make("top_k_accuracy", ["top_k": 2])])
        let labels: [Float] = [1, 2, 2]
        try labels.withUnsafeBufferPointer { labels in
            try outputs.withUnsafeBufferPointer { outputs in
                try both.update(MetricBatch(labels: labels, outputs: outputs, rows: 3, classes: 3))
            }
        }
        #expect(
            both.results == [
                MetricValue(name: "accuracy", value: 2.0 / 3), MetricValue(name: "top_k_accuracy_2", value: 1),
            ])
        both.reset()
        #expect(both.results[0].value.isNaN)
    }

    /// The combined sums of two hosts equal those of a single one.
    @Test func sumsAdd() throws {
        var whole = ClassCorrelation(), left = whole, right = whole
        try left.update(labels: [0, 1], outputs: [1, 0, 0, 1, 0, 0], classes: 3)
        try right.update(labels: [2, 1], outputs: [0, 0, 1, 0, 1, 0], classes: 3)
        try whole.update(labels: [0, 1, 2, 1], outputs: [1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0], classes: 3)
        left.sums = zip(left.sums, right.sums).map(+)
        #expect(left.value == whole.value)
    }

    @Test func byName() throws {
        for name in Metrics.names {
            let metric = try Metrics.make(name, name == "top_k_accuracy" ? ["top_k": 3] : [:])
            #expect(!metric.name.isEmpty)
        }
        #expect(try Metrics.make("acc").name == "accuracy")
        #expect(throws: AnnealError.self) { try Metrics.make("bleu") }
        #expect(throws: AnnealError.self) { try Metrics.make("accuracy", ["k": 1]) }
        #expect(throws: AnnealError.self) { try Metrics.make("top_k_accuracy") }
        #expect(throws: AnnealError.self) { try Metrics.make("f1", ["average": "mean"]) }
    }
}
