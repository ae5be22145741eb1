import AnnealCompiler
import AnnealCore
import AnnealGraph

extension Trainer {
    /// Trains over the epochs of a range, validating and saving after each.
    ///
    /// Every random choice depends on the seed, the epoch and the sample alone, so a run that continues from a saved
    /// state (`restoreState`) gives the same bits as one that was never interrupted, even from the middle of an epoch.
    /// A run with all epochs done only does what follows them: test-time augmentation, the last messages.
    /// - Parameter progress: the saved state's progress; nil begins at the range's first epoch.
    /// - Returns: the result of each epoch.
    /// - Throws: also when the parameters have no values yet, because neither `initialize` was called nor a checkpoint
    ///   loaded; and when the loss or a gradient is not finite: saved files are untouched, but the trainer's own
    ///   weights may already be changed by the step.
    @discardableResult
    public func fit(
        training source: any BatchSource, validation: (any BatchSource)? = nil, epochs: Range<Int>,
        options: FitOptions = FitOptions(), from progress: FitProgress? = nil
    ) throws -> [EpochReport] {
        try parameters.checkComplete()
        guard epochs.lowerBound >= 0 else {
            throw AnnealError("epochs", "begin with \(epochs.lowerBound)", suggestion: "the first epoch is 0")
        }
        for other in [source] + (validation.map { [$0] } ?? []) {
            guard other.batchSize == batchSize, other.dataShape == dataShape else {
                throw AnnealError(
                    "data",
                    "gives batches of \(other.batchSize) x \(other.dataShape), but the network is planned for \(batchSize) x \(dataShape)",
                    code: .mismatch
                )
            }
        }
        let labels = try slot().labels.count / parameters.engine.rows(of: batchSize).count
        guard source.labelWidth == labels else {
            throw AnnealError(
                "data", "gives \(source.labelWidth) labels per row, but the network is planned for \(labels)",
                suggestion: "a trainer with softLabels needs a SoftLabelSource, any other trainer class numbers",
                code: .mismatch)
        }
        guard options.onNonFinite == .stop || canDropSteps else {
            throw AnnealError(
                "trainer", "updates parameters before all gradients are known, so it cannot drop a step",
                suggestion: "create it with canDropSteps: true")
        }
        try network.check(dataShape, takes: options.views)
        let start = progress ?? FitProgress(position: FitPosition(epoch: epochs.lowerBound))
        var run = FitRun(
            trainer: self, source: source, validation: validation, endEpoch: epochs.upperBound, options: options,
            progress: start, metrics: options.metrics)
        run.resumes = progress != nil
        return try run.run()
    }
}

