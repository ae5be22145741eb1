import AnnealCore

/// MXNet's `FactorScheduler`: the rate falls by a factor every `step` updates, not below `stopRate`.
///
/// Steps are counted from update 0, not from the warm-up's end.
public struct FactorScheduler: LearningRateSchedule {
    public static let name = "FactorScheduler"

    public let step: Int
    public let factor: Double
    public let stopRate: Double
    public var baseRate: Double
    public let warmUp: WarmUp
    private let warmUpRate: Double

    /// Throws if the step is less than 1 or the factor above 1.
    public init(
        step: Int, factor: Double = 1, stopRate: Double = 1e-8, baseRate: Double = 0.01, warmUp: WarmUp = .none
    ) throws {
        guard step >= 1 else { throw AnnealError(Self.name, "has step \(step)", suggestion: "give at least 1") }
        try checkFactor(factor, Self.name)
        try warmUp.check(Self.name, finalRate: baseRate)
        self.step = step
        self.factor = factor
        self.stopRate = stopRate
        self.baseRate = baseRate
        self.warmUp = warmUp
        warmUpRate = baseRate
    }

    public var warmUpSteps: Int { warmUp.steps }
    public var memory: ScheduleMemory { .highest }

    public func rate(at update: Int) -> Double {
        if update < warmUp.steps { return warmUp.rate(at: update, finalRate: warmUpRate) }
        var rate = baseRate
        // From the update after each multiple of the step on.
        for _ in 0..<max(0, (update - 1) / step) {
            let next = max(rate * factor, stopRate)
            // Nothing changes any more: a factor of 1, or the stop rate.
            if next == rate { break }
            rate = next
        }
        return rate
    }
}
