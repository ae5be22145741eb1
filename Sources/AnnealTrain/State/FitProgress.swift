import AnnealCore

/// A place in a run: the batch that comes next.
public struct FitPosition: Codable, Sendable, Equatable, Comparable {
    /// From 0.
    public var epoch: Int
    /// Batches of the epoch that are done.
    public var batch: Int

    public init(epoch: Int, batch: Int = 0) {
        self.epoch = epoch
        self.batch = batch
    }

    public static func < (a: FitPosition, b: FitPosition) -> Bool { (a.epoch, a.batch) < (b.epoch, b.batch) }
}

/// How far a run has come, beside what its trainer holds: what `Trainer.fit` goes on from.
public struct FitProgress: Codable, Sendable, Equatable {
    /// The epoch whose validation was best.
    public struct Best: Codable, Sendable, Equatable {
        /// As the log counts, from 0; its checkpoint has the next number.
        public var epoch: Int
        public var metric: String
        public var value: Double
    }

    public var position: FitPosition
    /// Valid samples of the epoch's batches that are done, and what they took.
    public var samples = 0
    public var seconds = 0.0
    /// Steps of the epoch that were dropped because something in them was not finite.
    public var skipped = 0
    public var best: Best?
    /// The run's checkpoints that may be there and do not stay, the newest last: the next one supersedes them all.
    var superseded: [Int] = []
    /// The sums of the epoch's metrics by name, as bit patterns, which JSON keeps exactly.
    private var sums: [String: [UInt64]] = [:]

    public init(position: FitPosition) { self.position = position }

    mutating func keep(_ metrics: CompositeMetric) {
        sums = Dictionary(metrics.metrics.map { ($0.name, $0.sums.map(\.bitPattern)) }) { first, _ in first }
    }

    /// Gives metrics the sums that they had.
    func restore(_ metrics: inout CompositeMetric) throws {
        metrics.reset()
        guard position.batch > 0 else { return }
        for index in metrics.metrics.indices {
            guard let sums = sums[metrics.metrics[index].name], sums.count == metrics.metrics[index].sums.count else {
                throw AnnealError(
                    "metric \(metrics.metrics[index].name)", "was not counted in the first part of the epoch",
                    suggestion: "resume with the same --top-k and --loss")
            }
            metrics.metrics[index].sums = sums.map(Double.init(bitPattern:))
        }
    }

    /// Takes over an epoch's validation; true if it is the best so far.
    mutating func judge(epoch: Int, _ validation: [MetricValue]) -> Bool {
        guard let metric = validation.first, metric.value.isFinite else { return false }
        if let best, !MetricSense.isBetter(metric.value, than: best.value, name: metric.name) { return false }
        best = Best(epoch: epoch, metric: metric.name, value: metric.value)
        return true
    }

    /// The beginning of the next epoch.
    mutating func endEpoch() {
        position = FitPosition(epoch: position.epoch + 1)
        (samples, seconds, skipped, sums) = (0, 0, 0, [:])
    }
}
