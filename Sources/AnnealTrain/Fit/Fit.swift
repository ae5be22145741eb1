import AnnealCore
import AnnealEngine
import AnnealGraph

/// What a training run does beside its steps.
public struct FitOptions {
    public var metrics: CompositeMetric
    /// Where checkpoints go, as MXNet's `--model-prefix`; nil saves none.
    public var modelPrefix: String?
    /// Epochs between checkpoints; the last epoch is always saved.
    public var savePeriod: Int
    /// Deletes a checkpoint of this run when the next one is saved.
    public var keepsLatestOnly: Bool
    public var observers: [any FitObserver]
    /// Asked after every step: true ends the run as if a signal had come.
    public var shouldStop: @Sendable () -> Bool

    public init(
        metrics: CompositeMetric = CompositeMetric([Accuracy(), CrossEntropy()]), modelPrefix: String? = nil,
        savePeriod: Int = 1, keepsLatestOnly: Bool = false, observers: [any FitObserver] = [],
        shouldStop: @escaping @Sendable () -> Bool = { false }
    ) {
        self.metrics = metrics
        self.modelPrefix = modelPrefix
        self.savePeriod = savePeriod
        self.keepsLatestOnly = keepsLatestOnly
        self.observers = observers
        self.shouldStop = shouldStop
    }
}

extension Trainer {
    /// Trains over the epochs of a range, validating and saving after each.
    ///
    /// Every random choice depends on the seed, the epoch and the sample alone, so a run that starts at epoch k with the
    /// checkpoint of epoch k goes on bit for bit like one that was never interrupted.
    /// - Returns: what was reached in each epoch.
    @discardableResult
    public func fit(
        training source: any BatchSource, validation: (any BatchSource)? = nil, epochs: Range<Int>,
        options: FitOptions = FitOptions()
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
                mend: "a trainer with softLabels wants a SoftLabelSource, another the class's number")
        }
        func tell(_ event: FitEvent) throws { for observer in options.observers { try observer.receive(event) } }

        let clock = ContinuousClock(), begin = clock.now
        let slot = try slot(), batches = source.batchesPerEpoch
        var metrics = options.metrics
        var reports: [EpochReport] = []
        var interrupted = false
        var superseded: Int?
        try tell(
            .started(
                RunStart(
                    firstEpoch: epochs.lowerBound, endEpoch: epochs.upperBound, batchSize: batchSize,
                    trainingCount: source.count, validationCount: validation?.count, stepsPerEpoch: batches)))

        run: for epoch in epochs {
            let epochBegin = clock.now
            metrics.reset()
            try source.start(epoch: epoch, atBatch: 0)
            var batch = 0, samples = 0, last = clock.now
            while case let rows = try timed(.data, { try source.next(into: slot) }), rows > 0 {
                try forward()
                try backward()
                try trainingBatch(rows: rows) { try metrics.update($0) }
                update()

                let now = clock.now
                samples += rows
                try tell(
                    .batch(
                        BatchReport(
                            epoch: epoch, batch: batch, batches: batches, samples: rows, seconds: (now - last).seconds,
                            learningRate: optimizer.learningRate, metrics: metrics.results)))
                last = now
                batch += 1
                // An epoch whose last batch is done is finished and saved first.
                if batch < batches, options.shouldStop() {
                    interrupted = true
                    break run
                }
            }
            let seconds = (clock.now - epochBegin).seconds
            let validationBegin = clock.now
            var validated: [MetricValue] = []
            if let validation {
                validated = try score(validation, metrics: options.metrics) {
                    try tell(.validating(epoch: epoch, batch: $0, batches: validation.batchesPerEpoch))
                }
            }
            if let accuracy = validated.first?.value { optimizer.observe(accuracy) }
            let report = EpochReport(
                epoch: epoch, training: metrics.results, validation: validated, learningRate: optimizer.learningRate,
                seconds: seconds, validationSeconds: (clock.now - validationBegin).seconds,
                samplesPerSecond: Double(samples) / max(seconds, 1e-9))
            reports.append(report)
            // The checkpoint comes first: what observers then tell of the epoch can be gone back to.
            let saves = (epoch + 1) % max(options.savePeriod, 1) == 0 || epoch + 1 == epochs.upperBound
            if let prefix = options.modelPrefix, saves {
                let path = try save(prefix: prefix, epoch: epoch + 1)
                if options.keepsLatestOnly, let superseded { Checkpoint.remove(prefix: prefix, epoch: superseded) }
                superseded = epoch + 1
                try tell(.epoch(report))
                try tell(.saved(epoch: epoch + 1, path: path))
            } else {
                try tell(.epoch(report))
            }
            if options.shouldStop() {
                interrupted = epoch + 1 < epochs.upperBound
                if interrupted { break run }
            }
        }
        try tell(
            .finished(RunEnd(epochs: reports.count, seconds: (clock.now - begin).seconds, interrupted: interrupted)))
        return reports
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
