import AnnealCore

/// A position in a run: the next batch.
public struct FitPosition: Codable, Sendable, Equatable, Comparable {
    /// From 0.
    public var epoch: Int
    /// Completed batches of the epoch.
    public var batch: Int

    public init(epoch: Int, batch: Int = 0) {
        self.epoch = epoch
        self.batch = batch
    }

    public static func < (a: FitPosition, b: FitPosition) -> Bool { (a.epoch, a.batch) < (b.epoch, b.batch) }
}

/// A run's progress, apart from the state in its trainer: `Trainer.fit` continues from it.
public struct FitProgress: Codable, Sendable, Equatable {
    /// The epoch with the best validation.
    public struct Best: Codable, Sendable, Equatable {
        /// Counted from 0, as in the log; its checkpoint has the next number.
        public var epoch: Int
        public var metric: String
        public var value: Double
        /// The number of its checkpoint.
        public var checkpoint: Int { epoch + 1 }
    }

    public var position: FitPosition
    /// Valid samples of the epoch's completed batches, and the seconds they took.
    public var samples = 0
    public var seconds = 0.0
    /// Steps of the epoch that were dropped because they were not finite.
    public var skipped = 0
    /// Steps of the epoch that were dropped to lower the loss scale; nil: 0.
    public var rescaled: Int?
    public var best: Best?
    /// The run's checkpoints that may exist and may be deleted, the newest last: `FitOptions.Keep` chooses among them.
    var superseded: [Int] = []
    /// The number of the best checkpoint that was saved; nil: none, or the state was saved by version 0.1.
    var savedBest: Int?
    /// The number of the update before the first one of epoch 0, as planned at the run's start: 0, or negative if the
    /// optimizer began to count in a later epoch. Dropped steps and unusable images shift later updates, so that it
    /// cannot be derived from the counts. nil: the run has not begun, or the state was saved by version 0.1.
    var plannedStart: Int?
    /// Epochs that were over when the optimizer began to count updates, for the learning rate schedule; nil: 0.
    public var passedEpochs: Int?
    /// The sums of the epoch's metrics by name, as bit patterns, which JSON stores exactly.
    private var sums: [String: [UInt64]] = [:]

    public init(position: FitPosition) { self.position = position }

    /// The same at the beginning of an epoch with another number, for a checkpoint that was renamed.
    public func renumbered(epoch: Int) -> FitProgress {
        guard position != FitPosition(epoch: epoch) else { return self }
        var result = self
        result.position = FitPosition(epoch: epoch)
        // They belong to the earlier numbers.
        (result.best, result.superseded, result.savedBest, result.plannedStart) = (nil, [], nil, nil)
        return result
    }

    /// The same at the beginning of an epoch with an optimizer that has not counted any update. The best checkpoint was
    /// chosen by its validation: it remains the best.
    public func withNewOptimizer(epoch: Int) -> FitProgress {
        var result = renumbered(epoch: epoch)
        result.plannedStart = nil
        result.passedEpochs = epoch
        return result
    }

    /// Whether the counts are small enough to compute with.
    var isPossible: Bool {
        let counts = [position.batch, samples, skipped, rescaled ?? 0, Int(clamping: (plannedStart ?? 0).magnitude)]
        return ([position.epoch, passedEpochs ?? 0, best?.epoch ?? 0] + superseded).allSatisfy((0..<1 << 31).contains)
            && counts.allSatisfy((0..<1 << 53).contains)
    }

    mutating func keep(_ metrics: CompositeMetric) {
        sums = Dictionary(metrics.metrics.map { ($0.name, $0.sums.map(\.bitPattern)) }) { first, _ in first }
    }

    /// Restores the sums of the metrics.
    func restore(_ metrics: inout CompositeMetric) throws {
        metrics.reset()
        guard position.batch > 0 else { return }
        for index in metrics.metrics.indices {
            guard let sums = sums[metrics.metrics[index].name], sums.count == metrics.metrics[index].sums.count else {
                throw AnnealError(
                    "metric \(metrics.metrics[index].name)", "was not counted in the first part of the epoch",
                    suggestion: "resume with the same --top-k and --loss", code: .mismatch)
            }
            metrics.metrics[index].sums = sums.map(Double.init(bitPattern:))
        }
    }

    /// Records an epoch's validation; true if it is the best so far.
    mutating func judge(epoch: Int, _ validation: [MetricValue]) -> Bool {
        guard let metric = validation.first, metric.value.isFinite else { return false }
        if let best, !MetricSense.isBetter(metric.value, than: best.value, name: metric.name) { return false }
        best = Best(epoch: epoch, metric: metric.name, value: metric.value)
        return true
    }

    /// The beginning of the next epoch.
    mutating func endEpoch() {
        position = FitPosition(epoch: position.epoch + 1)
        (samples, seconds, skipped, rescaled, sums) = (0, 0, 0, nil, [:])
    }
}
