import AnnealCore
import AnnealEngine
import AnnealGraph

extension Trainer {
    /// Trains over the epochs of a range, validating and saving after each.
    ///
    /// Every random choice depends on the seed, the epoch and the sample alone, so a run that goes on from a saved state
    /// (`restoreState`) does so bit for bit like one that was never interrupted, also from the middle of an epoch.
    /// - Parameter progress: what the saved state gave; nil begins at the range's first epoch.
    /// - Returns: what was reached in each epoch.
    /// - Throws: also when the loss or a gradient is not finite, with everything that was saved before as it was.
    @discardableResult
    public func fit(
        training source: any BatchSource, validation: (any BatchSource)? = nil, epochs: Range<Int>,
        options: FitOptions = FitOptions(), from progress: FitProgress? = nil
    ) throws -> [EpochReport] {
        for other in [source] + (validation.map { [$0] } ?? []) {
            guard other.batchSize == batchSize, other.dataShape == dataShape else {
                throw AnnealError(
                    "data",
                    "gives batches of \(other.batchSize) x \(other.dataShape), the network is planned for \(batchSize) x \(dataShape)"
                )
            }
        }
        let labels = try slot().labels.count / batchSize
        guard source.labelWidth == labels else {
            throw AnnealError(
                "data", "gives \(source.labelWidth) labels a row, the network is planned for \(labels)",
                suggestion: "a trainer with softLabels wants a SoftLabelSource, another the class's number")
        }
        guard options.onNonFinite == .stop || updatedEarly.isEmpty else {
            throw AnnealError(
                "trainer", "updates parameters before all gradients are known, so it cannot drop a step",
                suggestion: "make it with keepsGradients: true")
        }
        try ClassifierSymbol.check(symbol, dataShape, takes: options.views)
        let start = progress ?? FitProgress(position: FitPosition(epoch: epochs.lowerBound))
        var run = FitRun(
            trainer: self, source: source, validation: validation, endEpoch: epochs.upperBound, options: options,
            progress: start, metrics: options.metrics)
        return try run.run()
    }
}

/// One call of `fit`: the loop and what it counts.
struct FitRun {
    let trainer: Trainer
    let source: any BatchSource
    let validation: (any BatchSource)?
    let endEpoch: Int
    let options: FitOptions
    var progress: FitProgress
    /// Of the epoch that is being trained.
    var metrics: CompositeMetric
    var reports: [EpochReport] = []
    /// The place of the last saved state.
    var saved: FitPosition?
    private let clock = ContinuousClock()

    init(
        trainer: Trainer, source: any BatchSource, validation: (any BatchSource)?, endEpoch: Int, options: FitOptions,
        progress: FitProgress, metrics: CompositeMetric
    ) {
        self.trainer = trainer
        self.source = source
        self.validation = validation
        self.endEpoch = endEpoch
        self.options = options
        self.progress = progress
        self.metrics = metrics
    }

    var isOver: Bool { progress.position.epoch >= endEpoch || options.stopsEarly(progress) }

    mutating func run() throws -> [EpochReport] {
        let begin = clock.now
        guard progress.position.batch <= source.batchesPerEpoch else {
            throw AnnealError(
                "data",
                "has \(source.batchesPerEpoch) batches an epoch, the saved run stands at batch \(progress.position.batch)",
                suggestion: "resume with the data that the run was started with")
        }
        try progress.restore(&metrics)
        let left = endEpoch - progress.position.epoch
        trainer.lastUpdate =
            trainer.updates + left * trainer.updates(batches: source.batchesPerEpoch)
            - progress.position.batch / trainer.accumulation
        removeSuperseded()
        try options.tell(
            .started(
                RunStart(
                    position: progress.position, endEpoch: endEpoch, batchSize: trainer.batchSize,
                    trainingCount: source.count, validationCount: validation?.count,
                    stepsPerEpoch: source.batchesPerEpoch, samples: progress.samples,
                    metrics: progress.position.batch > 0 ? metrics.results : [])))
        var interrupted = false
        while !isOver, !interrupted {
            guard try trainEpoch() else {
                interrupted = true
                break
            }
            try finishEpoch()
            interrupted = options.shouldStop() && !isOver
            if interrupted, saved != progress.position { try saveState() }
        }
        if options.stopsEarly(progress), let best = progress.best {
            try options.tell(.note("Stopped early: no better validation in the epochs after \(best.epoch)"))
        }
        if !interrupted {
            if let best = progress.best {
                let stays = options.keep == .best || options.keep == .all && options.savePeriod == 1
                let number = stays ? ", checkpoint number \(best.epoch + 1)" : ""
                try options.tell(.note("Best: epoch \(best.epoch), \(best.metric) \(best.value)\(number)"))
            }
            try judgeViews()
        }
        try options.tell(
            .finished(RunEnd(epochs: reports.count, seconds: (clock.now - begin).seconds, interrupted: interrupted)))
        return reports
    }

