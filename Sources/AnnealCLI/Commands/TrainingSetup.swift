import Anneal

/// What a training run begins with.
enum RunOrigin {
    case beginning
    /// An epoch's checkpoint, of Anneal or of MXNet.
    case checkpoint(prefix: String, epoch: Int)
    /// A saved state, at this path.
    case state(String)

    /// The seed that was saved; nil without a state.
    func savedSeed() throws -> UInt64? {
        switch self {
        case .beginning: return nil
        case .checkpoint(let prefix, let epoch):
            let path = Checkpoint.resumePath(prefix, epoch)
            return Files.exists(path) ? try Trainer.savedSeed(path) : nil
        case .state(let path): return try Trainer.savedSeed(path)
        }
    }

    /// The first epoch, as far as it is known without the state.
    var epoch: Int {
        if case .checkpoint(_, let epoch) = self { return epoch }
        return 0
    }

    /// Takes what is saved into a trainer.
    func restore(_ trainer: Trainer) throws -> (progress: FitProgress, note: FitEvent?) {
        switch self {
        case .beginning:
            return (FitProgress(position: FitPosition(epoch: 0)), nil)
        case .state(let path):
            return (try trainer.restoreState(path), .note("Resumed from \(path)"))
        case .checkpoint(let prefix, let epoch):
            guard var progress = try trainer.restore(prefix: prefix, epoch: epoch) else {
                return (
                    FitProgress(position: FitPosition(epoch: epoch)),
                    .warning(
                        "\(Checkpoint.resumePath(prefix, epoch)) is not there: the optimizer starts anew, as in MXNet's scripts"
                    )
                )
            }
            // The flag's number counts: a converted checkpoint may have another.
            progress.position = FitPosition(epoch: epoch)
            return (
                progress,
                .note("Resumed from \(Checkpoint.parametersPath(prefix, epoch)) with the optimizer's state")
            )
        }
    }
}

/// Everything opened, planned and restored, ready for the first step.
struct TrainingSetup {
    var trainer: Trainer
    /// What is trained on: the loader, or a source that mixes its batches.
    var training: any BatchSource
    var loader: BatchLoader
    var validation: BatchLoader?
    var metrics: CompositeMetric
    var preprocessing: Preprocessing
    var progress: FitProgress
    var seed: UInt64
    /// For the beginning of the log.
    var notes: [FitEvent]
}

extension TrainingRun {
    /// Lets go of the values that the run starts with: they are large.
    mutating func setUp(_ options: TrainingOptions, _ data: DataOptions, from origin: RunOrigin) throws -> TrainingSetup
    {
        let savedSeed = try origin.savedSeed()
        let seed = options.seed ?? savedSeed ?? 0
        let preprocessing = try data.preprocessing(imageShape: imageShape, classNames: images.classNames)
        let training = try data.trainingLoader(
            images, preprocessing, batchSize: options.batchSize, classes: classes, seed: seed)
        let source = try data.labels.source(training, of: images.source, classes: classes, seed: seed)
        let validation = try data.validation.dataVal.map {
            try data.validation.loader($0, preprocessing, batchSize: options.batchSize, classes: classes, data.images)
        }
        try options.run.check(hasValidation: validation != nil)
        let metrics = try options.metrics(classes: classes)

        // With the optimizer's state the count of updates goes on; without, passed steps are applied beforehand.
        let passedEpochs = savedSeed == nil ? origin.epoch : 0
        let schedule = try flagErrors {
            try options.schedule.schedule(
                script, numExamples: data.numExamples ?? training.count,
                batchSize: options.batchSize * options.updates.accumulate, loadEpoch: passedEpochs,
                numEpochs: endEpoch(options))
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
            frozen: frozen.union(whitened.map { [$0] } ?? []), seed: seed,
            softLabels: source is SoftLabelSource,
            recomputation: options.recompute ? .full : .cheap, averaging: options.updates.averaging,
            accumulation: options.updates.accumulate, keepsGradients: options.run.onNan == .skip)
        trainer.views = data.validation.tta
        try giveFirstValues(to: trainer)
        if let layer = options.whiten, case .beginning = origin {
            // The images as they are, without augmentation.
            let settings = try data.validation.loaderOptions(
                preprocessing, batchSize: options.batchSize, classes: classes, data.images)
            try trainer.whiten(layer, from: try BatchLoader(images.source, options: settings))
        }
        let (progress, restored) = try origin.restore(trainer)
        var notes = restored.map { [$0] } ?? []
        if !frozen.isEmpty { notes.append(.note(trainer.frozenDescription)) }
        if let weights = (source as? SoftLabelSource)?.labels.classWeights {
            notes.append(.note("Class weights: \(weights.map { "\($0)" }.joined(separator: ", "))"))
        }
        notes.append(
            .note(
                "\(network): \(trainer.parameters.parameterCount) parameters, \(trainer.plannedBytes >> 20) MB planned, batch \(options.batchSize), \(Parallel.threads) threads, seed \(seed)"
            ))
        if let note = options.updates.note { notes.append(.note(note)) }
        notes.append(batchNote(training, accumulation: trainer.accumulation))
        notes.append(rateNote(options, schedule, optimizer, passedEpochs: passedEpochs))
        return TrainingSetup(
            trainer: trainer, training: source, loader: training, validation: validation, metrics: metrics,
            preprocessing: preprocessing, progress: progress, seed: seed, notes: notes)
    }

