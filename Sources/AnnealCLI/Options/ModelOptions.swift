import Anneal
import ArgumentParser

extension CheckpointChoice: ExpressibleByArgument, Encodable {
    public init?(argument: String) { self.init(argument) }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if case .number(let number) = self { try container.encode(number) } else { try container.encode(description) }
    }

    /// The error for a value that does not name a checkpoint.
    static func unknown(_ text: String) -> AnnealError {
        AnnealError(
            "--load-epoch \(text)", "is neither a number nor best or last",
            suggestion: Spelling.question(Spelling.misspelt(text, among: ["best", "last"]))
                + "it is a checkpoint's number, best or last")
    }

    static let help = ArgumentHelp(
        "Checkpoint: its number, best or last (default: the only one).", valueName: "N")
}

extension SavedModel {
    static let help = ArgumentHelp(
        "The model: PREFIX (of PREFIX-symbol.json and PREFIX-NNNN.params), a run's folder, a .params file, or another framework's .onnx, .safetensors, .pth or .pt file.",
        valueName: "MODEL")
}

/// A trained model, for `score` and `predict`.
struct ModelOptions: ParsableArguments {
    @Option(help: SavedModel.help)
    var model: String
    @Option(help: CheckpointChoice.help, completion: .list(["best", "last"]))
    var loadEpoch: CheckpointChoice?
    @Option(help: ArgumentHelp("Shape of the network's input (default: the model's).", valueName: "C,H,W"))
    var imageShape: String?
    @OptionGroup var images: ImageOptions
    @OptionGroup var machine: DeviceOptions

    struct Loaded {
        var saved: SavedModel
        var checkpoint: Checkpoint
        var network: ClassifierNetwork
        /// The model's own, unless flags override it.
        var preprocessing: Preprocessing
        var classes: Int
        /// By label; the labels themselves if no names are known.
        var classNames: [String] { preprocessing.classNames ?? (0..<classes).map(String.init) }
    }

    func load() throws -> Loaded {
        try machine.check()
        let saved = try SavedModel(model, loadEpoch)
        let content = try saved.content(imageShape: imageShape.map(parseImageShape)), checkpoint = content.checkpoint
        try checkpoint.warnOfNonFinite(saved)
        content.printNotes()
        var base = try stored(saved, content)
        if let imageShape { base.imageShape = try parseImageShape(imageShape) }
        var preprocessing = try images.preprocessing(over: base)
        if let names = try images.readClassNames() { preprocessing.classNames = names }
        let network: ClassifierNetwork, classes: Int
        do {
            network = try checkpoint.network()
            classes = try network.classes(Shape(preprocessing.imageShape))
        } catch let error as AnnealError {
            throw error.within(saved.symbolPath)
        }
        if let names = preprocessing.classNames, names.count != classes {
            throw AnnealError(
                images.classNames ?? saved.recordPath,
                "names \(names.count.counted("class")), but \(saved.symbolPath) has \(classes)",
                suggestion: "give --class-names FILE with one name per line")
        }
        return Loaded(
            saved: saved, checkpoint: checkpoint, network: network, preprocessing: preprocessing, classes: classes)
    }

    /// The checkpoint's record; for a checkpoint without one, e.g. MXNet's own, what the flags must then specify.
    private func stored(_ saved: SavedModel, _ content: SavedModel.Content) throws -> Preprocessing {
        if let stored = content.preprocessing { return stored }
        if saved.foreignFile != nil, let shape = content.imageShape {
            guard images.rgbMean != nil else {
                throw UsageError(
                    saved.recordPath, "does not say how its images were preprocessed",
                    suggestion:
                        "give --rgb-mean R,G,B and --rgb-std R,G,B: 123.675,116.28,103.53 and 58.395,57.12,57.375 for "
                        + "torchvision's networks and most of timm's, with --resize 256")
            }
            return Preprocessing(
                imageShape: shape, mean: Array(repeating: 0, count: shape[0]),
                std: Array(repeating: 1, count: shape[0]), classNames: content.foreignClassNames)
        }
        guard let imageShape, images.rgbMean != nil else {
            throw UsageError(
                saved.recordPath,
                "does not exist, as with MXNet's checkpoints, so it is not known how its images were preprocessed",
                suggestion:
                    "give --image-shape C,H,W and --rgb-mean R,G,B as in its training, --rgb-std R,G,B too if it had one; "
                    + "MXNet's training scripts have --rgb-mean 123.68,116.779,103.939")
        }
        let shape = try parseImageShape(imageShape)
        return Preprocessing(
            imageShape: shape, mean: Array(repeating: 0, count: shape[0]), std: Array(repeating: 1, count: shape[0]))
    }
}

extension SavedModel.Content {
    /// Reports on standard error what was assumed about another framework's file.
    func printNotes() { for note in notes { printError("note: \(note)") } }
}

extension Checkpoint {
    /// Warns on standard error if the results of the network with these parameters cannot be trusted.
    func warnOfNonFinite(_ saved: SavedModel) throws {
        guard let name = try firstNonFiniteParameter() else { return }
        let problem = AnnealError(
            saved.parametersPath, "\(name) holds a NaN or an infinity: the network's output is meaningless",
            suggestion: "take another checkpoint, from before the training diverged")
        printError("anneal: warning: \(problem)")
    }
}
