import Anneal
import ArgumentParser
import Foundation

/// Imports another framework's model as a checkpoint.
struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Import a model of torchvision, timm, Keras or Paddle as a checkpoint.",
        discussion: """
            Reads ONNX models (.onnx, with data in files next to them) and state dicts of torchvision's and timm's ResNet \
            family (.safetensors, .pth, .pt; timm's config.json next to them says how images are prepared), and writes \
            PREFIX-symbol.json, PREFIX-0000.params and PREFIX-preprocessing.json, from which everything else works: \
            fine-tune, score, predict, export, and MXNet itself. No code in a file is run. What the file does not say of \
            its images is given by flags; torchvision's and most of timm's networks are trained with \
            --rgb-mean 123.675,116.28,103.53 --rgb-std 58.395,57.12,57.375 --resize 256.

            anneal import resnet18.onnx --to resnet18 --rgb-mean 123.675,116.28,103.53 --rgb-std 58.395,57.12,57.375 \
            --resize 256 --class-names imagenet.txt
            """)

    @Argument(
        help: ArgumentHelp("The model file.", valueName: "MODEL"),
        completion: .file(extensions: ["onnx", "safetensors", "pth", "pt"]))
    var model: String
    @Option(help: ArgumentHelp("Prefix of the checkpoint.", valueName: "PREFIX"))
    var to: String
    @Option(
        help: ArgumentHelp(
            "Shape of the images, if the file does not say or to use another one.", valueName: "C,H,W"))
    var imageShape: String?
    @Option(
        help: ArgumentHelp(
            "timm's name of the network, such as resnetblur50 or resnetaa50d; needed only if the weights fit several networks and neither the file's name nor config.json tells.",
            valueName: "NAME"))
    var architecture: String?
    @Option(help: ArgumentHelp("Mean that was subtracted from each channel.", valueName: "R,G,B"))
    var rgbMean: String?
    @Option(help: ArgumentHelp("Standard deviation that each channel was divided by.", valueName: "R,G,B"))
    var rgbStd: String?
    @Option(
        help: ArgumentHelp(
            "Resize the shorter side of each image to this length before the crop; 0: no resizing.", valueName: "PIXELS"
        ))
    var resize: Int?
    @Option(help: ArgumentHelp("Names of the classes, one per line, in the order of the labels.", valueName: "FILE"))
    var classNames: String?

    @Option(
        help: ArgumentHelp(
            "Restore batch norm that the exporter folded into convolutions, with statistics of images like those the network was trained on (up to 512); its results do not change.",
            valueName: "FILE.rec|FOLDER"), completion: .file(extensions: ["rec"]))
    var restoreBatchNorm: String?

    func run() throws {
        guard !Files.name(of: to).isEmpty else {
            throw UsageError(
                "--to \(to)", "is not a file name", suggestion: "give a folder and the beginning of a name, out/model")
        }
        let paths = [Checkpoint.symbolPath(to), Checkpoint.parametersPath(to, 0), Preprocessing.path(to)]
        if let path = paths.first(where: Files.exists) {
            throw AnnealError(path, "already exists", suggestion: "delete it or choose another --to")
        }
        var imported = try ForeignModel(model, imageShape: imageShape.map(parseImageShape), architecture: architecture)
        let record = try record(imported)
        let restored = try restoreBatchNorm.map { try restore($0, &imported, record) }
        try imported.write(prefix: to, preprocessing: record)

        let shape = imported.imageShape.map(String.init).joined(separator: ",")
        print(
            "\(Checkpoint.parametersPath(to, 0)): \(Readable.count(imported.parameterCount)) numbers, images of \(shape)"
        )
        if let restored {
            let change = String(format: "%.1g", restored.change)
            print(
                "  Restored \(restored.norms.counted("batch norm")) from \(restored.images.counted("image")): scores change by \(change) of the largest at most"
            )
        }
        for note in imported.notes + [imported.normNote].compactMap({ $0 }) { print("  \(note)") }
        if let record {
            func list(_ values: [Float]) -> String { values.map { "\($0)" }.joined(separator: ",") }
            print(
                "  images: mean \(list(record.mean)), deviation \(list(record.std))"
                    + (record.resize.map { ", shorter side resized to \($0)" } ?? ""))
            if let names = record.classNames {
                print("  classes: \(names.count), \(names.prefix(5).map { $0.printable() }.joined(separator: ", "))")
            }
        } else {
            print(
                "  The file does not say how its images were preprocessed: give --rgb-mean and --rgb-std here, or to score and predict"
            )
        }
    }

    private func restore(
        _ path: String, _ imported: inout ForeignModel, _ record: Preprocessing?
    ) throws -> ForeignModel.RestoredBatchNorm {
        guard let record else {
            throw UsageError(
                "--rgb-mean", "is missing, and the file does not say how its images were preprocessed",
                suggestion: "the images of --restore-batch-norm must be preprocessed as in the network's training")
        }
        var options = LoaderOptions(validating: record, batchSize: 8)
        // Records may be sorted by class.
        options.shuffle = true
        guard Files.isFolder(path) else {
            return try imported.restoreBatchNorm(BatchLoader(RecordFile(path), options: options))
        }
        let found = try ImageWalk(FilePath(path))
        guard !found.images.isEmpty else {
            throw AnnealError(path, "has no images", suggestion: "JPEG and PNG files are read")
        }
        return try imported.restoreBatchNorm(BatchLoader(ImageFiles(paths: found.images), options: options))
    }

    /// The file's record, overridden by the flags; nil if neither gives the numbers.
    private func record(_ imported: ForeignModel) throws -> Preprocessing? {
        let names = try classNames.map(ClassNames.read) ?? imported.classNames
        if let names {
            let classes = try ClassifierNetwork(imported.symbol).classes(Shape(imported.imageShape))
            guard names.count == classes else {
                throw AnnealError(
                    classNames ?? model, "names \(names.count.counted("class")), the network has \(classes)",
                    suggestion: "give --class-names FILE with one name per line")
            }
        }
        let channels = imported.imageShape[0]
        guard imported.preprocessing != nil || rgbMean != nil else {
            guard rgbStd == nil, resize == nil, classNames == nil else {
                throw UsageError(
                    "--rgb-mean", "is missing, and the file does not say how its images were preprocessed",
                    suggestion: "give --rgb-mean 123.675,116.28,103.53 for torchvision's networks, 0 for none")
            }
            return nil
        }
        var base =
            imported.preprocessing
            ?? Preprocessing(
                imageShape: imported.imageShape, mean: Array(repeating: 0, count: channels),
                std: Array(repeating: 1, count: channels))
        base.classNames = names
        var options = try ImageOptions.parse([])
        (options.rgbMean, options.rgbStd) = (rgbMean, rgbStd)
        options.resize = resize.map { .pixels($0) }
        return try options.preprocessing(over: base)
    }
}
