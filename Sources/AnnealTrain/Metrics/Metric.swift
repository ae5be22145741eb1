import AnnealCore

/// A measure of a model's quality, accumulated over batches: MXNet's `EvalMetric`.
///
/// A metric is a value: sums in double precision that determine its value. Added element by element over hosts, they
/// give the metric of all hosts together, and a run that resumes inside an epoch restores them. A custom metric is a
/// struct with a name, sums, a value and `update`, and goes into a `CompositeMetric` like the others.
public protocol Metric: Sendable {
    /// The name that MXNet prints, e.g. `top_k_accuracy_5`.
    var name: String { get }
    /// NaN before the first sample.
    var value: Double { get }
    /// The accumulated sums.
    var sums: [Double] { get set }

    /// Adds the valid rows of a batch. Throws on labels that the metric does not accept, and then adds nothing.
    mutating func update(_ batch: MetricBatch) throws
    mutating func reset()
}

extension Metric {
    public var result: MetricValue { MetricValue(name: name, value: value) }

    public mutating func reset() { sums = Array(repeating: 0, count: sums.count) }

    /// As `update` with arrays: `outputs` are (rows, classes), labels (rows,) or (rows, labelWidth).
    public mutating func update(labels: [Float], outputs: [Float], rows: Int? = nil, classes: Int) throws {
        let rows = rows ?? (classes > 0 ? outputs.count / classes : 0)
        try labels.withUnsafeBufferPointer { labels in
            try outputs.withUnsafeBufferPointer { outputs in
                try update(MetricBatch(labels: labels, outputs: outputs, rows: rows, classes: classes))
            }
        }
    }
}

/// A model's outputs for a batch, and the labels. The valid rows come first; the others are ignored.
///
/// A metric of classes needs no index arithmetic:
///
/// ```swift
/// try batch.checkLabels(name, inRange: true)
/// for sample in 0..<batch.samples where batch.predicted(sample) != batch.label(sample) { wrong += 1 }
/// ```
public struct MetricBatch {
    /// (batch, labelWidth), row-major; may be empty for metrics that ignore labels (`LossMetric`). If they are
    /// probabilities, (batch, classes, positions).
    public let labels: UnsafeBufferPointer<Float>
    /// (batch, classes, positions), row-major.
    public let outputs: UnsafeBufferPointer<Float>
    /// Valid rows.
    public let rows: Int
    public let classes: Int
    /// Predictions per row, e.g. the pixels of a segmentation; 1 for a classifier.
    public let positions: Int
    /// Labels per row: as many as positions in classification, as many as outputs in regression, or 1.
    public let labelWidth: Int
    /// The outputs are class numbers, not scores: (batch, positions).
    public let outputsAreClasses: Bool
    /// Each label is a row of probabilities, with any sum. Class metrics use its largest element; the cross-entropy
    /// uses all.
    public let labelsAreProbabilities: Bool

    /// - Precondition: labels and outputs hold at least `rows` rows.
    public init(
        labels: UnsafeBufferPointer<Float>, outputs: UnsafeBufferPointer<Float>, rows: Int, classes: Int,
        positions: Int = 1, labelWidth: Int? = nil, outputsAreClasses: Bool = false,
        labelsAreProbabilities: Bool = false
    ) {
        let width = labelWidth ?? (labelsAreProbabilities ? classes * positions : positions)
        precondition(rows >= 0 && classes > 0 && positions > 0 && width > 0)
        precondition(
            labels.isEmpty || labels.count >= rows * width, "\(labels.count) labels for \(rows) rows of \(width)")
        let outputWidth = positions * (outputsAreClasses ? 1 : classes)
        precondition(outputs.count >= rows * outputWidth, "\(outputs.count) outputs for \(rows) rows of \(outputWidth)")
        self.labels = labels
        self.outputs = outputs
        self.rows = rows
        self.classes = classes
        self.positions = positions
        self.labelWidth = width
        self.outputsAreClasses = outputsAreClasses
        self.labelsAreProbabilities = labelsAreProbabilities
    }

    /// The number of predictions: those of the valid rows.
    @inlinable
    public var samples: Int { rows * positions }

    /// The class of a prediction's label: truncated as in MXNet, -1 for NaN. For a row of probabilities, the first of
    /// the largest. Not checked against `classes`: call `checkLabels` first.
    /// - Parameter sample: a prediction, in 0 ..< `samples`: row `sample / positions`, position `sample % positions`.
    @inlinable
    public func label(_ sample: Int) -> Int {
        if labelsAreProbabilities { return largest(labels, sample) }
        let label = labels[sample]
        return abs(label) < 1e9 ? Int(label) : -1
    }

    /// The network's output for a class: a probability if the network ends in a softmax.
    /// - Precondition: the outputs are scores, `sample` is in 0 ..< `samples` and `label` in 0 ..< `classes`.
    @inlinable
    public func score(_ sample: Int, _ label: Int) -> Float {
        outputs[(sample / positions * classes + label) * positions + sample % positions]
    }

    /// The predicted class: the first of the highest scores, as MXNet's argmax; -1 if all scores are NaN.
    /// - Parameter sample: in 0 ..< `samples`.
    @inlinable
    public func predicted(_ sample: Int) -> Int {
        if outputsAreClasses {
            let output = outputs[sample]
            return abs(output) < 1e9 ? Int(output) : -1
        }
        return largest(outputs, sample)
    }

    /// The probability of a class in a prediction's label.
    /// - Precondition: `labelsAreProbabilities`; `sample` is in 0 ..< `samples` and `label` in 0 ..< `classes`.
    @inlinable
    public func probability(_ sample: Int, _ label: Int) -> Float {
        labels[(sample / positions * classes + label) * positions + sample % positions]
    }

    @usableFromInline
    func largest(_ scores: UnsafeBufferPointer<Float>, _ sample: Int) -> Int {
        let base = sample / positions * classes * positions + sample % positions
        var best = -Float.infinity, index = -1
        for c in 0..<classes {
            let score = scores[base + c * positions]
            if score > best || (index < 0 && score == best) {
                best = score
                index = c
            }
        }
        return index
    }

    /// Throws unless there is a label for each prediction and, if requested, each label is a class number. A class
    /// metric calls it first in `update`.
    /// - Parameter metric: the metric's name, for the message.
    public func checkLabels(_ metric: String, inRange: Bool = false) throws {
        guard labelsAreProbabilities || labelWidth == positions, rows == 0 || !labels.isEmpty else {
            throw AnnealError(
                "metric \(metric)", "needs \(positions) labels per row, found \(labelWidth)",
                suggestion: "use another metric", code: .mismatch)
        }
        guard inRange else { return }
        for sample in 0..<samples where !(0..<classes).contains(label(sample)) {
            throw AnnealError(
                "metric \(metric)", "label \(labels[sample]) is not one of \(classes) classes",
                suggestion: "check the labels and --num-classes", code: .mismatch)
        }
    }
}
