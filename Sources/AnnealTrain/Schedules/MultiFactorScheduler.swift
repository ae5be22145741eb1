import AnnealCore

/// MXNet's `MultiFactorScheduler`: the rate falls by a factor after each of the given updates.
///
/// base * factor^k from the update after the k-th step on. Steps are counted from update 0, not from the warm-up's end;
/// one inside the warm-up acts when that ends.
public struct MultiFactorScheduler: LearningRateSchedule {
    public static let name = "MultiFactorScheduler"

    public let steps: [Int]
    public let factor: Double
    public var baseRate: Double
    public let warmUp: WarmUp
    private let warmUpRate: Double

    /// Throws if the steps do not increase from at least 1, or the factor is above 1.
    public init(steps: [Int], factor: Double = 1, baseRate: Double = 0.01, warmUp: WarmUp = .none) throws {
        guard let first = steps.first, first >= 1, zip(steps, steps.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw AnnealError(
                Self.name, "steps \(steps) do not increase from at least 1",
                suggestion: "give increasing update numbers")
        }
        try checkFactor(factor, Self.name)
        try warmUp.check(Self.name, finalRate: baseRate)
        self.steps = steps
        self.factor = factor
        self.baseRate = baseRate
        self.warmUp = warmUp
        warmUpRate = baseRate
    }

    public var warmUpSteps: Int { warmUp.steps }
    public var memory: ScheduleMemory { .highest }

    public func rate(at update: Int) -> Double {
        if update < warmUp.steps { return warmUp.rate(at: update, finalRate: warmUpRate) }
        var rate = baseRate
        // Multiplied step by step, as MXNet does: powers would round differently.
        for step in steps where update > step { rate *= factor }
        return rate
    }
}

func checkFactor(_ factor: Double, _ place: String) throws {
    guard factor <= 1 else {
        throw AnnealError(place, "has factor \(factor), which raises the rate", suggestion: "give at most 1")
    }
}
