import AnnealCore
import AnnealTrain
import Foundation

/// The results of scoring a model, class by class: as a table for people and as files.
public struct EvaluationReport: Sendable {
    /// E.g. `resnet-8-0006 on fashion_t10k.rec`.
    public var title: String
    /// By label.
    public var classNames: [String]
    public var matrix: ConfusionMatrix
    public var metrics: [MetricValue]

    public init(title: String, classNames: [String], matrix: ConfusionMatrix, metrics: [MetricValue]) {
        precondition(classNames.count == matrix.classes)
        self.title = title
        self.classNames = classNames
        self.matrix = matrix
        self.metrics = metrics
    }

    /// Means over the classes that have images; a class that was never predicted counts with precision 0.
    public var means: (recall: Double, precision: Double, f1: Double) {
        let scores = matrix.scores.filter { $0.images > 0 }
        func mean(_ value: (ClassScore) -> Double?) -> Double {
            scores.reduce(0) { $0 + (value($1) ?? 0) } / Double(max(1, scores.count))
        }
        return (mean(\.recall), mean(\.precision), mean(\.f1))
    }

    // MARK: Table

    /// One line per class and the means; with more than 30 classes the ten with the lowest recall.
    public func table() -> [String] {
        let scores = matrix.scores
        let isLong = scores.count > 30
        let shown = isLong ? Self.worst(10, scores) : Array(scores.indices)
        let names = Dictionary(uniqueKeysWithValues: shown.map { ($0, classNames[$0].printable()) })
        let width = min(40, max(5, names.values.map(\.count).max() ?? 0))
        func line(_ name: String, _ fields: [String]) -> String {
            // Names with a common beginning stay distinct.
            let cut = name.count > width ? "\(name.prefix(width / 2))…\(name.suffix((width - 1) / 2))" : name
            let padded = cut + String(repeating: " ", count: width - cut.count)
            return padded + zip(fields, [8, 9, 8, 11, 8]).map { Self.right($0, $1) }.joined()
        }
        func share(_ value: Double?) -> String { value.map { LogGrammar.fixed($0, 4) } ?? "-" }
        let head = line("class", ["images", "correct", "recall", "precision", "F1"])
        let lines = shown.map { label in
            let score = scores[label]
            return line(
                names[label] ?? "",
                ["\(score.images)", "\(score.correct)", share(score.recall), share(score.precision), share(score.f1)])
        }
        let means = means
        let mean = line("mean", ["", "", share(means.recall), share(means.precision), share(means.f1)])
        let note = isLong ? ["The ten of \(scores.count) classes with the lowest recall, and the mean of all:"] : []
        return note + [head] + lines + [mean]
    }

    /// The labels of the lowest recalls, the lowest first.
    private static func worst(_ count: Int, _ scores: [ClassScore]) -> [Int] {
        let recalls = scores.enumerated().compactMap { label, score in score.recall.map { (recall: $0, label: label) } }
        return recalls.sorted { ($0.recall, $0.label) < ($1.recall, $1.label) }.prefix(count).map(\.label)
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    // MARK: Files

    /// One row per class: `label,class,images,predicted,correct,recall,precision,f1`; an undefined fraction is empty.
    public func classesCSV() -> String {
        func share(_ value: Double?) -> String { value.map { "\($0)" } ?? "" }
        let rows = matrix.scores.enumerated().map { label, score in
            CSV.line([
                "\(label)", CSV.text(classNames[label]), "\(score.images)", "\(score.predicted)", "\(score.correct)",
                share(score.recall), share(score.precision), share(score.f1),
            ])
        }
        return (["label,class,images,predicted,correct,recall,precision,f1"] + rows).joined(separator: "\n") + "\n"
    }

    /// One row per true class, one column per predicted class, with names; with more than 2,000 classes, too many
    /// columns for spreadsheets, one row per pair that occurs: `true_class,predicted_class,images`.
    ///
    /// - Parameter normalized: fractions of the row's images instead of their numbers, empty for a class without
    ///   images.
    public func confusionCSV(normalized: Bool = false) -> String {
        func cell(_ label: Int, _ count: Int) -> String {
            let images = matrix.images[label]
            return normalized ? images > 0 ? "\(Double(count) / Double(images))" : "" : "\(count)"
        }
        let names = classNames.map(CSV.text)
        guard matrix.classes <= 2000 else {
            let rows = matrix.pairs.map { pair in
                CSV.line([names[pair.label], names[pair.predicted], cell(pair.label, pair.count)])
            }
            let header = "true_class,predicted_class,\(normalized ? "share" : "images")"
            return ([header] + rows).joined(separator: "\n") + "\n"
        }
        let rows = (0..<matrix.classes).map { label in
            CSV.line([names[label]] + (0..<matrix.classes).map { cell(label, matrix[label, $0]) })
        }
        return ([CSV.line(["true class / predicted"] + names)] + rows).joined(separator: "\n") + "\n"
    }

    /// Writes `score.json`, `classes.csv`, and the confusion matrix as `confusion.csv`, `.svg` and `.png`, with
    /// fractions of the rows as `confusion-normalized.csv`, `.svg` and `.png`: each atomically, replacing earlier ones.
    public func write(to folder: RunFolder, run: ScoredRun) throws {
        let accuracy = metrics.first { $0.name == "accuracy" }
        try Files.writeAtomically(Data(classesCSV().utf8), to: folder.file("classes.csv"))
        for (name, normalized) in [("confusion", false), ("confusion-normalized", true)] {
            let chart = ConfusionChart(
                title: title,
                subtitle: "\(Readable.count(run.images)) images"
                    + (accuracy.map { "  ·  accuracy \(Readable.metric($0.value))" } ?? ""),
                matrix: matrix, classNames: classNames, isNormalized: normalized)
            try Files.writeAtomically(
                Data(confusionCSV(normalized: normalized).utf8), to: folder.file("\(name).csv"))
            try Files.writeAtomically(try chart.svg(), to: folder.file("\(name).svg"))
            try Files.writeAtomically(try chart.png(), to: folder.file("\(name).png"))
        }
        let means = means
        let record = ScoreRecord(
            run: run, metrics: Dictionary(metrics.map { ($0.name, $0.value) }) { first, _ in first },
            classMeans: ["recall": means.recall, "precision": means.precision, "f1": means.f1])
        try Files.writeAtomically(try record.json(), to: folder.score)
    }
}
