import AnnealCore
import Foundation

/// The learning rate as a function of the number of the update.
///
/// MXNet's schedulers are objects that change when they are called. Here they are pure functions, equal to MXNet's when
/// those are called for 1, 2, 3… in order, so that a resumed run needs nothing but its update number. `ScheduleReplay`
/// also reproduces MXNet's objects when they are called out of order.
///
/// Update k, counted from 1, uses `rate(at: k)`: so a step s takes effect from update s + 1 on.
public protocol LearningRateSchedule: Sendable {
    /// MXNet's class name where there is one, e.g. `FactorScheduler`.
    static var name: String { get }

    /// The rate of update number `update`, which is 1 for the first.
    func rate(at update: Int) -> Double

    /// `base_lr`, which an optimizer's own learning rate replaces.
    var baseRate: Double { get set }
    /// The first update that is past the warm-up.
    var warmUpSteps: Int { get }
    /// How MXNet's object remembers earlier calls.
    var memory: ScheduleMemory { get }

    /// Passes on a metric of the last validation, for schedules that depend on it (Plateau).
    mutating func observe(_ value: Double)
    /// The state accumulated by `observe`, to be saved in a checkpoint.
    var state: [Double] { get set }
}

/// How MXNet's scheduler object answers out of order.
public enum ScheduleMemory: Sendable {
    /// It has no memory.
    case none
    /// It never goes back before the highest update that it was called for.
    case highest
    /// Past this update it repeats its last answer.
    case lastUntil(Int)
}

extension LearningRateSchedule {
    public var warmUpSteps: Int { 0 }
    public var memory: ScheduleMemory { .none }
    public mutating func observe(_ value: Double) {}
    public var state: [Double] {
        get { [] }
        set {}
    }
}

/// A rising or constant rate before the schedule proper: MXNet's `warmup_steps`, `warmup_begin_lr`, `warmup_mode`.
public struct WarmUp: Sendable, Equatable {
    public enum Mode: String, Sendable, CaseIterable { case linear, constant }

    /// Updates below this number are in the warm-up.
    public var steps: Int
    public var beginRate: Double
    public var mode: Mode

    public init(steps: Int, beginRate: Double = 0, mode: Mode = .linear) {
        self.steps = steps
        self.beginRate = beginRate
        self.mode = mode
    }

    public static let none = WarmUp(steps: 0)

    /// linear: begin + (final - begin) * update / steps. The final rate is the base rate that the schedule was created
    /// with, even if an optimizer's learning rate has replaced that.
    func rate(at update: Int, finalRate: Double) -> Double {
        switch mode {
        case .linear: beginRate + (finalRate - beginRate) * Double(update) / Double(steps)
        case .constant: beginRate
        }
    }

    func check(_ place: String, finalRate: Double) throws {
        guard steps >= 0 else { throw AnnealError(place, "has \(steps) warm-up steps", suggestion: "give 0 or more") }
        guard beginRate <= finalRate else {
            throw AnnealError(
                place, "warms up from \(beginRate) down to \(finalRate)", suggestion: "begin below the base rate")
        }
    }
}

/// Answers in any order as MXNet's object does.
public struct ScheduleReplay: Sendable {
    private let schedule: any LearningRateSchedule
    private var highest = Int.min
    private var last: Double

    /// Replays a schedule that has not been asked yet.
    public init(_ schedule: any LearningRateSchedule) {
        self.schedule = schedule
        last = schedule.baseRate
    }

    public mutating func rate(at update: Int) -> Double {
        if update < schedule.warmUpSteps { return schedule.rate(at: update) }
        switch schedule.memory {
        case .none: return schedule.rate(at: update)
        case .highest:
            highest = max(highest, update)
            return schedule.rate(at: highest)
        case .lastUntil(let end):
            if update <= end { last = schedule.rate(at: update) }
            return last
        }
    }
}