    private mutating func giveFirstValues(to trainer: Trainer) throws {
        try trainer.initialize(initializer, except: Set(start.keys))
        for (name, value) in start {
            do {
                try trainer.parameters.set(name, value)
            } catch let error as AnnealError {
                throw error.within(startPlace)
            }
        }
        start = [:]
    }

    private func makeOptimizer(
        _ options: TrainingOptions, _ schedule: FitSchedule, names: Set<String>, seed: UInt64
    ) throws -> Optimizer {
        let withMomentum = ["sgd", "nag", "signum", "dcasgd", "lbsgd"]
        var values: [String: OptionValue] = [
            "learning_rate": .number(schedule.learningRate), "wd": .number(options.wd ?? script.wd),
        ]
        if withMomentum.contains(options.optimizer.lowercased()) {
            values["momentum"] = .number(options.mom ?? script.mom)
        }
        values.merge(options.updates.optimizerOptions) { $1 }
        return try flagErrors {
            try Optimizers.make(
                options.optimizer, NamedOptions(values), schedule: schedule.schedule,
                multipliers: options.parameters.multipliers(symbol, among: names), seed: seed)
        }
    }

    /// What a batch is, in words.
    private func batchNote(_ training: BatchLoader, accumulation: Int) -> FitEvent {
        let size = training.batchSize, rest = training.count % size
        guard training.count >= size else {
            return .warning("\(training.count) training images do not fill one batch of \(size)")
        }
        let filling = rest > 0 ? ", the last with \(rest) images, filled up with others" : ""
        let images = "\(size * accumulation) images in all" + (accumulation > 1 ? ", of \(accumulation) batches" : "")
        let updates = (training.batchesPerEpoch + accumulation - 1) / accumulation
        return .note(
            "Batch size \(size): an update averages over \(images), all of them on one device; \(training.count) images make \(updates) updates an epoch\(filling)"
        )
    }

    /// The learning rate's steps in epochs and updates, or that there is none.
    private func rateNote(
        _ options: TrainingOptions, _ schedule: FitSchedule, _ optimizer: Optimizer, passedEpochs: Int
    ) -> FitEvent {
        if let remark = optimizer.rule.remark { return .note("Learning rate: \(remark)") }
        let first = optimizer.rate(at: 1)
        if !schedule.steps.isEmpty {
            let steps = schedule.steps.map { "\($0 / schedule.epochSize + passedEpochs) (update \($0))" }
            return .note(
                "Learning rate \(first), times \(options.schedule.lrFactor) after epoch \(steps.joined(separator: ", "))"
            )
        }
        if options.schedule.lrSchedule == .plateau {
            return .note(
                "Learning rate \(first), times \(options.schedule.lrFactor) when the validation accuracy has not risen for \(options.schedule.lrPatience) epochs"
            )
        }
        guard schedule.schedule != nil else { return .note("Learning rate \(first) in every update") }
        let endEpoch = endEpoch(options), last = max(1, (endEpoch - passedEpochs) * schedule.epochSize)
        let rates = (1...last).map { optimizer.rate(at: $0) }
        let peak = rates.indices.max { rates[$0] < rates[$1] } ?? 0
        let epoch = Double(peak + 1) / Double(max(1, schedule.epochSize)) + Double(passedEpochs)
        return .note(
            "Learning rate \(first) in the first update, at most \(rates[peak]) in update \(peak + 1) (epoch \((epoch * 10).rounded() / 10)), \(rates[last - 1]) in the last, update \(last) (epoch \(endEpoch))"
        )
    }
}
