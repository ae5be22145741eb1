import AnnealCompiler
import AnnealCore
import AnnealGraph
import Foundation

extension Trainer {
    /// Writes, atomically, everything that a run needs to continue with the same bits: parameters, optimizer, averages,
    /// accumulated gradients, progress.
    public func saveState(to path: String, _ progress: FitProgress) throws {
        let folder = Files.folder(of: path)
        if !folder.isEmpty { try Files.makeFolder(folder) }
        try Files.writeAtomically(to: path) { try encodeState(progress, $0) }
    }

    /// Passes the bytes of a state file to `write`, piece by piece.
    func encodeState(_ progress: FitProgress, _ write: (Data) throws -> Void) throws {
        try withValidatedWeights { try encodeValidatedState(progress, write) }
    }

    private func encodeValidatedState(_ progress: FitProgress, _ write: (Data) throws -> Void) throws {
        try startStates()
        let record = StateRecord(
            seed: seed, updates: updates, batchSize: batchSize, accumulation: accumulation,
            frozen: frozen.sorted(), multipliers: optimizer.settings.multipliers, optimizer: optimizer.snapshot(),
            progress: progress, holders: holders.map(\.rawValue), gathered: gathered, sums: StateRecord.sums,
            machine: parameters.engine.machine, scaler: scaler)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = try encoder.encode(record)
        var arrays: [(name: String, make: () throws -> StoredArray)] = [
            (StateRecord.name, { StoredArray(name: "", dtype: .uint8, shape: [json.count], bytes: json) })
        ]
        for name in parameters.names {
            arrays.append((storedName(name), { [parameters] in StoredArray(name: "", try parameters.tensor(name)) }))
        }
        for entry in savedStates {
            arrays.append((entry.name, { StoredArray(name: "", try entry.array.read()) }))
        }
        try StateFile.encode(names: arrays.map(\.name), array: { try arrays[$0].make() }, write)
    }

    /// Arrays of the store that a run's state holds in addition to the parameters: sums only if they hold gradients.
    var savedStates: [ParameterStore.Entry] {
        let levels = StepInputs.Merge.levels(of: gathered)
        return parameters.states.filter { entry in
            guard case .gradientSum(let level, _) = entry.stateName else { return true }
            return levels.contains(level)
        }
    }

    private var holders: [StateName.Kind] {
        (averaging.map { [.init($0.kind)] } ?? []) + (accumulation > 1 ? [.gradients] : [])
    }

    /// The seed of a saved run.
    public static func savedSeed(_ path: String) throws -> UInt64 { try savedRun(path).seed }

    /// What a state tells about its run.
    public static func savedRun(_ path: String) throws -> SavedRun {
        let record = try SavedState(path).record
        return SavedRun(
            seed: record.seed, progress: record.progress, machine: record.machine,
            addsOtherwise: record.sums != StateRecord.sums)
    }

    /// Restores a saved state.
    /// - Parameter parametersPath: the checkpoint that the state belongs to: its parameters must equal the state's.
    /// - Returns: the run's progress.
    public func restoreState(_ path: String, matching parametersPath: String? = nil) throws -> FitProgress {
        let state = try SavedState(path), record = state.record
        do {
            guard record.batchSize == batchSize else {
                throw AnnealError(
                    "batch size", "was \(record.batchSize), now it is \(batchSize)",
                    suggestion: "resume with --batch-size \(record.batchSize)", code: .mismatch)
            }
            guard record.accumulation == accumulation else {
                throw AnnealError(
                    "batches of an update", "were \(record.accumulation), now they are \(accumulation)",
                    suggestion: "resume with --accumulate \(record.accumulation)", code: .mismatch)
            }
            try checkNetwork(state)
            try checkSelection(record)
            try optimizer.check(record.optimizer)
            try checkMomentum(state)
            try checkHolders(record)
            let checkpoint = try Checkpoint(symbol: symbol, arrays: state.parameters)
            if let parametersPath {
                let stored = try Checkpoint(symbol: symbol, arrays: ParamsFile.read(parametersPath))
                guard (stored.arguments, stored.auxiliary) == (checkpoint.arguments, checkpoint.auxiliary) else {
                    throw AnnealError(
                        "", "has other parameters than \(parametersPath)",
                        suggestion: "delete the .resume file to take the parameters alone, with a new optimizer",
                        code: .mismatch)
                }
            }
            let waiting = try state.gathered()
            let states = try self.states(in: state, gathered: waiting)
            try checkpoint.restore(parameters, place: "")
            try optimizer.restore(record.optimizer)
            for (entry, value) in states { try entry.array.write(value) }
            statesHaveStarted = true
            // A state holds the averages as parameters, and the trained weights in place of the averages.
            if averaging?.replacesWeights == true { try training.run(.exchange) }
            gathered = waiting
            if scaler != nil { scaler = record.scaler ?? scaler }
        } catch let error as AnnealError {
            throw error.within(path)
        }
        updates = record.updates
        return record.progress
    }

