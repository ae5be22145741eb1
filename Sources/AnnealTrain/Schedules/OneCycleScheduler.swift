import AnnealCore
import Foundation

/// The one-cycle policy: the rate rises to its maximum and falls far below its initial value (Smith and Topin 2018,
/// arXiv:1708.07120). Not in MXNet; the defaults are PyTorch's `OneCycleLR`.
///
/// From base / `division` at update 1 up to base after `riseShare` of the updates, then down to base / `division` /
/// `finalDivision` at update `maxUpdate`; each phase along half a cosine, or linearly.
public struct OneCycleScheduler: LearningRateSchedule {
    public static let name = "OneCycleScheduler"

    public let maxUpdate: Int
    /// The highest rate.
    public var baseRate: Double
    public let riseShare: Double
    public let division: Double
    public let finalDivision: Double
    public let linear: Bool

    /// Throws if there are fewer than 2 updates, or the share is not within 0 ... 1.
    public init(
        maxUpdate: Int, baseRate: Double, riseShare: Double = 0.3, division: Double = 25, finalDivision: Double = 1e4,
        linear: Bool = false
    ) throws {
        guard maxUpdate >= 2 else {
            throw AnnealError(Self.name, "ends at update \(maxUpdate)", suggestion: "give at least 2")
        }
        guard (0...1).contains(riseShare) else {
            throw AnnealError(
                Self.name, "rises for \(riseShare) of the updates", suggestion: "give a share from 0 to 1")
        }
        guard division > 0, finalDivision > 0 else {
            throw AnnealError(
                Self.name, "divides by \(division) and \(finalDivision)", suggestion: "give positive numbers")
        }
        self.maxUpdate = maxUpdate
        self.baseRate = baseRate
        self.riseShare = riseShare
        self.division = division
        self.finalDivision = finalDivision
        self.linear = linear
    }

    public func rate(at update: Int) -> Double {
        // PyTorch counts from 0: its step s is update s + 1.
        let step = Double(min(max(update, 1), maxUpdate) - 1)
        let top = riseShare * Double(maxUpdate) - 1, end = Double(maxUpdate) - 1
        let first = baseRate / division
        if step < top { return between(first, baseRate, step / top) }
        let start = max(top, 0)
        return between(baseRate, first / finalDivision, end > start ? (step - start) / (end - start) : 1)
    }

    private func between(_ from: Double, _ to: Double, _ share: Double) -> Double {
        linear ? from + (to - from) * share : to + (from - to) / 2 * (1 + cos(.pi * share))
    }
}
