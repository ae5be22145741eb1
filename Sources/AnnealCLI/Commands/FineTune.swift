import Anneal
import ArgumentParser

/// MXNet's fine-tune.py.
struct FineTuneCommand: TrainingCommand {
    static let configuration = CommandConfiguration(
        commandName: "fine-tune",
        abstract: "Fine-tune a trained network to new classes.",
        discussion: """
            The flags and their defaults are those of MXNet's fine-tune.py; flags can be abbreviated to any unique prefix. The \
            network is cut after --layer-before-fullc and gets a new head of --num-classes; everything else starts with \
            the trained values.

            anneal fine-tune --pretrained-model resnext-101 --load-epoch 0000 --batch-size 128 --data-train cifar10_train.rec \
            --data-val cifar10_val.rec --num-examples 50000 --num-classes 10 --image-shape 3,28,28 --num-epoch 300 --lr 0.05 \
            --lr-factor 0.9 --lr-step-epochs 25,50,75,100,125,150,175,200,225,250,275,300
            """)

    @Option(
        help: ArgumentHelp(
            "The trained model: PREFIX (of PREFIX-symbol.json and PREFIX-NNNN.params), a run's folder, a .params file, or another framework's .onnx, .safetensors, .pth or .pt file; --load-epoch says which checkpoint.",
            valueName: "MODEL"))
    var pretrainedModel: String
    @Option(
        help: ArgumentHelp(
            "The layer that the new head is attached to (default: flatten0, or found automatically).",
            valueName: "LAYER"))
    var layerBeforeFullc: String?
    @OptionGroup var data: DataOptions
    @OptionGroup var training: TrainingOptions

    static let script = ScriptDefaults(
        lr: 0.01, lrStepEpochs: "20", mom: 0, wd: 0, numEpochs: 30, padSize: 0, imageShape: "3,224,224")

    /// Images have the shape that the pre-trained model's record says.
    func defaults() throws -> ScriptDefaults {
        var script = Self.script
        if let shape = try trainedImageShape() { script.imageShape = shape.map(String.init).joined(separator: ",") }
        return script
    }

    /// What is read in this scope is freed before the run begins.
    func trainingRun(continuing prefix: String?) throws -> TrainingRun {
        let imageShape = try parseImageShape(training.imageShape ?? defaults().imageShape)
        guard !training.run.resetOptimizer else {
            throw UsageError(
                "--reset-optimizer", "has no effect: a fine-tuned model starts with a new optimizer",
                suggestion: "leave it out")
        }
        let saved = try savedModel(), place = saved.parametersPath
        let content = try saved.content(imageShape: imageShape)
        let trained = content.checkpoint, preprocessing = content.preprocessing
        let recorded = try prefix.flatMap { try Preprocessing.load(prefix: $0) }
        let images = try data.training(earlier: recorded?.classNames)
        guard let classes = try training.classes(named: images.classNames) else {
            throw UsageError("--num-classes", "is missing", suggestion: "give the number of classes in the new data")
        }
        let layer = try layerBeforeFullc ?? standardLayer(trained.symbol)
        let symbol = try flagErrors { try trained.symbol.withNewHead(numClasses: classes, layerBeforeFullc: layer) }
        let taken = try FineTune.parametersTakenOver(
            Array(trained.arguments.keys) + Array(trained.auxiliary.keys), by: symbol)
        var start: [String: Tensor] = [:]
        for name in taken { start[name] = trained.arguments[name] ?? trained.auxiliary[name] }
        let network = try ClassifierNetwork(symbol, parameters: Set(start.keys))
        let missing = Set(try network.parameterNames())
            .subtracting(start.keys).subtracting(FineTune.headParameters(of: symbol)).sorted()
        guard missing.isEmpty else {
            throw AnnealError(
                place, "has no values for \(missing.prefix(3).joined(separator: ", "))",
                suggestion: "it does not belong to \(saved.symbolPath)")
        }
        if let name = start.filter({ !$0.value.isFinite }).keys.min() {
            throw AnnealError(
                place, "\(name) holds a NaN or an infinity", suggestion: "take a checkpoint from before it diverged")
        }
        try checkShapes(network, start, imageShape, place, preprocessing)
        return TrainingRun(
            command: "fine-tune", network: FilePath(saved.prefix).name.description, symbol: symbol,
            initializer: try flagErrors { try Initializers.fit(training.initializer, network: nil) }, start: start,
            pretrained: saved, remarks: remarks(content, saved), trained: preprocessing, recorded: recorded,
            images: images, classes: classes,
            imageShape: imageShape, script: Self.script)
    }

