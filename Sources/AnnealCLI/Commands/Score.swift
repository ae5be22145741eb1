import Anneal
import ArgumentParser
import Foundation

/// MXNet's score.py.
struct Score: MXNetScript {
    static let configuration = CommandConfiguration(
        abstract: "Score a trained network on records or a folder of images, class by class.",
        discussion: """
            Accuracy, top-k accuracy and cross-entropy over every image exactly once; recall, precision and F1 of each class. \
            The confusion matrix (CSV, SVG, PNG) and the classes' numbers go to the output folder.

            Images are prepared as the checkpoint's own record (PREFIX-preprocessing.json) says; flags override it. A \
            checkpoint of MXNet's has no such record: it needs --image-shape, --rgb-mean and, if it was trained with one, \
            --rgb-std. Sub-folders of a folder are matched to the model's classes by name.
            """)

    @OptionGroup var model: ModelOptions
    @OptionGroup(title: "Data") var validation: ValidationOptions
    @Option(help: ArgumentHelp("Images at a time.", valueName: "N"))
    var batchSize: Int = 64
    @Option(
        name: .customLong("top-k"),
        help: ArgumentHelp(
            "Also show the top-k accuracy; 0 does not (default: 5 of more than 5 classes).", valueName: "K"))
    var topK: Int?
    @Option(help: ArgumentHelp("Where the report goes (default: runs/DATE-score).", valueName: "FOLDER"))
    var output: String?

    func run() throws {
        guard let dataPath = validation.dataVal else {
            throw UsageError(
                "--data-val", "is missing", suggestion: "give the data to score: a .rec file, or a folder of classes")
        }
        let loaded = try model.load()
        var metrics = CompositeMetric(try self.metrics(classes: loaded.classes))
        let source = try validation.loader(
            dataPath, loaded.preprocessing, batchSize: batchSize, classes: loaded.classes, model.images)
        let shape = Shape(loaded.preprocessing.imageShape)
        let scorer = try Scorer(
            loaded.checkpoint.symbol, dataShape: shape, batchSize: batchSize, views: validation.tta)
        try loaded.checkpoint.restore(scorer.parameters, place: model.parametersPath)
        let folder = try RunFolder.open(
            output ?? RunFolder.defaultPath(command: "score"), occupied: output == nil ? .number : .resume)

        var matrix = ConfusionMatrix(classes: loaded.classes)
        let progress = ProgressLine("Scoring", total: source.count, unit: "images")
        let begin = Clocks.monotonic()
        try scorer.run(source) { batch in
            try metrics.update(batch)
            try matrix.update(batch)
            progress.advance(by: batch.rows)
        }
        let seconds = Clocks.monotonic() - begin
        progress.finish()

        let images = source.count - source.badRecords.count
        for result in metrics.results { print("\(result.name) = \(String(format: "%.6f", result.value))") }
        print("\(images) images, \(String(format: "%.1f", Double(images) / seconds)) images/s")
        for bad in source.badRecords { print("skipped \(bad.reason)") }
        let report = EvaluationReport(
            title: "\(Files.name(of: model.prefix)), epoch \(model.loadEpoch), on \(Files.name(of: dataPath))",
            classNames: loaded.classNames, matrix: matrix, metrics: metrics.results)
        for line in report.table() { print(line) }
        try report.write(
            to: folder,
            run: ScoredRun(
                model: model.parametersPath, data: dataPath, images: images, skipped: source.badRecords.count,
                preprocessing: loaded.preprocessing, commandLine: CommandLine.arguments,
                version: AnnealTool.configuration.version))
        print("Report: \(folder.path) (confusion.png, confusion.csv, classes.csv, score.json)")
    }

    private func metrics(classes: Int) throws -> [any Metric] {
        let k = topK ?? (classes > 5 ? 5 : 0)
        guard k == 0 || (2...max(2, classes)).contains(k) else {
            throw UsageError(
                "--top-k", "is \(k)", suggestion: "it must be 2 to the number of classes, \(classes), or 0")
        }
        return [Accuracy()] + (k > 0 ? [TopKAccuracy(k: k)] : []) + [CrossEntropy()]
    }
}
