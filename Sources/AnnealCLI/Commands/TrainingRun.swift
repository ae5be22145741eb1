import Anneal
import ArgumentParser
import Foundation

/// What `train` and `fine-tune` share: from flags to a finished run.
struct TrainingRun {
    var command: String
    /// For the title of the curves, e.g. `resnet-20`.
    var network: String
    var symbol: Symbol
    var initializer: any Initializer
    /// Values that replace the initial ones, by name.
    var start: [String: Tensor] = [:]
    /// Where `start` comes from, for messages.
    var startPlace = ""
    /// Go on from this checkpoint of the model prefix.
    var resumeEpoch: Int?
    /// What --data-train names.
    var images: ImageData
    var classes: Int
    var imageShape: [Int]
    var learningRate: Double
    var stepEpochs: String
    var momentum: Double
    var weightDecay: Double
    var endEpoch: Int
    var defaults: DataOptions.Defaults

    /// Consumes the run: the values that it starts with are large, and are let go once the trainer has them.
    consuming func run(_ options: TrainingOptions, _ data: DataOptions) throws {
        let firstEpoch = resumeEpoch ?? 0
        guard endEpoch > firstEpoch else {
            throw UsageError(
                "--num-epochs \(endEpoch)", "is not above the first epoch, \(firstEpoch)",
                mend: "it is one past the last epoch")
        }
        let savedSeed = try resumePrefix(options).flatMap { try Trainer.savedSeed(prefix: $0, epoch: firstEpoch) }
        let seed = options.seed ?? savedSeed ?? 0

        try options.profile.map(prepareOutput)
        // Everything is opened and planned before the run folder is made: a wrong flag leaves nothing behind.
        let preprocessing = try data.preprocessing(
            imageShape: imageShape, classNames: images.classNames, defaults)
        let training = try data.trainingLoader(
            images, preprocessing, batchSize: options.batchSize, classes: classes, seed: seed, defaults)
        let source = try data.labels.source(training, of: images.source, classes: classes, seed: seed)
        let validation = try data.validation.path.map {
            try data.validation.loader(
                $0, preprocessing, batchSize: options.batchSize, classes: classes, data.images)
        }
        let metrics = try options.metrics(classes: classes)

        let hasState = savedSeed != nil
        let schedule = try flagErrors {
            try options.schedule.schedule(
                lr: learningRate, stepEpochs: stepEpochs, numExamples: data.numExamples ?? training.count,
                batchSize: options.batchSize,
                // With the optimizer's state the count of updates goes on; without, passed steps are applied beforehand.
                loadEpoch: hasState ? 0 : firstEpoch, numEpochs: endEpoch)
        }
        let names = Set(try symbol.argumentNames() + symbol.auxiliaryNames())
            .filter { $0 != "data" && !$0.hasSuffix("label") }
        let optimizer = try makeOptimizer(options, schedule, names: names, seed: seed)
        let frozen = try flagErrors {
            try options.parameters.frozen(symbol, among: start.isEmpty ? names : Set(start.keys))
        }
        let whitened = options.whiten.map { $0 + "_weight" }
        if let whitened, !names.contains(whitened) {
            throw UsageError(
                "--whiten \(options.whiten ?? "")", "is no layer with a weight",
                mend: "name the network's first convolution")
        }
        let trainer = try Trainer(
            symbol, dataShape: Shape(imageShape), batchSize: options.batchSize, optimizer: optimizer,
            frozen: frozen.union(whitened.map { [$0] } ?? []),
            seed: seed, softLabels: source is SoftLabelSource, recomputation: options.recompute ? .full : .cheap)
        try trainer.initialize(initializer, except: Set(start.keys))
        for (name, value) in start {
            do {
                try trainer.parameters.set(name, value)
            } catch let error as AnnealError {
                throw error.within(startPlace)
            }
        }
        start = [:]
        if let layer = options.whiten, resumeEpoch == nil {
            // The images as they are, without augmentation.
            let settings = try data.validation.loaderOptions(
                preprocessing, batchSize: options.batchSize, classes: classes, data.images)
            try trainer.whiten(layer, from: try BatchLoader(images.source, options: settings))
        }
        var notes: [FitEvent] = []
        if let prefix = resumePrefix(options) {
            let restored = try trainer.restore(prefix: prefix, epoch: firstEpoch)
            notes.append(
                restored
                    ? .note("Resumed from \(Checkpoint.parametersPath(prefix, firstEpoch)) with the optimizer's state")
                    : .warning(
                        "\(Checkpoint.resumePath(prefix, firstEpoch)) is not there: the optimizer starts anew, as in MXNet's scripts"
                    ))
        }
        if options.optimizer.lowercased() == "adadelta" {
            notes.append(
                .note(
                    "AdaDelta takes its own step sizes: --lr, --lr-factor, --lr-step-epochs and --lr-mult have no effect, as in MXNet"
                ))
        }
        if !frozen.isEmpty { notes.append(.note(trainer.frozenDescription)) }
        if let weights = (source as? SoftLabelSource)?.labels.classWeights {
            notes.append(.note("Class weights: \(weights.map { "\($0)" }.joined(separator: ", "))"))
        }
        if training.count < options.batchSize {
            notes.append(.warning("\(training.count) training images do not fill one batch of \(options.batchSize)"))
        }

        let folder = try RunFolder.open(
            options.runFolder ?? RunFolder.defaultPath(command: command),
            occupied: options.runFolder == nil ? .number : resumeEpoch == nil ? .refuse : .resume)
        let prefix = options.modelPrefix ?? folder.file("model")
        try folder.write(record(options, data, seed: seed))
        try preprocessing.save(prefix: prefix)
        var observers = try RunObservers.standard(
            folder: folder, title: "\(network) on \((data.trainingPath ?? "") .split(separator: "/").last ?? "")",
            subtitle: "anneal \(CommandLine.arguments.dropFirst().joined(separator: " "))",
            displayBatches: options.dispBatches)
        notes.append(
            .note(
                "\(network): \(trainer.parameters.parameterCount) parameters, \(trainer.plannedBytes >> 20) MB planned, batch \(options.batchSize), \(Parallel.threads) threads, seed \(seed)"
            ))
        for note in notes { for observer in observers { try observer.receive(note) } }

        if let path = options.profile {
            let first = min(10, max(0, training.batchesPerEpoch - 5))
            let timeline = Timeline(steps: first..<first + 5)
            trainer.timeline = timeline
            observers.append(TraceWriter(timeline, path: path))
        }

        let interrupt = Interrupt()
        try trainer.fit(
            training: source, validation: validation, epochs: firstEpoch..<endEpoch,
            options: FitOptions(
                metrics: metrics, modelPrefix: prefix, savePeriod: options.savePeriod,
                keepsLatestOnly: options.modelPrefix == nil, observers: observers,
                shouldStop: interrupt.check))
        for bad in training.badRecords + (validation?.badRecords ?? []) {
            for observer in observers { try observer.receive(.warning("skipped \(bad.reason)")) }
        }
        if interrupt.check() {
            throw Interrupted(mend: resumeLine(prefix, folder))
        }
        let trace = options.profile.map { "Trace:  \($0)\n" } ?? ""
        FileHandle.standardError.write(Data("Curves: \(folder.curvesPNG)\nModel:  \(prefix)\n\(trace)".utf8))
    }

