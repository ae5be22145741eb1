import AnnealCore

/// The schedules by MXNet's class names.
public enum Schedules {
    /// The names that `make` accepts.
    public static let names = [
        FactorScheduler.name, MultiFactorScheduler.name, PolyScheduler.name, CosineScheduler.name,
        OneCycleScheduler.name, PlateauScheduler.name,
    ]

    /// Creates a schedule from MXNet's class name and keyword arguments.
    public static func make(_ name: String, _ options: NamedOptions) throws -> any LearningRateSchedule {
        var options = options
        guard let schedule = try make(name, reading: &options) else {
            throw AnnealError(
                "schedule", "'\(name)' is unknown", suggestion: "it must be one of \(names.joined(separator: ", "))",
                code: .notFound)
        }
        try options.finish()
        return schedule
    }

    /// As above; nil for an unknown name, and unknown options are left in `options.unused`.
    public static func make(_ name: String, reading options: inout NamedOptions) throws -> (any LearningRateSchedule)? {
        options.place = "schedule \(name)"
        switch name {
        case FactorScheduler.name:
            return try FactorScheduler(
                step: try options.integer("step", 0), factor: try options.number("factor", 1),
                stopRate: try options.number("stop_factor_lr", 1e-8), baseRate: try options.baseRate(),
                warmUp: try options.warmUp())
        case MultiFactorScheduler.name:
            return try MultiFactorScheduler(
                steps: try options.integers("step"), factor: try options.number("factor", 1),
                baseRate: try options.baseRate(), warmUp: try options.warmUp())
        case PolyScheduler.name:
            return try PolyScheduler(
                maxUpdate: try options.integer("max_update", 0), baseRate: try options.baseRate(),
                power: try options.number("pwr", 2), finalRate: try options.number("final_lr", 0),
                warmUp: try options.warmUp())
        case CosineScheduler.name:
            return try CosineScheduler(
                maxUpdate: try options.integer("max_update", 0), baseRate: try options.baseRate(),
                finalRate: try options.number("final_lr", 0), warmUp: try options.warmUp())
        case OneCycleScheduler.name:
            return try OneCycleScheduler(
                maxUpdate: try options.integer("max_update", 0), baseRate: try options.baseRate(),
                riseShare: try options.number("rise_share", 0.3), division: try options.number("division", 25),
                finalDivision: try options.number("final_division", 1e4), linear: try options.flag("linear", false))
        case PlateauScheduler.name:
            return try PlateauScheduler(
                baseRate: try options.baseRate(), factor: try options.number("factor", 0.1),
                patience: try options.integer("patience", 10), threshold: try options.number("threshold", 1e-4),
                cooldown: try options.integer("cooldown", 0), minRate: try options.number("min_lr", 0),
                higherIsBetter: try options.flag("higher_is_better", true))
        default: return nil
        }
    }
}

extension NamedOptions {
    fileprivate mutating func baseRate() throws -> Double { try number("base_lr", 0.01) }

    fileprivate mutating func warmUp() throws -> WarmUp {
        WarmUp(
            steps: try integer("warmup_steps", 0), beginRate: try number("warmup_begin_lr", 0),
            mode: try choice("warmup_mode", .linear))
    }
}
