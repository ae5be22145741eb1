import AnnealCore
import Foundation

/// MXNet's `PolyScheduler`: final + (base - final) * (1 - k/K)^power, with k the updates since the warm-up and K those
/// from there to `maxUpdate`; the final rate after that.
///
/// An optimizer's own learning rate does not replace this base: MXNet keeps the one that the schedule was created with.
public struct PolyScheduler: LearningRateSchedule {
    public static let name = "PolyScheduler"

    public let maxUpdate: Int
    public let power: Double
    public let finalRate: Double
    /// The initial answer of MXNet's object before any update; not a part of the formula.
    public var baseRate: Double
    public let warmUp: WarmUp
    private let firstRate: Double

    /// Throws if `maxUpdate` is less than 1 or inside the warm-up.
    public init(
        maxUpdate: Int, baseRate: Double = 0.01, power: Double = 2, finalRate: Double = 0, warmUp: WarmUp = .none
    ) throws {
        try checkEnd(maxUpdate, warmUp, Self.name)
        try warmUp.check(Self.name, finalRate: baseRate)
        self.maxUpdate = maxUpdate
        self.power = power
        self.finalRate = finalRate
        self.baseRate = baseRate
        self.warmUp = warmUp
        firstRate = baseRate
    }

    public var warmUpSteps: Int { warmUp.steps }
    public var memory: ScheduleMemory { .lastUntil(maxUpdate) }

    public func rate(at update: Int) -> Double {
        if update < warmUp.steps { return warmUp.rate(at: update, finalRate: firstRate) }
        let done = Double(min(update, maxUpdate) - warmUp.steps) / Double(maxUpdate - warmUp.steps)
        return finalRate + (firstRate - finalRate) * pow(1 - done, power)
    }
}

func checkEnd(_ maxUpdate: Int, _ warmUp: WarmUp, _ place: String) throws {
    guard maxUpdate >= 1, maxUpdate > warmUp.steps else {
        throw AnnealError(
            place, "ends at update \(maxUpdate), after a warm-up of \(warmUp.steps)",
            suggestion: "end it after the warm-up")
    }
}
