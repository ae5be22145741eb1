import Anneal
import ArgumentParser
import Foundation

/// MXNet's score.py.
struct Score: MXNetScript {
    static let configuration = CommandConfiguration(
        abstract: "Score a trained network on records or a folder of images, class by class.",
        discussion: """
            Accuracy, top-k accuracy and cross-entropy over every image exactly once; recall, precision and F1 of each class. \
            The confusion matrix (CSV, SVG, PNG; also normalised by row), the classes' numbers and a sheet of the \
            images that were most wrong go to the output folder; with --per-image the answer about each image too.

            Images are prepared as the checkpoint's own record (PREFIX-preprocessing.json) says; flags override it. A \
            checkpoint of MXNet's has no such record: it needs --image-shape, --rgb-mean and, if it was trained with one, \
            --rgb-std. Sub-folders of a folder are matched to the model's classes by name.
            """)

    @OptionGroup var model: ModelOptions
    @OptionGroup var validation: ValidationOptions
    @Option(help: ArgumentHelp("Images at a time.", valueName: "N"))
    var batchSize: Int = 64
    @Option(
        name: .customLong("top-k"),
        help: ArgumentHelp(
            "Also show the top-k accuracy; 0: off (default: 5 for more than 5 classes).", valueName: "K"))
    var topK: Int?
    @Flag(
        help: ArgumentHelp(
            "Also write the prediction for each image to predictions.csv: its path or record id, label, prediction, probability."
        )
    )
    var perImage = false
    @Option(
        help: ArgumentHelp("Output folder (default: runs/DATE-score).", valueName: "FOLDER"),
        completion: .directory)
    var output: String?

    func run() throws {
        guard let dataPath = validation.dataVal else {
            throw UsageError(
                "--data-val", "is missing", suggestion: "give the data to score: a .rec file, or a folder of classes")
        }
        let loaded = try model.load()
        var metrics = CompositeMetric(try self.metrics(loaded))
        let data = try validation.data(dataPath, loaded.preprocessing, classes: loaded.classes, model.images)
        let source = try BatchLoader(
            data.source,
            options: try validation.loaderOptions(
                loaded.preprocessing, batchSize: batchSize, classes: loaded.classes, model.images))
        let shape = Shape(loaded.preprocessing.imageShape)
        let scorer = try Scorer(
            loaded.network, dataShape: shape, batchSize: batchSize, views: validation.tta,
            device: model.machine.device())
        var need = scorer.memoryNeed
        need.add(source.memoryNeed(imagePixels: data.survey.mostPixels))
        try need.check(suggestion: "lower --batch-size or --data-nthreads, or raise the limit")
        try loaded.checkpoint.restore(scorer.parameters, place: loaded.saved.parametersPath)
        HeapTrimmer.trim()
        data.printNotes(loaded.preprocessing)
        var matrix = ConfusionMatrix(classes: loaded.classes)
        var answers: [Answer] = [], worst = WorstAnswers(limit: 24)
        let progress = ProgressLine("Scoring", total: source.count, unit: "images")
        let begin = Clocks.monotonic()
        try scorer.run(source) { batch in
            try metrics.update(batch)
            try matrix.update(batch)
            for (row, number) in source.sampleNumbers.enumerated() {
                let answer = Answer(batch, row: row, number: number)
                worst.add(answer)
                if perImage { answers.append(answer) }
            }
            progress.advance(by: batch.rows)
        }
        let seconds = Clocks.monotonic() - begin
        progress.finish()

        let images = source.count - source.badRecords.count
        for result in metrics.results { print("\(result.name) = \(String(format: "%.6f", result.value))") }
        if loaded.network.scores != .probabilities {
            print("no cross-entropy: the network's scores are not probabilities; it ends in \(loaded.network.ending)")
        }
        print(
            "\(Readable.counted(images, "image")), \(String(format: "%.1f", Double(images) / seconds)) images/s"
        )
        for bad in source.badRecords { print("skipped \(bad.reason)") }
        let title =
            "\(FilePath(loaded.saved.prefix).name), checkpoint \(loaded.saved.number), on \(FilePath(dataPath).name)"
        let report = EvaluationReport(
            title: title, classNames: loaded.classNames, matrix: matrix, metrics: metrics.results)
        for line in report.table() { print(line) }
        // Only now: the result is printed even if the folder cannot be made, and an interrupted command leaves none.
        let folder = try RunFolder.open(
            output ?? RunFolder.defaultPath(command: "score"), occupied: output == nil ? .number : .resume)
        do {
            let files = try write(
                report, answers, worst, to: folder, source: source.source, title: title, loaded,
                run: ScoredRun(
                    model: loaded.saved.parametersPath, data: FilePath(dataPath).description, images: images,
                    skipped: source.badRecords.count, preprocessing: loaded.preprocessing,
                    commandLine: CommandLineArguments.typed, version: AnnealTool.configuration.version))
            print("Report: \(folder.path) (\(files.joined(separator: ", ")))")
        } catch {
            folder.removeIfEmpty()
            throw error
        }
    }

    /// - Returns: the names of the files.
    private func write(
        _ report: EvaluationReport, _ answers: [Answer], _ worst: WorstAnswers, to folder: RunFolder,
        source: any SampleSource, title: String, _ loaded: ModelOptions.Loaded, run: ScoredRun
    ) throws -> [String] {
        try report.write(to: folder, run: run)
        var files = ["confusion.png", "confusion-normalized.png", "confusion.csv", "classes.csv", "score.json"]
        let table = folder.file("predictions.csv"), sheet = folder.file("worst.png")
        // Those of an earlier score do not belong to this one.
        if folder.isContinued { for path in [table, sheet] { unlink(path) } }
        if perImage {
            try AnswerTable(answers, classNames: loaded.classNames).write(to: table) { try source.name(of: $0) }
            files.append("predictions.csv")
        }
        if worst.wrong > 0 {
            let pictures = try ContactSheet(
                worst, of: source, preprocessing: loaded.preprocessing, classNames: loaded.classNames, title: title)
            try Files.writeAtomically(try pictures.png(), to: sheet)
            files.append("worst.png")
        }
        return files
    }

    /// Cross-entropy is only defined for probabilities.
    private func metrics(_ loaded: ModelOptions.Loaded) throws -> [any Metric] {
        let k = topK ?? (loaded.classes > 5 ? 5 : 0)
        var metrics: [any Metric] = [Accuracy()]
        if let topK = try topKMetric(k, classes: loaded.classes, off: "leave it out, or give 0") {
            metrics.append(topK)
        }
        return metrics + (loaded.network.scores == .probabilities ? [CrossEntropy()] : [])
    }
}
