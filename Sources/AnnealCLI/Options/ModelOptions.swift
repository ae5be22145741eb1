import Anneal
import ArgumentParser

extension CheckpointChoice: ExpressibleByArgument, Encodable {
    public init?(argument: String) { self.init(argument) }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if case .number(let number) = self { try container.encode(number) } else { try container.encode(description) }
    }

    /// The error of a value that names no checkpoint.
    static func unknown(_ text: String) -> AnnealError {
        AnnealError(
            "--load-epoch \(text)", "is neither a number nor best or last",
            suggestion: Spelling.question(Spelling.misspelt(text, among: ["best", "last"]))
                + "it is a checkpoint's number, best or last")
    }

    static let help = ArgumentHelp(
        "Which of its checkpoints: a number, best or last (default: the only one).", valueName: "N")
}

extension SavedModel {
    static let help = ArgumentHelp(
        "The model: PREFIX (of PREFIX-symbol.json and PREFIX-NNNN.params), a run's folder or a .params file.",
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
        /// The model's own, where flags do not say otherwise.
        var preprocessing: Preprocessing
        var classes: Int
        /// By label; the labels themselves where no names are known.
        var classNames: [String] { preprocessing.classNames ?? (0..<classes).map(String.init) }
    }

    func load() throws -> Loaded {
        try machine.check()
        let saved = try SavedModel(model, loadEpoch), prefix = saved.prefix
        let checkpoint = try saved.load()
        try checkpoint.warnOfNonFinite(saved)
        var base = try stored(prefix)
        if let imageShape { base.imageShape = try parseImageShape(imageShape) }
        var preprocessing = try images.preprocessing(over: base)
        if let names = try images.readClassNames() { preprocessing.classNames = names }
        let network: ClassifierNetwork, classes: Int
        do {
            network = try checkpoint.network()
            classes = try network.classes(Shape(preprocessing.imageShape))
        } catch let error as AnnealError {
            throw error.within(Checkpoint.symbolPath(prefix))
        }
        if let names = preprocessing.classNames, names.count != classes {
            throw AnnealError(
                images.classNames ?? Preprocessing.path(prefix),
                "names \(names.count.counted("class")), \(Checkpoint.symbolPath(prefix)) has \(classes)",
                suggestion: "give --class-names FILE with one name per line")
        }
        return Loaded(
            saved: saved, checkpoint: checkpoint, network: network, preprocessing: preprocessing, classes: classes)
    }

    /// The checkpoint's record; for one without, as MXNet's own, what the flags must then say.
    private func stored(_ prefix: String) throws -> Preprocessing {
        if let stored = try Preprocessing.load(prefix: prefix) { return stored }
        guard let imageShape, images.rgbMean != nil else {
            throw UsageError(
                Preprocessing.path(prefix),
                "is not there, as with MXNet's checkpoints, so how its images were prepared is not known",
                suggestion:
                    "give --image-shape C,H,W and --rgb-mean R,G,B as in its training, --rgb-std R,G,B too if it had one; "
                    + "MXNet's training scripts have --rgb-mean 123.68,116.779,103.939")
        }
        let shape = try parseImageShape(imageShape)
        return Preprocessing(
            imageShape: shape, mean: Array(repeating: 0, count: shape[0]), std: Array(repeating: 1, count: shape[0]))
    }
}

extension Checkpoint {
    /// Says on standard error if what the network computes with these parameters cannot be trusted.
    func warnOfNonFinite(_ saved: SavedModel) throws {
        guard let name = try firstNonFiniteParameter() else { return }
        let problem = AnnealError(
            saved.parametersPath, "\(name) holds a NaN or an infinity: what the network computes means nothing",
            suggestion: "take another checkpoint, from before the training diverged")
        printError("anneal: warning: \(problem)")
    }
}
