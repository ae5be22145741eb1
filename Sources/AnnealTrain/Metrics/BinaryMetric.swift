import AnnealCore

/// F1 score and Matthews correlation coefficient for two classes, class 1 being the positive one; MXNet's `f1` and
/// `mcc`.
///
///     f1 = 2*precision*recall / (precision + recall), 0 where undefined
///     mcc = (tp*tn - fp*fn) / sqrt((tp+fp)(tp+fn)(tn+fp)(tn+fn)), factors of 0 left out
///
/// macro, the default: the mean over batches of the batch's value; micro: of all samples together.
public struct BinaryMetric: Metric {
    public enum Kind: String, Sendable, CaseIterable { case f1, mcc }

    public let name: String
    public let kind: Kind
    public let average: MetricAverage
    /// macro: the sum of the batches' values, batches. micro: true and false positives, false and true negatives.
    public var sums: [Double]

    public init(_ kind: Kind, average: MetricAverage = .macro, name: String? = nil) {
        self.kind = kind
        self.average = average
        self.name = name ?? kind.rawValue
        sums = Array(repeating: 0, count: average == .macro ? 2 : 4)
    }

    public var value: Double {
        if average == .macro { return sums[0] / sums[1] }
        let counts = SIMD4(sums[0], sums[1], sums[2], sums[3])
        return counts.sum() == 0 ? .nan : score(counts)
    }

    public mutating func update(_ batch: MetricBatch) throws {
        try batch.checkLabels(name)
        guard batch.rows > 0 else { return }
        var counts = SIMD4<Double>(repeating: 0), others: Set<Int> = []
        for sample in 0..<batch.samples {
            let label = batch.label(sample), says = batch.predicted(sample) == 1
            others.insert(label)
            counts[says ? (label == 1 ? 0 : 1) : (label == 1 ? 2 : 3)] += 1
        }
        guard others.count <= 2 else {
            throw AnnealError(
                "metric \(name)", "is for two classes, but the labels are \(others.sorted())",
                suggestion: "use pcc for more")
        }
        if average == .macro {
            sums[0] += score(counts)
            sums[1] += 1
        } else {
            for i in 0..<4 { sums[i] += counts[i] }
        }
    }

    private func score(_ counts: SIMD4<Double>) -> Double {
        let (tp, fp, fn, tn) = (counts[0], counts[1], counts[2], counts[3])
        switch kind {
        case .f1:
            let precision = tp + fp > 0 ? tp / (tp + fp) : 0, recall = tp + fn > 0 ? tp / (tp + fn) : 0
            return precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0
        case .mcc:
            let product = [tp + fp, tp + fn, tn + fp, tn + fn].filter { $0 != 0 }.reduce(1, *)
            return (tp * tn - fp * fn) / product.squareRoot()
        }
    }
}

/// The Matthews correlation coefficient for any number of classes (Gorodkin 2004); MXNet's `pcc`. Over all samples; NaN
/// as long as only one class was predicted, or occurred.
public struct ClassCorrelation: Metric {
    public let name: String
    /// The confusion matrix, row-major: predicted by true class.
    public var sums: [Double] = []

    public init(name: String = "pcc") { self.name = name }

    private var size: Int { Int(Double(sums.count).squareRoot()) }

    public mutating func reset() { sums = [] }

    public var value: Double {
        let size = size
        var said = [Double](repeating: 0, count: size), right = said
        var diagonal = 0.0
        for i in 0..<size {
            for j in 0..<size {
                said[i] += sums[i * size + j]
                right[j] += sums[i * size + j]
            }
            diagonal += sums[i * size + i]
        }
        let n = said.reduce(0, +)
        var both = diagonal * n, ofSaid = 0.0, ofRight = 0.0
        for i in 0..<size {
            both -= said[i] * right[i]
            ofSaid += said[i] * (n - said[i])
            ofRight += right[i] * (n - right[i])
        }
        return ofSaid == 0 || ofRight == 0 ? .nan : both / (ofSaid * ofRight).squareRoot()
    }

    public mutating func update(_ batch: MetricBatch) throws {
        try batch.checkLabels(name)
        let pairs = (0..<batch.samples).map { (batch.predicted($0), batch.label($0)) }
        var needed = batch.outputsAreClasses ? 0 : batch.classes
        for (said, right) in pairs {
            // No model has so many classes: such a label is an error, not a reason to allocate a terabyte.
            guard (0..<1 << 16).contains(right), (-1..<1 << 16).contains(said) else {
                throw AnnealError("metric \(name)", "label \(right) or class \(said) is not a class number")
            }
            needed = max(needed, said + 1, right + 1)
        }
        grow(to: needed)
        let size = size
        // A row of NaN predicts no class; it counts as the first, as in MXNet's argmax.
        for (said, right) in pairs { sums[max(said, 0) * size + right] += 1 }
    }

    private mutating func grow(to needed: Int) {
        let old = size
        guard needed > old else { return }
        var matrix = [Double](repeating: 0, count: needed * needed)
        for i in 0..<old { for j in 0..<old { matrix[i * needed + j] = sums[i * old + j] } }
        sums = matrix
    }
}
