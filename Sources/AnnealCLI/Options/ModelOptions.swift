import Anneal
import ArgumentParser

/// A trained model, for `score` and `predict`.
struct ModelOptions: ParsableArguments {
    @Option(
        name: .customLong("model"),
        help: ArgumentHelp("The model: PREFIX-symbol.json and PREFIX-NNNN.params.", valueName: "PREFIX"))
    var prefix: String
    @Option(help: ArgumentHelp("Which of its checkpoints.", valueName: "N"))
    var loadEpoch: Int = 0
    @Option(help: ArgumentHelp("Shape of the network's input (default: the model's).", valueName: "C,H,W"))
    var imageShape: String?
    @OptionGroup var images: ImageOptions
    @Option(help: ArgumentHelp("There is no GPU engine in this build: leave it out.", valueName: "IDS"))
    var gpus: String?

    struct Loaded {
        var checkpoint: Checkpoint
        /// The model's own, where flags do not say otherwise.
        var preprocessing: Preprocessing
        var classes: Int
        /// By label; the labels themselves where no names are known.
        var classNames: [String] { preprocessing.classNames ?? (0..<classes).map(String.init) }
    }

    var parametersPath: String { Checkpoint.parametersPath(prefix, loadEpoch) }

    func load() throws -> Loaded {
        if let gpus, !gpus.isEmpty {
            throw UsageError(
                "--gpus \(gpus)", "there is no GPU engine in this build",
                suggestion: "run the same command without --gpus: it uses all \(Parallel.threads) CPU cores")
        }
        let checkpoint = try Checkpoint.load(prefix: prefix, epoch: loadEpoch)
        var base = try stored()
        if let imageShape { base.imageShape = try parseImageShape(imageShape) }
        var preprocessing = try images.preprocessing(over: base)
        if let names = try images.readClassNames() { preprocessing.classNames = names }
        let classes: Int
        do {
            classes = try checkpoint.classes(imageShape: preprocessing.imageShape)
        } catch let error as AnnealError {
            throw error.within(Checkpoint.symbolPath(prefix))
        }
        if let names = preprocessing.classNames, names.count != classes {
            throw AnnealError(
                images.classNames ?? Preprocessing.path(prefix),
                "names \(names.count) classes, \(Checkpoint.symbolPath(prefix)) has \(classes)",
                suggestion: "give --class-names FILE with a line a class")
        }
        return Loaded(checkpoint: checkpoint, preprocessing: preprocessing, classes: classes)
    }

    /// The checkpoint's record; for one without, as MXNet's own, what the flags must then say.
    private func stored() throws -> Preprocessing {
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
