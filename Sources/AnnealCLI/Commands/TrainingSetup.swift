import Anneal

/// Everything opened, planned and restored, ready for the first step.
struct TrainingSetup {
    var trainer: Trainer
    /// The training data: the loader, or a source that mixes its batches.
    var training: any BatchSource
    var loader: BatchLoader
    var validation: BatchLoader?
    var metrics: CompositeMetric
    var preprocessing: Preprocessing
    var progress: FitProgress
    var seed: UInt64
    /// For the beginning of the log.
    var notes: [FitEvent]
    /// Is told of the accelerators' compilations.
    var compilations: CompilationProgress
}

extension TrainingRun {
    /// Releases the run's initial values, which are large.
    mutating func setUp(_ options: TrainingOptions, _ data: DataOptions, from origin: RunOrigin) throws -> TrainingSetup
    {
        let saved = try origin.saved()
        let seed = options.seed ?? saved?.seed ?? 0
        for (flag, count) in [("--batch-size", options.batchSize), ("--accumulate", options.updates.accumulate)]
        where count > 1 << 24 {
            throw UsageError(
                "\(flag) \(count)", "is more than any memory holds", suggestion: "it must be at most \(1 << 24)")
        }
        let validationPath = try data.validationPath(images)
        let preprocessing = try data.preprocessing(
            of: images, imageShape: imageShape, recorded: recorded, over: trained)
        let heldOut = try data.holdOut(from: &images, seed: seed)
        let validationImages =
            try heldOut
            ?? validationPath.map {
                try data.validation.data($0, preprocessing, classes: classes, data.images)
            }
        let rows = try group.map {
            try options.machine.device(group: $0, share: options.share).engine.rows(of: options.batchSize)
        }
        let synthetic = try synthetic(options, data, isShared: rows != nil, seed: seed)
        if let synthetic { images.source = try NoSamples(count: synthetic.count) }
        let mixes = data.labels.mixup > 0 || data.labels.cutmix > 0
        let training = try data.trainingLoader(
            images, preprocessing, batchSize: options.batchSize, classes: classes, seed: seed,
            rows: rows.map { mixes ? SoftLabelSource.sourceRows($0, of: options.batchSize) : Array($0) },
            partRows: try options.job.fixedParts == 1 ? group?.sizes(of: rows) ?? [] : [], group: group)
        let source = try data.labels.source(
            synthetic ?? training, of: images.source, classes: classes, seed: seed, rows: rows)
        let validation = try validationImages.map {
            var loading = try data.validation.loaderOptions(
                preprocessing, batchSize: options.batchSize, classes: classes, data.images)
            loading.rows = rows.map(Array.init)
            try group?.agreeOnBadRecords(of: $0.source, &loading)
            return try BatchLoader($0.source, options: loading)
        }
        try options.run.check(hasValidation: validation != nil)
        try options.schedule.check(hasValidation: validation != nil)
        let classifier = try ClassifierNetwork(symbol).withLoss()
        try classifier.checkTrainsOnClasses(Shape(imageShape))
        symbol = classifier.symbol
        let metrics = try options.metrics(classes: classes, scores: classifier.scores)

        // With the optimizer's state the count of updates continues; without it, passed steps are applied beforehand.
        let counted = origin.resetsOptimizer ? nil : saved
        let passedEpochs = counted.map { $0.progress.passedEpochs ?? 0 } ?? origin.epoch
        let schedule = try flagErrors {
            try options.schedule.schedule(
                script, numExamples: try data.checkedExamples(training.count),
                batchSize: options.batchSize * options.updates.accumulate, loadEpoch: passedEpochs,
                numEpochs: endEpoch(options))
        }
        let names = Set(try classifier.parameterNames())
        let optimizer = try makeOptimizer(options, schedule, passedEpochs: passedEpochs, names: names, seed: seed)
        let frozen = try flagErrors {
            try options.parameters.frozen(symbol, among: start.isEmpty ? names : Set(start.keys))
        }
        let firstLayer = options.whiten.flatMap { $0.isEmpty ? nil : $0 }, whitened = firstLayer.map { $0 + "_weight" }
        if let firstLayer, let whitened, !names.contains(whitened) {
            throw UsageError(
                "--whiten \(firstLayer)", "is no layer with a weight",
                suggestion: "name the network's first convolution, or, where a recipe gives it, --whiten ''")
        }
        let compilations = CompilationProgress(isLogged: true)
        let trainer = try Trainer(
            symbol, dataShape: Shape(imageShape), batchSize: options.batchSize, optimizer: optimizer,
            frozen: frozen.union(whitened.map { [$0] } ?? []), seed: seed,
            softLabels: source is SoftLabelSource,
            recomputation: options.recompute ? .full : .cheap, averaging: options.updates.averaging,
            accumulation: options.updates.accumulate, keepsGradients: options.run.histograms || options.run.monitor > 0,
            canDropSteps: options.run.onNan == .skip,
            precision: options.precision, lossScaling: options.lossScale,
            device: options.machine.device(
                compilations, group: group, share: options.share, bucketBytes: options.job.bucketBytes,
                compression: options.job.compression))
        if validation != nil { try trainer.planScoring() }
        var need = trainer.memoryNeed(views: validation == nil ? .none : data.validation.tta)
        need.add(training.memoryNeed(imagePixels: images.survey.mostPixels))
        if let validation, let survey = validationImages?.survey {
            need.add(validation.memoryNeed(imagePixels: survey.mostPixels))
        }
        try need.check()
        try trainer.prepare(training: source, validation: validation)
        try giveFirstValues(to: trainer)
        if let layer = firstLayer, case .beginning = origin {
            // The original images, without augmentation.
            let settings = try data.validation.loaderOptions(
                preprocessing, batchSize: options.batchSize, classes: classes, data.images)
            try trainer.whiten(layer, from: try BatchLoader(images.source, options: settings))
        }
        let (progress, restored) = try origin.restore(trainer)
        var notes = restored.map { [$0] } ?? []
        if let added = classifier.addedLoss { notes.append(.note("\(added)")) }
        if classifier.scores != .probabilities {
            notes.append(.note("No cross-entropy: the network's scores are no probabilities (\(classifier.ending))"))
        }
        if !frozen.isEmpty { notes.append(.note(trainer.frozenDescription)) }
        if let weights = (source as? SoftLabelSource)?.labels.classWeights {
            notes.append(.note("Class weights: \(weights.map { Double($0).brief }.joined(separator: ", "))"))
        }
        if let note = options.machine.note { notes.append(.note(note)) }
        notes += compilations.takeLines().map { .note($0) }
        if let note = machineNote(counted, trainer) { notes.append(note) }
        let kilobytes = trainer.plannedBytes >> 10,
            planned = kilobytes < 1024 ? "\(kilobytes) KB" : "\(kilobytes >> 10) MB"
        notes.append(
            .note(
                "\(network): \(trainer.parameters.parameterCount) parameters, \(planned) planned, batch \(options.batchSize), \(Parallel.threads.counted("thread")), seed \(seed)"
            ))
        if let note = options.updates.note { notes.append(.note(note)) }
        for (what, loader) in [("training", training), ("validation", validation)] {
            guard let loader, !loader.options.leftOut.isEmpty else { continue }
            notes.append(
                .note(
                    "\(loader.options.leftOut.count) of \(loader.count.counted("\(what) image")) cannot be used and are left out"
                ))
        }
        notes += imageNotes(preprocessing, validationImages, isHeldOut: heldOut != nil, data)
        notes += options.idleFlags(hasValidation: validation != nil, data.validation.tta)
        notes.append(
            batchNote(
                training, accumulation: trainer.accumulation, scheduled: schedule.epochSize,
                shards: options.machine.shards ?? 1))
        if let note = LargeBatchOptions.note(
            optimizer.rule, updateSize: options.batchSize * options.updates.accumulate)
        {
            notes.append(note)
        }
        notes.append(
            rateNote(
                options, schedule, trainer.optimizer, passedEpochs: passedEpochs,
                updatesPerEpoch: updatesPerEpoch(training, accumulation: trainer.accumulation)))
        return TrainingSetup(
            trainer: trainer, training: source, loader: training, validation: validation, metrics: metrics,
            preprocessing: preprocessing, progress: progress, seed: seed, notes: notes, compilations: compilations)
    }