    /// A parameter's name in MXNet's files.
    func storedName(_ name: String) -> String { (parameters.isAuxiliary(name) ? "aux:" : "arg:") + name }

    /// Checked before the optimizer, because its state depends on the network.
    private func checkNetwork(_ state: SavedState) throws {
        var saved: [String: Shape] = [:]
        for array in state.parameters { saved[array.name] = array.shape }
        func fail(_ problem: String) -> AnnealError {
            AnnealError(
                "network", "was a different one: \(problem)",
                suggestion: "resume with the run's --network, --num-layers, --num-classes and --image-shape",
                code: .mismatch)
        }
        for name in parameters.names {
            guard let shape = saved.removeValue(forKey: storedName(name)) else {
                throw fail("it had no \(name)")
            }
            if let now = parameters.shape(name), now != shape {
                throw fail("its \(name) had the shape \(shape), now it has \(now)")
            }
        }
        if let other = saved.keys.min() { throw fail("it also had \(other.dropFirst("arg:".count))") }
    }

    /// With momentum most rules keep one more array for each parameter.
    private func checkMomentum(_ state: SavedState) throws {
        let before = state.stateNames.count { StateName($0)?.kind == .optimizer }
        let now = parameters.states.count { $0.stateName?.kind == .optimizer }
        guard before != now else { return }
        let name = optimizer.rule.label
        guard ["sgd", "nag", "signum", "lars", "dcasgd"].contains(name) else {
            throw AnnealError(
                "optimizer", "\(name) kept \(before) arrays, now it keeps \(now)",
                suggestion: "resume with the settings of \(name) that the run was started with", code: .mismatch)
        }
        throw AnnealError(
            "momentum", before > now ? "was above 0, now it is 0" : "was 0, now it is above 0",
            suggestion: "resume with the run's --mom", code: .mismatch)
    }

    /// A run resumes with the same frozen parameters and multipliers.
    private func checkSelection(_ record: StateRecord) throws {
        let odd = frozen.symmetricDifference(record.frozen).sorted()
        guard odd.isEmpty else {
            let names = odd.prefix(3).joined(separator: ", ") + (odd.count > 3 ? ", …" : "")
            throw AnnealError(
                "frozen parameters",
                "were \(record.frozen.count), now they are \(frozen.count): \(names) on one side only",
                suggestion: "resume with the same --freeze", code: .mismatch)
        }
        guard record.multipliers == optimizer.settings.multipliers else {
            throw AnnealError(
                "multipliers", "of learning rate or weight decay were different",
                suggestion: "resume with the same --lr-mult and --wd-mult", code: .mismatch)
        }
    }

    private func checkHolders(_ record: StateRecord) throws {
        let holders = holders.map(\.rawValue)
        guard Set(holders) != Set(record.holders) else { return }
        func averages(_ holders: [String]) -> String {
            let kinds = holders.compactMap(StateName.Kind.init)
            if kinds.contains(.movingAverage) { return "a moving average (--ema-decay)" }
            return kinds.contains(.lookahead) ? "lookahead (--lookahead)" : "none"
        }
        throw AnnealError(
            "averaging of the weights", "was \(averages(record.holders)), now it is \(averages(holders))",
            suggestion: "resume with the run's --ema-decay and --lookahead", code: .mismatch)
    }

    /// The values of all states, each present and with the right shape.
    private func states(in state: SavedState, gathered: Int) throws -> [(ParameterStore.Entry, Tensor)] {
        let levels = StepInputs.Merge.levels(of: gathered)
        var left = state.stateNames
        let result = try parameters.states.map { entry -> (ParameterStore.Entry, Tensor) in
            var name = entry.name
            if case .gradientSum(let level, let parameter) = entry.stateName {
                guard levels.contains(level) else { return (entry, Tensor(entry.shape)) }
                // Version 0.1 kept one sum: it becomes the highest one, and the others are zero.
                if state.record.gathered == nil {
                    guard level == levels.last else { return (entry, Tensor(entry.shape)) }
                    name = FirstVersion.sum(parameter)
                }
            }
            guard let array = state.array(name) else {
                throw AnnealError("state \(name)", "is not in the file", code: .mismatch)
            }
            left.remove(name)
            let value = array.tensor()
            guard value.shape == entry.shape else {
                throw AnnealError(
                    "state \(name)", "has the shape \(value.shape), but the parameter has \(entry.shape)",
                    code: .mismatch)
            }
            return (entry, value)
        }
        // Residuals of other processes' shards.
        if parameters.states.contains(where: { $0.stateName?.kind == .residual }) {
            left = left.filter { StateName($0)?.kind != .residual }
        }
        if let other = left.min() { throw AnnealError("state", "has an unknown array \(other)", code: .mismatch) }
        return result
    }
}
