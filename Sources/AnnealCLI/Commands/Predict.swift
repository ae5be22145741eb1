import Anneal
import ArgumentParser
import Foundation

/// Predicts the most probable classes of images.
struct Predict: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Classify images with a trained network.",
        discussion: """
            The most probable classes of each JPEG or PNG image, as a table, as JSON lines or as CSV. Images are prepared as in \
            training's validation: as the checkpoint's own record (PREFIX-preprocessing.json) says; flags override it. A \
            checkpoint of MXNet's has no such record: it needs --image-shape, --rgb-mean and, if it was trained with one, \
            --rgb-std. An image that cannot be read is reported on standard error, the others are predicted all the same, and the exit code is 1.

            anneal predict --model resnet-20 --load-epoch 10 cat.jpg photos/
            curl -s https://example.org/cat.jpg | anneal predict --model resnet-20 --load-epoch 10 --format json -
            """)

    @OptionGroup var model: ModelOptions
    @Argument(
        help: ArgumentHelp(
            "Image files, folders (all images in them and below), or - for one image on standard input.",
            valueName: "IMAGE"), completion: .file())
    var images: [String] = []
    @Flag(help: "Read paths of images from standard input, one per line.")
    var pathsFromStdin = false
    @Option(
        name: .customLong("top-k"),
        help: ArgumentHelp("Classes to show for each image (default: up to 5).", valueName: "K"))
    var topK: Int?
    @Option(
        help: ArgumentHelp(
            "Images per batch (default: 1 for fewer than 32 images, else 32).", valueName: "N"))
    var batchSize: Int?
    @Option(help: TestTimeViews.help)
    var tta: TestTimeViews = .none
    @Option(
        help: ArgumentHelp(
            "table, json (one line per image) or csv (one row per class: image,rank,class,index,probability).",
            valueName: "FORMAT"))
    var format: Format = .table

    enum Format: String, ExpressibleByArgument, CaseIterable { case table, json, csv }

    func run() throws {
        let images = try findImages()
        let loaded = try model.load()
        let top = topK ?? min(5, loaded.classes)
        guard (1...loaded.classes).contains(top) else {
            throw UsageError(
                "--top-k", "is \(top)",
                suggestion: loaded.classes == 1
                    ? "the network has one class: leave it out"
                    : "it must be 1 to \(loaded.classes), the number of classes")
        }
        let batch = batchSize ?? (images.source.count < 32 ? 1 : 32)
        guard (1...1 << 16).contains(batch) else {
            throw UsageError("--batch-size", "is \(batch)", suggestion: "it must be 1 to 65536")
        }
        let classifier = try Classifier(
            loaded.checkpoint, preprocessing: loaded.preprocessing, batchSize: min(batch, images.source.count),
            threads: try model.images.checkedThreads(), maximumPixels: try model.images.checkedPixels(),
            decodesExactly: try model.images.decodesExactly(), views: tta,
            place: loaded.saved.parametersPath, device: model.machine.device())

        warnOfCrops(images.source, loaded.preprocessing)
        let kind = classifier.scores == .probabilities ? "probability" : "score"
        if classifier.scores != .probabilities {
            StandardStream.error.write(
                "The network ends in \(loaded.network.ending): its numbers are scores, not probabilities\n")
        }
        let table = PredictionTable(images: images.names, number: kind)
        if format == .csv { StandardStream.output.write(PredictionRows.header(number: kind)) }
        // A table without rows has no header either.
        var failures = 0, head = format == .table ? table.head : ""
        try classifier.predict(images.source, top: top) { number, result in
            switch result {
            case .success(let predictions):
                let name = images.names[number]
                let text =
                    switch format {
                    case .table: table.rows(name, predictions)
                    case .json: try PredictionLine(name, predictions, number: kind).json()
                    case .csv: PredictionRows.text(name, predictions)
                    }
                StandardStream.output.write(head + text)
                head = ""
                // With a million images, nobody may be reading any more after three.
                try StandardStream.output.check()
            case .failure(let error):
                failures += 1
                printError("anneal: error: \(error)")
            }
        }
        if failures > 0 { throw ExitCode.failure }
    }

    /// The images that the arguments name, and how the output names each of them.
    private func findImages() throws -> (source: any SampleSource, names: [String]) {
        if images.contains("-") {
            guard images.count == 1, !pathsFromStdin else {
                throw UsageError(
                    "-", "cannot be combined with other images",
                    suggestion: "give it alone: standard input is one image")
            }
            let bytes = [UInt8](try Files.readStandardInput())
            return (ImageBytes(bytes, name: "standard input"), ["-"])
        }
        var paths = images.map { FilePath($0) }
        if pathsFromStdin {
            let lines = try Files.readStandardInput().split(separator: UInt8(ascii: "\n"))
            paths += lines.map { FilePath(bytes: $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0) }
                .filter { !$0.bytes.isEmpty }
        }
        guard !paths.isEmpty else {
            guard !pathsFromStdin else {
                throw UsageError(
                    "--paths-from-stdin", "standard input has no paths", suggestion: "write one path per line to it")
            }
            throw UsageError("IMAGE", "is missing", suggestion: "name image files or folders, or - for standard input")
        }
        let files = try paths.flatMap { path in
            guard Files.isFolder(path.text) else { return [path] }
            let found = try ImageWalk(path)
            guard !found.images.isEmpty else {
                throw AnnealError(
                    "\(path)", "has no images" + (found.passedOver.isEmpty ? "" : ": \(found.passedOver)"),
                    suggestion: "JPEG and PNG files are read")
            }
            if !found.passedOver.isHarmless { StandardStream.error.write("\(path): \(found.passedOver)\n") }
            return found.images
        }
        var found = ImageFiles(paths: files)
        found.maximumPixels = try model.images.checkedPixels()
        return (found, files.map(\.description))
    }

    /// Notes photographs of which the network sees only the centre.
    private func warnOfCrops(_ images: any SampleSource, _ preprocessing: Preprocessing) {
        guard preprocessing.resize == nil else { return }
        let (height, width) = (preprocessing.imageShape[1], preprocessing.imageShape[2])
        let survey = ImageSurvey.headers(of: images, limit: 100)
        guard survey.shareShown(height: height, width: width) < 0.5 else { return }
        StandardStream.error.write(
            "warning: images (\(survey.sizeRange ?? "")) are cropped to their centre, \(width)x\(height): the model's record does not mention resizing; --resize \(min(height, width)) shows more of them\n"
        )
    }
}