    /// Random numbers in place of images, with --benchmark 1.
    private func synthetic(
        _ options: TrainingOptions, _ data: DataOptions, isShared: Bool, seed: UInt64
    ) throws -> SyntheticSource? {
        guard try data.isBenchmark() else { return nil }
        guard !isShared else {
            throw UsageError("--benchmark 1", "is for one process", suggestion: "leave it out, or run without launch")
        }
        return SyntheticSource(
            dataShape: Shape(imageShape), batchSize: options.batchSize, classes: classes, seed: seed)
    }

    private mutating func giveFirstValues(to trainer: Trainer) throws {
        try trainer.initialize(initializer, except: Set(start.keys))
        for (name, value) in start {
            do {
                try trainer.parameters.set(name, value)
            } catch let error as AnnealError {
                throw error.within(pretrained?.parametersPath ?? "")
            }
        }
        start = [:]
    }

    private func makeOptimizer(
        _ options: TrainingOptions, _ schedule: FitSchedule, passedEpochs: Int, names: Set<String>, seed: UInt64
    ) throws -> Optimizer {
        let withMomentum = ["sgd", "nag", "signum", "dcasgd", "lbsgd"]
        var values: [String: OptionValue] = [
            "learning_rate": .number(schedule.learningRate), "wd": .number(options.wd ?? script.wd),
        ]
        if withMomentum.contains(options.optimizer.lowercased()) {
            values["momentum"] = .number(options.mom ?? script.mom)
        }
        if options.updates.nesterov, options.mom ?? script.mom == 0 {
            throw UsageError("--nesterov", "requires a momentum", suggestion: "give --mom 0.9")
        }
        values.merge(options.updates.optimizerOptions) { $1 }
        if options.isLBSGD {
            let largeBatch = try options.largeBatch.optimizerOptions(
                options.schedule, schedule, updateSize: options.batchSize * options.updates.accumulate,
                passedEpochs: passedEpochs, endEpoch: endEpoch(options))
            values.merge(largeBatch) { $1 }
        }
        return try flagErrors {
            try Optimizers.make(
                options.optimizer, NamedOptions(values), schedule: schedule.schedule,
                multipliers: options.parameters.multipliers(symbol, among: names), seed: seed)
        }
    }
}