/// One call of `fit`: the loop and its counters.
struct FitRun {
    let trainer: Trainer
    let source: any BatchSource
    let validation: (any BatchSource)?
    let endEpoch: Int
    let options: FitOptions
    var progress: FitProgress
    /// Of the current epoch.
    var metrics: CompositeMetric
    var reports: [EpochReport] = []
    /// Whether `progress` comes from a saved state.
    var resumes = false
    /// The position of the last saved state.
    var saved: FitPosition?
    /// Numbers of checkpoints that could not be saved.
    var unsaved: Set<Int> = []
    /// Whether the last state could not be saved.
    var stateIsUnsaved = false
    /// Time that the epoch's steps have waited, without those before a resumed state.
    private var waits = StepWaits()
    /// The seconds of training that these waits belong to.
    private var waitedIn = 0.0
    private var hasToldPace = false
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
                "has \(source.batchesPerEpoch) batches per epoch, but the saved run is at batch \(progress.position.batch)",
                suggestion: "resume with the data that the run was started with", code: .mismatch)
        }
        try progress.restore(&metrics)
        planUpdates()
        removeSuperseded()
        try options.tell(
            .started(
                RunStart(
                    position: progress.position, endEpoch: endEpoch, batchSize: trainer.batchSize,
                    trainingCount: source.count, validationCount: validation?.count,
                    stepsPerEpoch: source.batchesPerEpoch, samples: progress.samples,
                    metrics: progress.position.batch > 0 ? metrics.results : [],
                    best: progress.best.map { MetricValue(name: $0.metric, value: $0.value) })))
        try finishSaving()
        var interrupted = false
        while !isOver, !interrupted {
            guard try trainEpoch() else {
                interrupted = true
                break
            }
            try finishEpoch()
            interrupted = try shouldStop() && !isOver
            if interrupted, saved != progress.position { try saveState() }
        }
        let missing = try saveTheRest()
        var views: [MetricValue] = []
        if !interrupted {
            try tellBest()
            views = try scoreViews()
        }
        try options.tell(
            .finished(
                RunEnd(
                    epochs: reports.count, seconds: (clock.now - begin).seconds, interrupted: interrupted,
                    lastCheckpoint: progress.position.epoch, best: progress.best, views: views, missing: missing)))
        return reports
    }

    /// The number of updates up to the run's end. A run that resumes keeps the plan that it was started with.
    private mutating func planUpdates() {
        let perEpoch = trainer.updates(batches: source.batchesPerEpoch), position = progress.position
        let start =
            progress.plannedStart
            ?? trainer.updates - position.epoch * perEpoch - position.batch / trainer.accumulation
        progress.plannedStart = start
        trainer.lastUpdate = start + endEpoch * perEpoch
    }

    /// Whether the run has been asked to stop, here or in another process.
    private func shouldStop() throws -> Bool {
        let stops = options.shouldStop()
        return try trainer.parameters.engine.group?.any(stops) ?? stops
    }

    private func tellBest() throws {
        guard let best = progress.best else { return }
        if options.stopsEarly(progress) {
            try options.tell(.note("Stopped early: no better validation after epoch \(best.checkpoint)"))
        }
        var place = "; its checkpoint was not kept"
        if let prefix = options.modelPrefix, (progress.savedBest ?? best.checkpoint) == best.checkpoint,
            !unsaved.contains(best.checkpoint)
        {
            let path = Checkpoint.parametersPath(prefix, best.checkpoint)
            if Files.exists(path) { place = ": \(path)" }
        }
        try options.tell(.note("Best: checkpoint \(best.checkpoint), \(best.metric) \(best.value.brief)\(place)"))
    }

    /// A step that was submitted; its results have not been read yet.
    private struct PendingStep {
        let step: SubmittedStep
        let rows: Int
    }

    /// Trains the rest of the epoch.
    ///
    /// On engines with delayed results, a step's results are read while the next one runs.
    /// - Returns: false if it was interrupted; the state is saved then.
    private mutating func trainEpoch() throws -> Bool {
        let batches = source.batchesPerEpoch
        var stopwatch = Stopwatch(clock, secondsBefore: progress.seconds)
        // In a job results are late because of the exchange: nothing is computed while the loop waits for data.
        waits = StepWaits(isLate: !trainer.training.isImmediate && trainer.parameters.engine.group == nil)
        try source.start(epoch: progress.position.epoch, atBatch: progress.position.batch)
        var pending: PendingStep?
        let begin = clock.now
        defer { waitedIn = (clock.now - begin).seconds }
        func finishPending() throws {
            if let step = pending { try finish(step, &stopwatch) }
            pending = nil
        }
        while true {
            trainer.parameters.engine.group?.step = trainer.updates + 1
            let slot = try trainer.slot(for: source)
            let asked = clock.now
            let rows = try trainer.timed(.data) { try source.next(into: slot) }
            waits.data += (clock.now - asked).seconds
            guard rows > 0 else { break }
            if trainer.parameters.engine.group != nil, !trainer.training.isImmediate {
                trainer.training.stepInputs.asksToStop = options.shouldStop()
            }
            let submission = clock.now
            let step = try trainer.submit(checked: true), earlier = pending?.step.results
            waits.device += (clock.now - submission).seconds
            try finishPending()
            pending = PendingStep(step: step, rows: rows)
            if trainer.training.isImmediate { try finishPending() }
            // An epoch with its last batch done is finished first.
            guard progress.position.batch + (pending == nil ? 0 : 1) < batches else { continue }
            // Where the requests of all processes travel with a step, they are known with its results.
            var stops = try step.results.carriesRequests ? earlier?.isAskedToStop() ?? false : shouldStop()
            if trainer.comparesProcesses || stepIsDue {
                try finishPending()
                // This step is over, so its own requests are known; the next one has no earlier step to ask.
                if step.results.carriesRequests { stops = try stops || step.results.isAskedToStop() }
                if trainer.comparesProcesses { try trainer.compareProcesses() }
            }
            guard stops || stepIsDue else { continue }
            try finishPending()
            try saveState()
            if stops { return false }
        }
        try finishPending()
        return true
    }

    /// Reads the results of a step, counts it and reports it.
    private mutating func finish(_ pending: PendingStep, _ stopwatch: inout Stopwatch) throws {
        let begin = clock.now
        try look(at: pending)
        waits.device += (clock.now - begin).seconds
        progress.samples += pending.rows
        let seconds = stopwatch.lap()
        progress.seconds = stopwatch.total
        try options.tell(
            .batch(
                BatchReport(
                    epoch: progress.position.epoch, batch: progress.position.batch, batches: source.batchesPerEpoch,
                    samples: pending.rows, seconds: seconds, learningRate: pending.step.learningRate,
                    metrics: metrics.results)))
        progress.position.batch += 1
    }

    private mutating func look(at pending: PendingStep) throws {
        guard let problem = try trainer.problem(of: pending.step) else {
            return try trainer.trainingBatch(pending.step.results, rows: pending.rows) { try metrics.update($0) }
        }
        if pending.step.loweredScale {
            progress.rescaled = (progress.rescaled ?? 0) + 1
            return try trainer.trainingBatch(pending.step.results, rows: pending.rows) { try metrics.update($0) }
        }
        let position = progress.position
        let place = "epoch \(position.epoch + 1), batch \(position.batch + 1), update \(pending.step.update)"
        guard options.onNonFinite == .skip else {
            throw AnnealError(
                place, problem.description,
                suggestion: "what was saved before is kept; lower --lr, or drop such steps with --on-nan skip",
                code: .notFinite)
        }
        progress.skipped += 1
        if progress.skipped == 1 { try options.tell(.warning("\(place): step dropped: \(problem.description)")) }
    }

    /// Validates, reports and saves.
    private mutating func finishEpoch() throws {
        let epoch = progress.position.epoch
        if progress.skipped > 0 {
            guard progress.skipped < progress.position.batch else {
                throw AnnealError(
                    "epoch \(epoch + 1)", "every step was dropped: none was finite", suggestion: "lower --lr",
                    code: .notFinite)
            }
            try options.tell(
                .warning("epoch \(epoch + 1): \(progress.skipped) of \(progress.position.batch) steps were dropped"))
        }
        if let rescaled = progress.rescaled, rescaled > 0 {
            try options.tell(
                .note(
                    "Epoch \(epoch + 1): loss scale \(trainer.lossScale); \(rescaled.counted("step")) dropped to find it"
                ))
        }
        if let problem = try trainer.updateRest() {
            try options.tell(.warning("epoch \(epoch + 1): the last update was dropped: \(problem)"))
        }
        if epoch + 1 == endEpoch { try trainer.endRun() }
        try trainer.compareProcesses()
        let begin = clock.now
        var validated: [MetricValue] = []
        if let validation { validated = try score(validation, epoch: epoch) }
        if let first = validated.first { trainer.optimizer.observe(first.value) }
        let report = EpochReport(
            epoch: epoch, training: metrics.results, validation: validated,
            learningRate: trainer.optimizer.learningRate, seconds: progress.seconds,
            validationSeconds: (clock.now - begin).seconds,
            samplesPerSecond: Double(progress.samples) / max(progress.seconds, 1e-9),
            waitingShare: waitedIn > 0 ? min(1, waits.data / waitedIn) : nil)
        reports.append(report)
        let isBest = progress.judge(epoch: epoch, validated)
        progress.endEpoch()
        metrics.reset()
        if let remark = waits.remark, !hasToldPace {
            hasToldPace = true
            try options.tell(.note("Epoch \(epoch + 1): \(remark)"))
        }
        // Reported before it is saved: if the run is killed in between, it repeats the epoch and replaces the report.
        try options.tell(.epoch(report))
        try saveEpoch(isBest: isBest)
    }

    private func score(
        _ validation: any BatchSource, epoch: Int, views: TestTimeViews = .none
    ) throws -> [MetricValue] {
        try trainer.score(
            validation, metrics: options.metrics, views: views,
            judged: { if views == .none { try options.judged(validation, $0) } },
            progress: { try options.tell(.validating(epoch: epoch, batch: $0, batches: validation.batchesPerEpoch)) })
    }

    /// Validates the final weights with test-time augmentation.
    private func scoreViews() throws -> [MetricValue] {
        let number = progress.position.epoch
        guard let validation, options.views != .none, number > 0 else { return [] }
        let values = try score(validation, epoch: number - 1, views: options.views)
        let list = values.map { "\($0.name) \($0.value.brief)" }.joined(separator: ", ")
        try options.tell(
            .note(
                "Checkpoint \(number) by \(options.views.views.count) views of each image (\(options.views.rawValue)): \(list)"
            ))
        return values
    }
}

/// The seconds of an epoch and of its batches.
private struct Stopwatch {
    private let clock: ContinuousClock
    private let begin: ContinuousClock.Instant
    private var last: ContinuousClock.Instant
    private let secondsBefore: Double

    init(_ clock: ContinuousClock, secondsBefore: Double) {
        self.clock = clock
        self.secondsBefore = secondsBefore
        begin = clock.now
        last = begin
    }

    /// Seconds since the last lap.
    mutating func lap() -> Double {
        let now = clock.now
        defer { last = now }
        return (now - last).seconds
    }

    /// Seconds up to the last lap, including earlier laps.
    var total: Double { secondsBefore + (last - begin).seconds }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