/// Predictions in columns; the names of the images determine the width of theirs.
private struct PredictionTable {
    private let width: Int
    /// The heading of the numbers.
    private let number: String

    init(images: [String], number: String) {
        width = min(60, max(5, images.map { $0.printable().count }.max() ?? 0))
        self.number = number
    }

    var head: String {
        "\(padded("image"))  \(String(repeating: " ", count: max(0, 11 - number.count)))\(number)  class\n"
    }

    /// The image's name, in the first row only.
    func rows(_ image: String, _ predictions: [Classifier.Prediction]) -> String {
        predictions.enumerated().map { rank, prediction in
            let share = String(format: "%11.4f", Double(prediction.probability))
            return "\(padded(rank == 0 ? image.printable() : ""))  \(share)  \(prediction.className.printable())\n"
        }.joined()
    }

    private func padded(_ text: String) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

/// A row for each class of each image, the most probable first, with rank 1.
private enum PredictionRows {
    static func header(number: String) -> String { CSV.line(["image", "rank", "class", "index", number]) + "\n" }

    static func text(_ image: String, _ predictions: [Classifier.Prediction]) -> String {
        // A lone - is standard input; spreadsheets do not take it for a formula.
        let shown = image == "-" ? image : CSV.text(image)
        return predictions.enumerated().map { rank, prediction in
            let probability = prediction.probability.isNaN ? "nan" : "\(prediction.probability)"
            let name = CSV.text(prediction.className)
            return CSV.line([shown, "\(rank + 1)", name, "\(prediction.index)", probability]) + "\n"
        }.joined()
    }
}

/// `{"image":"a.png","predictions":[{"class":"cat","index":3,"probability":0.97}]}`; other numbers are called `score`.
private struct PredictionLine: Encodable {
    struct Entry: Encodable {
        var `class`: String
        var index: Int
        /// Omitted if it is NaN, which JSON cannot express.
        var probability: Float?
        var score: Float?
    }
    var image: String
    var predictions: [Entry]

    init(_ image: String, _ predictions: [Classifier.Prediction], number: String) {
        self.image = image
        self.predictions = predictions.map {
            let value = $0.probability.isNaN ? nil : $0.probability
            return number == "score"
                ? Entry(class: $0.className, index: $0.index, score: value)
                : Entry(class: $0.className, index: $0.index, probability: value)
        }
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Control characters beyond ASCII, which the encoder does not escape; the text reads back the same.
        return String(decoding: try encoder.encode(self), as: UTF8.self).printable(json: true) + "\n"
    }
}
