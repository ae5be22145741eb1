import AnnealCore

/// An optimizer's numbers at one moment, without its arrays: a checkpoint stores them as JSON.
public struct OptimizerSnapshot: Codable, Sendable, Equatable {
    /// The rule's label, so that the state of one rule is not loaded into another.
    public var rule: String
    public var updates: Int
    /// The update count of each parameter.
    public var counts: [String: Int]
    /// Bit patterns, which JSON stores exactly, infinity included.
    public var scalars: [UInt64]
    public var schedule: [UInt64]
}

extension Optimizer {
    /// The optimizer's current numbers, without its arrays.
    public func snapshot() -> OptimizerSnapshot {
        OptimizerSnapshot(
            rule: rule.label, updates: updates,
            counts: Dictionary(zip(parameters, counters.counts)) { first, _ in first },
            scalars: counters.scalars.map(\.bitPattern), schedule: scheduleState.map(\.bitPattern))
    }

    /// Throws unless it can continue from a snapshot: the rule, the schedule and the model must be the same.
    func check(_ snapshot: OptimizerSnapshot) throws {
        let name = rule.label
        guard snapshot.rule == name else {
            throw AnnealError(
                "optimizer", "was \(snapshot.rule), now it is \(name)",
                suggestion: "resume with --optimizer \(snapshot.rule)", code: .mismatch)
        }
        guard snapshot.schedule.count == scheduleState.count else {
            throw AnnealError(
                "schedule of the learning rate", "was a different one",
                suggestion: "resume with the run's --lr-schedule", code: .mismatch)
        }
        guard snapshot.scalars.count == counters.scalars.count else {
            throw AnnealError(
                "optimizer", "\(name) kept \(snapshot.scalars.count) numbers, now it keeps \(counters.scalars.count)",
                suggestion: "the state was saved by another version of \(name)", code: .mismatch)
        }
        guard Set(snapshot.counts.keys) == Set(parameters) else {
            let odd = Set(snapshot.counts.keys).symmetricDifference(parameters).sorted()
            throw AnnealError(
                "trained parameters",
                "were \(snapshot.counts.count), now they are \(parameters.count): "
                    + odd.prefix(3).joined(separator: ", ") + (odd.count > 3 ? ", …" : "") + " on one side only",
                suggestion: "resume with the same network and --freeze", code: .mismatch)
        }
        // Rules and schedules compute with them as doubles.
        guard ([snapshot.updates] + snapshot.counts.values).allSatisfy((0..<1 << 53).contains) else {
            throw AnnealError(
                "optimizer state", "counts updates that were never made", suggestion: "the file is damaged",
                code: .damaged)
        }
    }

    /// Continues from a snapshot; its arrays are in the store.
    /// - Throws: without changing anything, if it belongs to another rule, schedule or model.
    package func restore(_ snapshot: OptimizerSnapshot) throws {
        try check(snapshot)
        counters.counts = parameters.map { snapshot.counts[$0] ?? 0 }
        counters.updates = snapshot.updates
        counters.scalars = snapshot.scalars.map(Double.init(bitPattern:))
        scheduleState = snapshot.schedule.map(Double.init(bitPattern:))
    }
}
