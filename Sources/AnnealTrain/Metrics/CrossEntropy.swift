import AnnealCore
import Foundation

/// The mean over samples of -log(p + eps), p the probability of the label; MXNet's `ce` and `nll_loss`, which are the
/// same under two names. For labels that are probabilities, -sum(label * log(p + eps)).
public struct CrossEntropy: Metric {
    public let name: String
    public let epsilon: Double
    /// The sum of -log, samples.
    public var sums: [Double] = [0, 0]

    public init(epsilon: Double = 1e-12, name: String = "cross-entropy") {
        self.epsilon = epsilon
        self.name = name
    }

    /// MXNet's `nll_loss`.
    public static func negativeLogLikelihood(epsilon: Double = 1e-12) -> CrossEntropy {
        CrossEntropy(epsilon: epsilon, name: "nll-loss")
    }

    public var value: Double { sums[0] / sums[1] }

    public mutating func update(_ batch: MetricBatch) throws {
        try batch.checkLabels(name, inRange: true)
        // MXNet adds in float32, where 1 + 1e-12 is 1.
        let epsilon = Float(epsilon)
        func logarithm(_ sample: Int, _ label: Int) -> Double { log(Double(batch.score(sample, label) + epsilon)) }
        for sample in 0..<batch.samples {
            guard batch.labelsAreProbabilities else {
                sums[0] -= logarithm(sample, batch.label(sample))
                continue
            }
            for label in 0..<batch.classes {
                let probability = batch.probability(sample, label)
                if probability > 0 { sums[0] -= Double(probability) * logarithm(sample, label) }
            }
        }
        sums[1] += Double(batch.samples)
    }
}

/// exp of the mean of -log(max(p, 1e-10)), p the probability of the label, over the samples with a label other than
/// `ignoreLabel`; MXNet's `perplexity`.
public struct Perplexity: Metric {
    public let name: String
    public let ignoreLabel: Int?
    /// The sum of -log, samples.
    public var sums: [Double] = [0, 0]

    public init(ignoreLabel: Int? = nil, name: String = "perplexity") {
        self.ignoreLabel = ignoreLabel
        self.name = name
    }

    public var value: Double { exp(sums[0] / sums[1]) }

    public mutating func update(_ batch: MetricBatch) throws {
        try batch.checkLabels(name)
        for sample in 0..<batch.samples {
            let label = batch.label(sample)
            if label == ignoreLabel { continue }
            // MXNet's pick clamps a label out of range to the nearest class.
            let p = batch.score(sample, min(max(label, 0), batch.classes - 1))
            sums[0] -= log(Double(max(1e-10, p)))
            sums[1] += 1
        }
    }
}