    private func resumePrefix(_ options: TrainingOptions) -> String? {
        resumeEpoch == nil ? nil : options.ownPrefix
    }

    private func resumeLine(_ prefix: String, _ folder: RunFolder) -> String {
        let stem = Files.name(of: prefix), place = Files.folder(of: prefix)
        let epochs = ((try? FileManager.default.contentsOfDirectory(atPath: place.isEmpty ? "." : place)) ?? [])
            .compactMap {
                $0.hasPrefix(stem + "-") && $0.hasSuffix(".params")
                    ? Int($0.dropFirst(stem.count + 1).dropLast(7)) : nil
            }
        guard let last = epochs.max() else {
            return "no epoch was finished, so there is no checkpoint: run the command again"
        }
        // The --load-epoch of fine-tune is the pre-trained model's.
        if command == "fine-tune" {
            return
                "to go on, run 'anneal train --network \(Checkpoint.symbolPath(prefix)) --model-prefix \(prefix) --load-epoch \(last) --run-folder \(folder.path)' with this command's flags for data and training"
        }
        return
            "to go on, repeat the command with --model-prefix \(prefix) --load-epoch \(last) --run-folder \(folder.path)"
    }

    private func makeOptimizer(_ options: TrainingOptions, _ schedule: FitSchedule, names: Set<String>, seed: UInt64)
        throws
        -> Optimizer
    {
        let withMomentum = ["sgd", "nag", "signum", "dcasgd", "lbsgd"]
        var values: [String: OptionValue] = [
            "learning_rate": .number(schedule.learningRate), "wd": .number(weightDecay),
        ]
        if withMomentum.contains(options.optimizer.lowercased()) { values["momentum"] = .number(momentum) }
        return try flagErrors {
            try Optimizers.make(
                options.optimizer, NamedOptions(values), schedule: schedule.schedule,
                multipliers: options.parameters.multipliers(symbol, among: names), seed: seed)
        }
    }

    private func record(_ options: TrainingOptions, _ data: DataOptions, seed: UInt64) -> RunRecord {
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        func texts(_ values: [String]) -> JSONValue { .array(values.map { .string($0) }) }
        let arguments: [String: JSONValue] = [
            "network": .string(network), "num-classes": .number(Double(classes)),
            "image-shape": .string(imageShape.map(String.init).joined(separator: ",")),
            "data-train": text(data.trainingPath), "data-val": text(data.validation.path),
            "batch-size": .number(Double(options.batchSize)), "num-epochs": .number(Double(endEpoch)),
            "optimizer": .string(options.optimizer), "mom": .number(momentum), "wd": .number(weightDecay),
            "pad-size": .number(Double(data.augmentation.padSize ?? defaults.padSize)),
            "fill-value": .number(Double(data.augmentation.fillValue)),
            "random-crop": .number(Double(data.augmentation.randomCrop ?? 0)),
            "random-mirror": .number(Double(data.augmentation.randomMirror ?? 0)),
            "rgb-mean": text(data.images.rgbMean), "rgb-std": text(data.images.rgbStd),
            "resize": data.images.resize.map { .number(Double($0)) } ?? .null,
            "class-names": text(data.images.classNames), "seed": .number(Double(seed)),
            "model-prefix": text(options.modelPrefix), "load-epoch": resumeEpoch.map { .number(Double($0)) } ?? .null,
            "freeze": texts(options.parameters.freeze), "lr-mult": texts(options.parameters.lrMult),
            "wd-mult": texts(options.parameters.wdMult),
            "initializer": .string(options.initializer), "save-period": .number(Double(options.savePeriod)),
        ]
        return RunRecord(
            command: command, commandLine: CommandLine.arguments, arguments: arguments,
            version: AnnealTool.configuration.version, threads: Parallel.threads)
    }
}

/// Errors of flags' values count as bad usage.
func flagErrors<T>(_ body: () throws -> T) throws -> T {
    do {
        return try body()
    } catch let error as AnnealError {
        throw UsageError(error.place, error.problem, mend: error.mend)
    }
}