    /// Trains the rest of the epoch.
    /// - Returns: false if it was interrupted; the state is saved then.
    private mutating func trainEpoch() throws -> Bool {
        let begin = clock.now, secondsBefore = progress.seconds
        let slot = try trainer.slot(), batches = source.batchesPerEpoch
        try source.start(epoch: progress.position.epoch, atBatch: progress.position.batch)
        var last = begin
        while case let rows = try trainer.timed(.data, { try source.next(into: slot) }), rows > 0 {
            try step(rows)
            let now = clock.now
            progress.samples += rows
            progress.seconds = secondsBefore + (now - begin).seconds
            try options.tell(
                .batch(
                    BatchReport(
                        epoch: progress.position.epoch, batch: progress.position.batch, batches: batches,
                        samples: rows, seconds: (now - last).seconds, learningRate: trainer.optimizer.learningRate,
                        metrics: metrics.results)))
            last = now
            progress.position.batch += 1
            // An epoch whose last batch is done is finished first.
            guard progress.position.batch < batches else { continue }
            let stops = options.shouldStop()
            if stops || stepIsDue { try saveState() }
            if stops { return false }
        }
        return true
    }

    private mutating func step(_ rows: Int) throws {
        guard let problem = try trainer.checkedStep(undoable: options.onNonFinite == .skip) else {
            return try trainer.trainingBatch(rows: rows) { try metrics.update($0) }
        }
        let place = "epoch \(progress.position.epoch), batch \(progress.position.batch), update \(trainer.updates + 1)"
        guard options.onNonFinite == .skip else {
            throw AnnealError(
                place, problem.description,
                suggestion: "what was saved is as it was; lower --lr, or drop such steps with --on-nan skip")
        }
        progress.skipped += 1
        if progress.skipped == 1 { try options.tell(.warning("\(place): step dropped: \(problem.description)")) }
    }

    /// Validates, tells and saves.
    private mutating func finishEpoch() throws {
        let epoch = progress.position.epoch
        if progress.skipped > 0 {
            guard progress.skipped < progress.position.batch else {
                throw AnnealError("epoch \(epoch)", "every step was dropped: none was finite", suggestion: "lower --lr")
            }
            try options.tell(
                .warning("Epoch[\(epoch)] \(progress.skipped) of \(progress.position.batch) steps were dropped"))
        }
        try trainer.updateRest()
        if epoch + 1 == endEpoch { trainer.endRun() }
        let begin = clock.now
        var validated: [MetricValue] = []
        if let validation { validated = try score(validation, epoch: epoch) }
        if let first = validated.first { trainer.optimizer.observe(first.value) }
        let report = EpochReport(
            epoch: epoch, training: metrics.results, validation: validated,
            learningRate: trainer.optimizer.learningRate, seconds: progress.seconds,
            validationSeconds: (clock.now - begin).seconds,
            samplesPerSecond: Double(progress.samples) / max(progress.seconds, 1e-9))
        reports.append(report)
        let isBest = progress.judge(epoch: epoch, validated)
        progress.endEpoch()
        metrics.reset()
        // Told before it is saved: killed in between, the run does the epoch again, and what was told of it is replaced.
        try options.tell(.epoch(report))
        try saveEpoch(isBest: isBest)
    }

    private func score(
        _ validation: any BatchSource, epoch: Int, views: TestTimeViews = .none
    ) throws -> [MetricValue] {
        try trainer.score(validation, metrics: options.metrics, views: views) {
            try options.tell(.validating(epoch: epoch, batch: $0, batches: validation.batchesPerEpoch))
        }
    }

    /// Validates the weights that the run ends with by several views of each image.
    private func judgeViews() throws {
        guard let validation, options.views != .none, let last = reports.last?.epoch else { return }
        let values = try score(validation, epoch: last, views: options.views)
        let list = values.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
        try options.tell(
            .note(
                "Epoch \(last) by \(options.views.views.count) views of each image (\(options.views.rawValue)): \(list)"
            ))
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
