import Anneal
import ArgumentParser
import Foundation

/// What is on images: their most probable classes.
struct Predict: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell what a trained network sees on images.",
        discussion: """
            The most probable classes of each JPEG or PNG image, as a table or as JSON lines. Images are prepared as in \
            training's validation: as the checkpoint's own record (PREFIX-preprocessing.json) says; flags override it. A \
            checkpoint of MXNet's has no such record: it needs --image-shape, --rgb-mean and, if it was trained with one, \
            --rgb-std. An image that cannot be read is told on standard error, the others go on, and the exit code is 1.

            anneal predict --model resnet-20 --load-epoch 10 cat.jpg photos/
            curl -s https://example.org/cat.jpg | anneal predict --model resnet-20 --load-epoch 10 --format json -
            """)

    @OptionGroup var model: ModelOptions
    @Argument(
        help: ArgumentHelp(
            "Image files, folders (all images in them and below), or - for one image on standard input.",
            valueName: "image"))
    var images: [String] = []
    @Flag(help: "Read paths of images from standard input, one a line.")
    var pathsFromStdin = false
    @Option(
        name: .customLong("top-k"),
        help: ArgumentHelp("Classes to show of each image (default: up to 5).", valueName: "K"))
    var topK: Int?
    @Option(
        help: ArgumentHelp(
            "Images that are computed together (default: 1 for fewer than 32 images, else 32).", valueName: "N"))
    var batchSize: Int?
    @Option(help: TestTimeViews.help)
    var tta: TestTimeViews = .none
    @Option(help: ArgumentHelp("table or json (a line an image).", valueName: "FORMAT"))
    var format: Format = .table

    enum Format: String, ExpressibleByArgument, CaseIterable { case table, json }

    func run() throws {
        let images = try findImages()
        let loaded = try model.load()
        let top = topK ?? min(5, loaded.classes)
        guard (1...loaded.classes).contains(top) else {
            throw UsageError(
                "--top-k", "is \(top)", suggestion: "it must be 1 to the number of classes, \(loaded.classes)")
        }
        let batch = batchSize ?? (images.source.count < 32 ? 1 : 32)
        guard (1...1 << 16).contains(batch) else {
            throw UsageError("--batch-size", "is \(batch)", suggestion: "it must be 1 to 65536")
        }
        let classifier = try Classifier(
            loaded.checkpoint, preprocessing: loaded.preprocessing, batchSize: min(batch, images.source.count),
            threads: try model.images.checkedThreads(), views: tta, place: model.parametersPath)

        let table = PredictionTable(images: images.names)
        if format == .table { StandardStream.output.write(table.head) }
        var failures = 0
        try classifier.predict(images.source, top: top) { number, result in
            switch result {
            case .success(let predictions):
                let name = images.names[number]
                let text =
                    format == .table ? table.rows(name, predictions) : try PredictionLine(name, predictions).json()
                StandardStream.output.write(text)
            case .failure(let error):
                failures += 1
                StandardStream.error.write("anneal: error: \(error)\n")
            }
        }
        if failures > 0 { throw ExitCode.failure }
    }

    /// What the arguments name, and how the output calls each image.
    private func findImages() throws -> (source: any SampleSource, names: [String]) {
        if images.contains("-") {
            guard images.count == 1, !pathsFromStdin else {
                throw UsageError(
                    "-", "stands beside other images", suggestion: "give it alone: standard input is one image")
            }
            let bytes = [UInt8](try Files.readStandardInput())
            return (ImageBytes(bytes, name: "standard input"), ["-"])
        }
        var paths = images
        if pathsFromStdin {
            let text = String(decoding: try Files.readStandardInput(), as: UTF8.self)
            paths += text.split(whereSeparator: \.isNewline).map(String.init)
        }
        guard !paths.isEmpty else {
            throw UsageError("IMAGE", "is missing", suggestion: "name image files or folders, or - for standard input")
        }
        let files = try paths.flatMap { path in
            guard Files.isFolder(path) else { return [path] }
            let found = try ImageList.images(below: path)
            guard !found.isEmpty else {
                throw AnnealError(
                    path, "has no images", suggestion: "they end in \(ImageList.imageSuffixes.joined(separator: ", "))")
            }
            return found
        }
        return (ImageFiles(paths: files), files)
    }
}

/// Predictions in columns; the names of images say how wide theirs is.
private struct PredictionTable {
    private let width: Int

    init(images: [String]) { width = min(60, max(5, images.map(\.count).max() ?? 0)) }

    var head: String { "\(padded("image"))  probability  class\n" }

    /// The image's name in the first row only.
    func rows(_ image: String, _ predictions: [Classifier.Prediction]) -> String {
        predictions.enumerated().map { rank, prediction in
            let share = String(format: "%11.4f", Double(prediction.probability))
            return "\(padded(rank == 0 ? image : ""))  \(share)  \(prediction.className)\n"
        }.joined()
    }

    private func padded(_ text: String) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

/// `{"image":"a.png","predictions":[{"class":"cat","index":3,"probability":0.97}]}`
private struct PredictionLine: Encodable {
    struct Entry: Encodable {
        var `class`: String
        var index: Int
        /// NaN, which JSON has no number for, is null.
        var probability: Float?
    }
    var image: String
    var predictions: [Entry]

    init(_ image: String, _ predictions: [Classifier.Prediction]) {
        self.image = image
        self.predictions = predictions.map {
            Entry(class: $0.className, index: $0.index, probability: $0.probability.isNaN ? nil : $0.probability)
        }
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
    }
}
