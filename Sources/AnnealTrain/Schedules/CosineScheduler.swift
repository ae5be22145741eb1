import AnnealCore
import Foundation

/// MXNet's `CosineScheduler`: final + (base - final) * (1 + cos(pi * k/K)) / 2, with k the updates since the warm-up
/// and K those from there to `maxUpdate`; the final rate after that. Loshchilov and Hutter 2017, arXiv:1608.03983, without
/// restarts.
///
/// An optimizer's own learning rate does not replace this base: MXNet keeps the one that the schedule was created with.
public struct CosineScheduler: LearningRateSchedule {
    public static let name = "CosineScheduler"

    public let maxUpdate: Int
    public let finalRate: Double
    /// The initial answer of MXNet's object before any update; not a part of the formula.
    public var baseRate: Double
    public let warmUp: WarmUp
    private let firstRate: Double

    /// Throws if `maxUpdate` is less than 1 or inside the warm-up.
    public init(maxUpdate: Int, baseRate: Double = 0.01, finalRate: Double = 0, warmUp: WarmUp = .none) throws {
        try checkEnd(maxUpdate, warmUp, Self.name)
        try warmUp.check(Self.name, finalRate: baseRate)
        self.maxUpdate = maxUpdate
        self.finalRate = finalRate
        self.baseRate = baseRate
        self.warmUp = warmUp
        firstRate = baseRate
    }

    public var warmUpSteps: Int { warmUp.steps }
    public var memory: ScheduleMemory { .lastUntil(maxUpdate) }

    public func rate(at update: Int) -> Double {
        if update < warmUp.steps { return warmUp.rate(at: update, finalRate: firstRate) }
        let done = Double(min(update, maxUpdate) - warmUp.steps)
        return finalRate + (firstRate - finalRate) * (1 + cos(.pi * done / Double(maxUpdate - warmUp.steps))) / 2
    }
}
