import AnnealCore
import Foundation

/// A search for a learning rate (Smith 2017, arXiv:1506.01186, section 3.3): the rate rises by the same factor at every
/// update, and the loss is watched until it diverges.
public struct LearningRateSearch: Sendable {
    public struct Point: Sendable, Equatable {
        public var rate: Double
        /// Of the batches before the update.
        public var loss: Double
        /// The exponential moving average of the losses so far, corrected for its beginning.
        public var smoothed: Double
    }

    public let from: Double
    public let to: Double
    public let steps: Int
    public private(set) var points: [Point] = []
    /// The loss is not finite, or the smoothed loss is above four times its lowest value.
    public private(set) var hasDiverged = false
    private var average = 0.0

    /// What the average keeps at each update.
    private static let memory = 0.9
    private static let divergence = 4.0

    /// Throws if the rates do not rise or there are fewer than 10 steps.
    public init(from: Double = 1e-6, to: Double = 10, steps: Int = 200) throws {
        guard from > 0, to > from, to.isFinite else {
            throw AnnealError(
                "--from \(from), --to \(to)", "do not rise from above 0", suggestion: "give e.g. 1e-6 and 10")
        }
        guard (10...1_000_000).contains(steps) else {
            throw AnnealError("--steps", "is \(steps)", suggestion: "it must be at least 10, usually 200")
        }
        (self.from, self.to, self.steps) = (from, to, steps)
    }

    public var isOver: Bool { hasDiverged || points.count == steps }

    /// Adds the loss of the next update.
    public mutating func add(loss: Double) {
        average = Self.memory * average + (1 - Self.memory) * loss
        let smoothed = average / (1 - pow(Self.memory, Double(points.count + 1)))
        let lowest = lowest?.smoothed ?? .infinity
        hasDiverged = !smoothed.isFinite || smoothed > Self.divergence * lowest
        points.append(Point(rate: schedule.rate(at: points.count + 1), loss: loss, smoothed: smoothed))
    }

    /// Where the smoothed loss is lowest.
    public var lowest: Point? { points.filter(\.smoothed.isFinite).min { $0.smoothed < $1.smoothed } }

    /// Where the smoothed loss falls fastest over the logarithm of the rate, before its lowest point; nil if it does not
    /// fall. The first tenth of the steps, where the average has seen too little, does not count.
    public var steepest: Point? {
        guard let lowest, let end = points.firstIndex(of: lowest) else { return nil }
        let reach = max(1, steps / 40)
        let middle = max(steps / 10, reach)..<max(end - reach, steps / 10, reach)
        func slope(_ index: Int) -> Double { points[index + reach].smoothed - points[index - reach].smoothed }
        guard let best = middle.min(by: { slope($0) < slope($1) }), slope(best) < 0 else { return nil }
        return points[best]
    }

    /// The rising rate.
    var schedule: Rise { Rise(baseRate: from, factor: pow(to / from, 1 / Double(steps - 1))) }

    struct Rise: LearningRateSchedule {
        static let name = "LearningRateSearch"
        var baseRate: Double
        let factor: Double

        func rate(at update: Int) -> Double { baseRate * pow(factor, Double(update - 1)) }
    }
}

extension Trainer {
    /// Trains while the rate rises, until the search is over. The weights are of no use after it.
    ///
    /// - Parameter progress: called after every update.
    public func search(
        _ search: inout LearningRateSearch, on source: any BatchSource,
        progress: (LearningRateSearch) throws -> Void = { _ in }
    ) throws {
        optimizer.schedule = search.schedule
        let slot = try slot()
        var epoch = 0, loss = CrossEntropy()
        try source.start(epoch: 0, atBatch: 0)
        while !search.isOver {
            let rows = try source.next(into: slot)
            guard rows > 0 else {
                epoch += 1
                try source.start(epoch: epoch, atBatch: 0)
                continue
            }
            let before = updates
            try forward()
            try backward()
            try trainingBatch(rows: rows) { try loss.update($0) }
            try update()
            guard updates > before else { continue }
            search.add(loss: loss.value)
            loss.reset()
            try progress(search)
        }
    }
}
