import AnnealCore

/// An optimizer's numbers at one moment, without its arrays: what a checkpoint keeps of it as JSON.
public struct OptimizerSnapshot: Codable, Sendable, Equatable {
    /// The rule's name, so that the state of one rule is not given to another.
    public var rule: String
    public var updates: Int
    /// Updates of each parameter.
    public var counts: [String: Int]
    /// Bit patterns, which JSON keeps exactly, infinity included.
    public var scalars: [UInt64]
    public var schedule: [UInt64]
}

/// One state array of one parameter, in the layout of its weights.
public struct OptimizerArray: Sendable, Equatable {
    public var parameter: String
    /// The rule's number of the array, from 0.
    public var index: Int
    public var values: [Float]

    public init(parameter: String, index: Int, values: [Float]) {
        self.parameter = parameter
        self.index = index
        self.values = values
    }

    /// The name in a file: `PARAMETER:INDEX`.
    public var name: String { "\(parameter):\(index)" }

    /// The array of that file name; nil if it is not one.
    public init?(name: String, values: [Float]) {
        guard let colon = name.lastIndex(of: ":"), let index = Int(name[name.index(after: colon)...]) else {
            return nil
        }
        self.init(parameter: String(name[..<colon]), index: index, values: values)
    }
}

extension Optimizer {
    public func snapshot() -> OptimizerSnapshot {
        OptimizerSnapshot(
            rule: type(of: rule).name, updates: updates, counts: entries.mapValues(\.updates),
            scalars: scalars.map(\.bitPattern), schedule: scheduleState.map(\.bitPattern))
    }

    /// Copies of all state arrays, sorted by parameter.
    public func stateArrays() -> [OptimizerArray] {
        states.map { OptimizerArray(parameter: $0.parameter, index: $0.index, values: Array($0.memory)) }
    }

    /// All state arrays where they live, sorted by parameter, with the names of `OptimizerArray`.
    var states: [(name: String, parameter: String, index: Int, memory: UnsafeBufferPointer<Float>)] {
        entries.values.sorted { $0.name < $1.name }.flatMap { entry in
            entry.states.enumerated().map { index, state in
                (
                    "\(entry.name):\(index)", entry.name, index,
                    UnsafeBufferPointer(start: state, count: entry.count)
                )
            }
        }
    }

    /// A state array where it lives, for converting layouts without a copy; nil if there is none.
    public func withState<T>(
        parameter: String, index: Int, _ body: (UnsafeMutableBufferPointer<Float>) throws -> T
    ) rethrows -> T? {
        guard let entry = entries[parameter], entry.states.indices.contains(index) else { return nil }
        return try body(UnsafeMutableBufferPointer(start: entry.states[index], count: entry.count))
    }

    /// Continues from a snapshot and its arrays, bit for bit. The parameters must have been bound.
    ///
    /// Throws, with nothing changed, if the snapshot is of another rule, or an array is missing, superfluous or of
    /// another size.
    public func restore(_ snapshot: OptimizerSnapshot, arrays: [OptimizerArray]) throws {
        let name = type(of: rule).name
        guard snapshot.rule == name else {
            throw AnnealError(
                "optimizer state", "is of \(snapshot.rule), the run has \(name)",
                suggestion: "resume with --optimizer \(snapshot.rule)", code: .mismatch)
        }
        guard snapshot.scalars.count == scalars.count, snapshot.schedule.count == scheduleState.count else {
            throw AnnealError(
                "optimizer state", "has not the numbers that \(name) and its schedule keep", code: .mismatch)
        }
        guard Set(snapshot.counts.keys) == Set(entries.keys) else {
            let odd = Set(snapshot.counts.keys).symmetricDifference(entries.keys).sorted()
            throw AnnealError(
                "optimizer state", "is not of this model: \(odd.joined(separator: ", ")) on one side only",
                code: .mismatch)
        }
        // Rules and schedules compute with them as doubles.
        guard ([snapshot.updates] + snapshot.counts.values).allSatisfy((0..<1 << 53).contains) else {
            throw AnnealError(
                "optimizer state", "counts updates that nobody has done", suggestion: "the file is damaged",
                code: .damaged)
        }
        var sources: [String: OptimizerArray] = [:]
        for array in arrays { sources[array.name] = array }
        for entry in entries.values {
            for index in entry.states.indices {
                let key = "\(entry.name):\(index)"
                guard let array = sources.removeValue(forKey: key) else {
                    throw AnnealError("optimizer state", "has no array \(key)", code: .mismatch)
                }
                guard array.values.count == entry.count else {
                    throw AnnealError(
                        "optimizer state, \(key)", "has \(array.values.count) elements, the parameter \(entry.count)",
                        code: .mismatch)
                }
            }
        }
        if let other = sources.keys.min() {
            throw AnnealError("optimizer state", "has an array \(other) of no use", code: .mismatch)
        }
        for array in arrays {
            array.values.withUnsafeBufferPointer { values in
                guard let base = values.baseAddress else { return }
                entries[array.parameter]?.states[array.index].update(from: base, count: values.count)
            }
        }
        for (parameter, count) in snapshot.counts { entries[parameter]?.updates = count }
        updates = snapshot.updates
        scalars = snapshot.scalars.map(Double.init(bitPattern:))
        scheduleState = snapshot.schedule.map(Double.init(bitPattern:))
    }
}
