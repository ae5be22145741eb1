import AnnealCore
import Foundation

/// A search for a learning rate (Smith 2017, arXiv:1506.01186, section 3.3): the rate rises by the same factor at every
/// update, and the loss is watched until it diverges. `LearningRateCurve` says what it found.
public struct LearningRateSearch: Sendable {
    public struct Point: Sendable, Equatable {
        public var rate: Double
        /// Of the batches before the update.
        public var loss: Double
    }

    public let from: Double
    public let to: Double
    public let steps: Int
    public private(set) var points: [Point] = []
    /// The loss is not finite, or its running average is above where it began and above four times its lowest value.
    public private(set) var hasDiverged = false
    private var average = 0.0
    private var firstLosses = 0.0
    private var lowestAverage = Double.infinity

    private static let divergence = 4.0
    public static let usualSteps = 200
    /// Images of each step for which these are enough.
    private static let usualBatch = 32
    private static let mostUsualSteps = 2000

    /// Throws if the rates do not rise or there are fewer than 10 steps.
    public init(from: Double = 1e-6, to: Double = 10, steps: Int = usualSteps) throws {
        guard from > 0, to > from, to.isFinite else {
            throw AnnealError(
                "--from \(from), --to \(to)", "do not rise from above 0", suggestion: "give e.g. 1e-6 and 10")
        }
        guard (10...1_000_000).contains(steps) else {
            throw AnnealError("--steps", "is \(steps)", suggestion: "it must be at least 10, usually 200")
        }
        (self.from, self.to, self.steps) = (from, to, steps)
    }

    /// Steps for batches of this size: the noise of the losses depends on the number of images in all, and so does how long
    /// each rate has to show what it does.
    public static func usualSteps(batchSize: Int) -> Int {
        min(mostUsualSteps, max(usualSteps, usualSteps * usualBatch / max(1, batchSize)))
    }

    public var isOver: Bool { hasDiverged || points.count == steps }

    /// Losses from which the level before any training is taken: a tenth of the steps.
    var beginning: Int { max(5, steps / 10) }

    /// What the running average keeps at each update: it is of about a 20th of the steps.
    private var memory: Double { 1 - min(0.5, 20 / Double(steps)) }

    /// The mean of the first losses; nil without any.
    var initialLoss: Double? { points.isEmpty ? nil : firstLosses / Double(min(points.count, beginning)) }

    /// Adds the loss of the next update.
    public mutating func add(loss: Double) {
        points.append(Point(rate: schedule.rate(at: points.count + 1), loss: loss))
        if points.count <= beginning { firstLosses += loss }
        average = memory * average + (1 - memory) * loss
        // Corrected for its beginning, as Adam's averages are.
        let smoothed = average / (1 - pow(memory, Double(points.count)))
        guard smoothed.isFinite else {
            hasDiverged = true
            return
        }
        // One batch of few images says little: before the level is known nothing has diverged.
        guard points.count > beginning, let initialLoss else { return }
        lowestAverage = min(lowestAverage, smoothed)
        hasDiverged = smoothed > Self.divergence * lowestAverage && smoothed > initialLoss
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
        guard network.scores == .probabilities else {
            throw AnnealError(
                "symbol", "ends in \(network.ending), which gives no probabilities, so there is no loss to watch",
                suggestion: "search with a network that ends in SoftmaxOutput")
        }
        try parameters.checkComplete()
        optimizer.schedule = search.schedule
        var epoch = 0, loss = CrossEntropy()
        try source.start(epoch: 0, atBatch: 0)
        while !search.isOver {
            let rows = try source.next(into: try slot(for: source))
            guard rows > 0 else {
                epoch += 1
                try source.start(epoch: epoch, atBatch: 0)
                continue
            }
            let before = updates
            // A compiled step has its checks already.
            let step = try submit(checked: !training.isImmediate)
            try trainingBatch(step.results, rows: rows) { try loss.update($0) }
            // The rate is too high for a step that was dropped.
            let isDropped = canDropSteps && !step.loweredScale ? try problem(of: step) != nil : false
            guard updates > before || isDropped else { continue }
            search.add(loss: isDropped ? .nan : loss.value)
            loss.reset()
            try progress(search)
        }
    }
}
