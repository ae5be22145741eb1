import AnnealCore
import Foundation

/// A learning rate search (Smith 2017, arXiv:1506.01186, section 3.3): the rate grows by the same factor with every
/// update, and the loss is monitored until it diverges. `LearningRateCurve` analyses the result.
public struct LearningRateSearch: Sendable {
    /// The learning rate of one update, and the loss before it.
    public struct Point: Sendable, Equatable {
        public var rate: Double
        /// The loss of the batches before the update.
        public var loss: Double
    }

    public let from: Double
    public let to: Double
    public let steps: Int
    public private(set) var points: [Point] = []
    /// The loss is not finite, or its running average exceeds its initial value and four times its minimum.
    public private(set) var hasDiverged = false
    private var average = 0.0
    private var firstLosses = 0.0
    private var lowestAverage = Double.infinity

    private static let divergence = 4.0
    public static let usualSteps = 200
    /// The batch size for which these steps are enough.
    private static let usualBatch = 32
    private static let mostUsualSteps = 2000

    /// Throws if the rates do not increase or there are fewer than 10 steps.
    public init(from: Double = 1e-6, to: Double = 10, steps: Int = usualSteps) throws {
        guard from > 0, to > from, to.isFinite else {
            throw AnnealError(
                "--from \(from), --to \(to)", "must be positive and increasing", suggestion: "give e.g. 1e-6 and 10")
        }
        guard (10...1_000_000).contains(steps) else {
            throw AnnealError("--steps", "is \(steps)", suggestion: "it must be at least 10, usually 200")
        }
        (self.from, self.to, self.steps) = (from, to, steps)
    }

    /// Steps for batches of this size: the noise of the losses depends on the total number of images, and so does the
    /// time that each rate has to take effect.
    public static func usualSteps(batchSize: Int) -> Int {
        min(mostUsualSteps, max(usualSteps, usualSteps * usualBatch / max(1, batchSize)))
    }

    public var isOver: Bool { hasDiverged || points.count == steps }

    /// Number of losses that define the level before training: a tenth of the steps.
    var beginning: Int { max(5, steps / 10) }

    /// The decay of the running average, which covers about a 20th of the steps.
    private var memory: Double { 1 - min(0.5, 20 / Double(steps)) }

    /// The mean of the first losses; nil without any.
    var initialLoss: Double? { points.isEmpty ? nil : firstLosses / Double(min(points.count, beginning)) }

    /// Adds the loss of the next update.
    public mutating func add(loss: Double) {
        points.append(Point(rate: schedule.rate(at: points.count + 1), loss: loss))
        if points.count <= beginning { firstLosses += loss }
        average = memory * average + (1 - memory) * loss
        // Bias-corrected as Adam's averages are.
        let smoothed = average / (1 - pow(memory, Double(points.count)))
        guard smoothed.isFinite else {
            hasDiverged = true
            return
        }
        // A single small batch says little: nothing has diverged before the initial level is known.
        guard points.count > beginning, let initialLoss else { return }
        lowestAverage = min(lowestAverage, smoothed)
        hasDiverged = smoothed > Self.divergence * lowestAverage && smoothed > initialLoss
    }

    /// The increasing rate.
    var schedule: Rise { Rise(baseRate: from, factor: pow(to / from, 1 / Double(steps - 1))) }

    struct Rise: LearningRateSchedule {
        static let name = "LearningRateSearch"
        var baseRate: Double
        let factor: Double

        func rate(at update: Int) -> Double { baseRate * pow(factor, Double(update - 1)) }
    }
}

extension Trainer {
    /// Trains with an increasing rate until the search is over. The weights cannot be used afterwards.
    ///
    /// - Parameter progress: called after every update.
    public func search(
        _ search: inout LearningRateSearch, on source: any BatchSource,
        progress: (LearningRateSearch) throws -> Void = { _ in }
    ) throws {
        guard network.scores == .probabilities else {
            throw AnnealError(
                "symbol", "ends in \(network.ending), which gives no probabilities, so there is no loss to monitor",
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
            // A compiled step already has its checks.
            let step = try submit(checked: !training.isImmediate)
            try trainingBatch(step.results, rows: rows) { try loss.update($0) }
            // The rate is too high if a step was dropped.
            let isDropped = canDropSteps && !step.loweredScale ? try problem(of: step) != nil : false
            guard updates > before || isDropped else { continue }
            search.add(loss: isDropped ? .nan : loss.value)
            loss.reset()
            try progress(search)
        }
    }
}
