import Anneal
import ArgumentParser

/// MXNet's train_cifar10.py.
struct Train: TrainingCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a network from scratch.",
        discussion: """
            The flags and their defaults are those of MXNet's train_cifar10.py; flags can be abbreviated to any unique prefix. \
            Validation accuracy is counted over every image exactly once. A run writes its arguments, log, metrics (CSV and \
            JSON lines) and curves (SVG and PNG) into its run folder.

            anneal train --network resnet --num-layers 20 --data-train cifar10_train.rec --data-val cifar10_val.rec \
            --num-epochs 30 --lr-step-epochs 15,25 --random-crop 1 --random-mirror 1
            """)

    @Option(
        help: ArgumentHelp(
            "One of \(Networks.names.joined(separator: ", ")), or a -symbol.json file.", valueName: "NAME"),
        completion: .list(Networks.names))
    var network: String = "resnet"
    @Option(
        help: ArgumentHelp(
            "Depth of the network, if it has several (default: 110 for resnet and resnext).", valueName: "N"))
    var numLayers: Int?
    @OptionGroup var data: DataOptions
    @OptionGroup var training: TrainingOptions

    static let script = ScriptDefaults(
        lr: 0.05, lrStepEpochs: "200,250", mom: 0.9, wd: 1e-4, numEpochs: 300, padSize: 4, imageShape: "3,28,28")

    func trainingRun(continuing prefix: String?) throws -> TrainingRun {
        let imageShape = try parseImageShape(training.imageShape ?? Self.script.imageShape)
        // Before any data is opened.
        if !network.hasSuffix(".json"), !Networks.names.contains(network) {
            _ = try flagErrors { try Networks.symbol(network, NetworkOptions(numClasses: 10, imageShape: imageShape)) }
        }
        let recorded = try (prefix ?? checkpointPrefix()).flatMap { try Preprocessing.load(prefix: $0) }
        let images = try data.training(earlier: recorded?.classNames)
        let file = network.hasSuffix(".json") ? try Symbol.load(network) : nil
        let outputs = try file.map { file in
            do {
                return try ClassifierNetwork(file).classes(Shape(imageShape))
            } catch let error as AnnealError {
                throw error.within(network)
            }
        }
        let classes = try training.classes(named: images.classNames) ?? outputs ?? 10
        try flagErrors { try checkClassCount(classes) }
        if let outputs, outputs != classes {
            throw AnnealError(
                network, "has \(outputs) outputs, but the data has \(classes) classes",
                suggestion: "build a network for \(classes) classes, or use data with \(outputs)")
        }
        let depth = numLayers ?? (["resnet", "resnext"].contains(network) ? 110 : nil)
        let symbol =
            try file
            ?? flagErrors {
                try Networks.symbol(
                    network, NetworkOptions(numClasses: classes, imageShape: imageShape, numLayers: depth))
            }
        return TrainingRun(
            command: "train", network: file != nil ? network : depth.map { "\(network)-\($0)" } ?? network,
            symbol: symbol,
            initializer: try flagErrors { try Initializers.fit(training.initializer, network: network) },
            recorded: recorded, resumeChoice: training.run.loadEpoch, images: images, classes: classes,
            imageShape: imageShape,
            script: Self.script)
    }

    /// The prefix of the checkpoint that --load-epoch names.
    private func checkpointPrefix() throws -> String? {
        guard let choice = training.run.loadEpoch else { return nil }
        guard let prefix = training.run.ownPrefix else {
            throw UsageError(
                "--load-epoch", "belongs to a model, but none is given",
                suggestion: "give --model-prefix, or --run-folder of the earlier run")
        }
        // The folder of a new run contains none: the user forgot to name the model.
        if training.run.modelPrefix == nil, Checkpoint.numbers(prefix: prefix).isEmpty {
            throw UsageError(
                "--load-epoch \(choice)", "--run-folder \(training.run.runFolder ?? "") holds no checkpoint",
                suggestion: "give --model-prefix of the model to continue, or --run-folder of the earlier run")
        }
        _ = try Checkpoint.number(prefix: prefix, choice)
        return prefix
    }
}
