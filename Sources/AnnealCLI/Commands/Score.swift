import Anneal
import ArgumentParser
import Foundation

/// MXNet's score.py.
struct Score: MXNetScript {
    static let configuration = CommandConfiguration(
        abstract: "Score a trained network on records.",
        discussion: """
            Accuracy, top-5 accuracy and cross-entropy over every image exactly once. Image shape, mean and std are those of \
            the checkpoint's own record (PREFIX-preprocessing.json); flags override them. A checkpoint of MXNet's has no such \
            record: then the flags' defaults are those of MXNet's score.py, mean 0 and 3,224,224.
            """)

    @Option(help: ArgumentHelp("The model: PREFIX-symbol.json and PREFIX-NNNN.params.", valueName: "PREFIX"))
    var model: String
    @Option(help: ArgumentHelp("Which of its checkpoints.", valueName: "N"))
    var loadEpoch: Int = 0
    @Option(help: ArgumentHelp("Images at a time.", valueName: "N"))
    var batchSize: Int = 64
    @Option(help: ArgumentHelp("Shape of the network's input.", valueName: "C,H,W"))
    var imageShape: String?
    @Option(help: ArgumentHelp("There is no GPU engine in this build: leave it out.", valueName: "IDS"))
    var gpus: String?
    @OptionGroup(title: "Data")
    var data: DataOptions

    func run() throws {
        if let gpus, !gpus.isEmpty {
            throw UsageError(
                "--gpus \(gpus)", "there is no GPU engine in this build",
                mend: "run the same command without --gpus: it uses all \(Parallel.threads) CPU cores")
        }
        guard batchSize > 0 else { throw UsageError("--batch-size", "is \(batchSize)", mend: "it must be at least 1") }
        guard data.validationPath != nil else {
            throw UsageError("--data-val", "is missing", mend: "give the records to score, a .rec file")
        }
        let checkpoint = try Checkpoint.load(prefix: model, epoch: loadEpoch)
        let stored = try Preprocessing.load(prefix: model)
        if stored == nil, data.rgbMean == nil {
            FileHandle.standardError.write(
                Data(
                    "anneal: note: \(Preprocessing.path(model)) is not there: mean 0, std 1 as in MXNet's score.py; give --rgb-mean and --rgb-std as in training\n"
                        .utf8))
        }
        let shape = try imageShape.map(parseImageShape) ?? stored?.imageShape ?? [3, 224, 224]
        var preprocessing = try data.preprocessing(imageShape: shape, .init(mean: stored?.mean ?? [0, 0, 0]))
        if data.rgbStd == nil, let std = stored?.std, std.count == shape[0] { preprocessing.std = std }
        guard preprocessing.mean.count == shape[0] else {
            throw UsageError(
                "--image-shape", "has \(shape[0]) channels, the model's mean \(preprocessing.mean.count)",
                mend: "give --rgb-mean too")
        }

        let scorer = try Scorer(checkpoint.symbol, dataShape: Shape(shape), batchSize: batchSize)
        try checkpoint.restore(scorer.parameters, place: Checkpoint.parametersPath(model, loadEpoch))
        guard let classes = try checkpoint.symbol.inferShapes(["data": Shape([batchSize] + shape)]).outputs.first?[-1],
            let source = try data.validationLoader(preprocessing, batchSize: batchSize, numClasses: classes)
        else { throw AnnealError(Checkpoint.symbolPath(model), "has no output") }
        var metrics: [any Metric] = [Accuracy()]
        if classes > 5 { metrics.append(TopKAccuracy(k: 5)) }
        metrics.append(CrossEntropy())
        let progress = ProgressLine("Scoring", total: source.count, unit: "images")
        let begin = ContinuousClock().now
        let size = batchSize, count = source.count
        let results = try scorer.score(source, metrics: CompositeMetric(metrics)) {
            progress.update(done: min($0 * size, count))
        }
        let elapsed = ContinuousClock().now - begin
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
        progress.finish()
        for result in results { print("\(result.name) = \(String(format: "%.6f", result.value))") }
        let scored = count - source.badRecords.count
        print("\(scored) images, \(String(format: "%.1f", Double(scored) / seconds)) images/s")
        for bad in source.badRecords { print("skipped record \(bad.number): \(bad.reason)") }
    }
}