    /// The shape according to the pre-trained model's files; nil if they do not say, or a flag does.
    private func trainedImageShape() throws -> [Int]? {
        guard SavedModel.isForeign(pretrainedModel) else {
            return try Preprocessing.load(prefix: SavedModel.prefix(pretrainedModel))?.imageShape
        }
        return training.imageShape == nil ? try SavedModel.network(pretrainedModel).imageShape : nil
    }

    private func savedModel() throws -> SavedModel {
        do {
            return try SavedModel(pretrainedModel, training.run.loadEpoch)
        } catch var error as AnnealError {
            // Nothing of the model is there.
            if !Files.exists(Checkpoint.symbolPath(pretrainedModel)),
                let hint = PretrainedNetworks.hint(pretrainedModel)
            {
                error.suggestion = hint
            }
            throw error
        }
    }

    /// Notes for the user about a model from another framework.
    private func remarks(_ content: SavedModel.Content, _ saved: SavedModel) -> [FitEvent] {
        var remarks = content.notes.map(FitEvent.note)
        if saved.foreignFile != nil, content.preprocessing == nil, data.images.rgbMean == nil {
            remarks.append(
                .warning(
                    "the file does not say how its images were preprocessed: give --rgb-mean and --rgb-std as in its training"
                ))
        }
        // An imported model is checkpoint 0; a network without norms that was trained here is known to be trainable.
        let folded = content.checkpoint.symbol.foldedConvolutions
        if folded > 0, saved.number == 0 {
            remarks.append(
                .warning(
                    "the network has no batch norm, as exporters fold it into convolutions (\(folded) here): such a network diverges at usual rates (give --lr 0.001 or --clip-norm 1, or import it with --restore-batch-norm DATA)"
                ))
        }
        return remarks
    }

    /// Layers that depend on the image's shape cannot take values that were trained for another one.
    private func checkShapes(
        _ network: ClassifierNetwork, _ start: [String: Tensor], _ imageShape: [Int], _ place: String,
        _ record: Preprocessing?
    ) throws {
        let wanted = try network.symbol.inferShapes([network.dataName: Shape([1] + imageShape)]).variables
        for layer in network.symbol.nodes where !layer.isVariable {
            for input in layer.inputs where input.node.isVariable {
                let name = input.node.name
                guard let value = start[name], let shape = wanted[name], value.shape != shape else { continue }
                let trained = record?.imageShape
                let before = layer.inputs[0].node.name
                throw AnnealError(
                    place,
                    "\(name) has the shape \(value.shape), but images of \(Shape(imageShape)) require \(shape) in layer \(layer.name)",
                    suggestion: "give --image-shape as the model was trained with"
                        + (trained.map { " (" + $0.map(String.init).joined(separator: ",") + ")" } ?? "")
                        + ", or attach the new head before this layer: --layer-before-fullc \(before)")
            }
        }
    }

    private func standardLayer(_ symbol: Symbol) throws -> String {
        let standard = "flatten0", before = symbol.nodes.prefix { $0.name != standard }
        // A perceptron's comes before all of its layers: nothing would be kept.
        let keepsLayers = before.count { $0.isVariable } > 1
        return before.count < symbol.nodes.count && keepsLayers ? standard : try symbol.layerBeforeFullc()
    }
}
