import Anneal
import ArgumentParser
import Foundation

/// Exports a checkpoint to ONNX.
struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a trained network as an ONNX model, for ONNX Runtime and others.",
        discussion: """
            The model takes what the network takes, normalised pixels, and gives a score for each class: the logits, where the \
            network ends in them or in a softmax of any kind, which is left out. With --softmax it gives probabilities; a \
            network that ends in logits gets a softmax. With --preprocessing it takes the pixels themselves, 0 to 255, and does \
            (x - mean) / std of the checkpoint's own record (PREFIX-preprocessing.json). Pixels are in the order (batch, \
            channels, height, width), channels R, G, B. The names of the classes, where the checkpoint has them, are in the \
            model's metadata: the key class_names, a JSON array by label.

            anneal export --model resnet-20 --load-epoch 10 --softmax --preprocessing --to resnet-20.onnx
            """)

    @Option(help: SavedModel.help)
    var model: String
    @Option(help: CheckpointChoice.help)
    var loadEpoch: CheckpointChoice?
    @Option(help: ArgumentHelp("Output file (default: PREFIX-NNNN.onnx).", valueName: "FILE.onnx"))
    var to: String?
    @Flag(help: "End with the softmax: probabilities instead of logits.")
    var softmax = false
    @Flag(help: "Begin with the preprocessing: pixels from 0 to 255 instead of normalised ones.")
    var preprocessing = false
    @Option(
        help: ArgumentHelp(
            "With --preprocessing, the type of the pixels: uint8 (default) or float32.", valueName: "TYPE"))
    var pixels: ONNXModel.Preprocessing.Pixels?
    @Option(help: ArgumentHelp("Images at a time (default: any number).", valueName: "N"))
    var batchSize: Int?
    @Option(help: ArgumentHelp("Shape of the network's input (default: as trained).", valueName: "C,H,W"))
    var imageShape: String?

    func run() throws {
        if let batchSize, batchSize < 1 {
            throw UsageError("--batch-size", "is \(batchSize)", suggestion: "it must be at least 1")
        }
        if let pixels, !preprocessing {
            throw UsageError(
                "--pixels \(pixels.rawValue)", "is for --preprocessing",
                suggestion: "without it the model takes normalised numbers, float32")
        }
        let given = try imageShape.map(parseImageShape)
        let saved = try SavedModel(model, loadEpoch), prefix = saved.prefix
        let content = try saved.content(imageShape: given), checkpoint = content.checkpoint
        try checkpoint.warnOfNonFinite(saved)
        content.printNotes()
        let record = content.preprocessing
        guard let shape = given ?? content.imageShape else {
            throw UsageError(
                "--image-shape", "is missing, and \(Preprocessing.path(prefix)) is not there",
                suggestion: "give the shape that the network was trained with, such as 3,224,224")
        }
        var options = ONNXModel.Options()
        options.name = FilePath(prefix).name.description
        options.anyBatchSize = batchSize == nil
        options.ending = softmax ? .probabilities : .logits
        options.classNames = record?.classNames
        if preprocessing { options.preprocessing = try included(record, shape, saved.recordPath) }

        let parametersPath = saved.parametersPath
        let exported: ONNXModel
        do {
            let data = try checkpoint.symbol.dataName(parameters: Set(checkpoint.arguments.keys))
            exported = try ONNXModel(
                checkpoint.symbol, parameters: checkpoint.arguments.merging(checkpoint.auxiliary) { first, _ in first },
                inputs: [data: Shape([batchSize ?? 1] + shape)], options: options)
        } catch let error as AnnealError {
            throw error.within(
                error.place.hasPrefix("parameter ") ? parametersPath : saved.symbolPath)
        }
        let path =
            to ?? (saved.foreignFile == nil ? "\(parametersPath.dropLast(".params".count))" : prefix + "-0000")
            + ".onnx"
        let folder = Files.folder(of: path)
        if !folder.isEmpty { try Files.makeFolder(folder) }
        let size = try exported.write(to: path)
        let megabytes = String(format: "%.1f", Double(size) / 1e6)
        print("\(path): \(megabytes) MB, ONNX opset \(ONNXModel.opset)", about: path)
        for port in exported.inputs { print("input   \(line(port))", about: path) }
        for port in exported.outputs { print("output  \(line(port))", about: path) }
    }

    private func included(_ record: Preprocessing?, _ shape: [Int], _ path: String) throws -> ONNXModel.Preprocessing {
        guard let record else {
            throw AnnealError(
                path, "is not there",
                suggestion: "mean and std are taken from it; export without --preprocessing")
        }
        guard record.mean.count == shape[0] else {
            throw UsageError(
                "--image-shape", "has \(shape[0].counted("channel")), but the model's mean has \(record.mean.count)",
                suggestion: "leave it out, or export without --preprocessing")
        }
        return .init(mean: record.mean, std: record.std, pixels: pixels ?? .uint8)
    }

    /// `data  float32 (N, 3, 28, 28)`
    private func line(_ port: ONNXModel.Port) -> String {
        let extents = port.extents.map { $0.map(String.init) ?? "N" }.joined(separator: ", ")
        return "\(port.name)  \(port.elementType) (\(extents))"
    }
}

extension ONNXModel.Preprocessing.Pixels: ExpressibleByArgument {}
