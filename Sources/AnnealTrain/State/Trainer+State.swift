import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels
import Foundation

/// The numbers of a run's state; its arrays follow them in the file. The random streams follow from the seed and the
/// counts, and need no more.
private struct StateRecord: Codable {
    var seed: UInt64
    var updates: Int
    var batchSize: Int
    var accumulation: Int
    var frozen: [String]
    var multipliers: Multipliers
    var optimizer: OptimizerSnapshot
    var progress: FitProgress
    /// Names of the holders, some of which may have no arrays at the moment.
    var holders: [String]
    /// What the bits depend on; nil in states of version 0.1.
    var machine: RunMachine?

    /// Counts beyond these bounds would overflow what is computed of them.
    var isPossible: Bool { (0..<1 << 53).contains(updates) && progress.isPossible }

    /// The arrays' names begin with what they are of: `arg:`, `aux:` as in MXNet's files, `optimizer:`, or a holder's name.
    static let name = "record", optimizerName = "optimizer"
}

/// What the last bits of a run's weights depend on. The number of threads is not part of it; states that have one still load.
public struct RunMachine: Codable, Sendable, Equatable {
    /// The instruction set of the kernels: portable, avx2 or avx512.
    public var kernels: String

    /// This process.
    public static var current: RunMachine {
        let name = ank_variant_name(ank_variant()).map { String(cString: $0) }
        return RunMachine(kernels: name ?? "portable")
    }

    public init(kernels: String) {
        self.kernels = kernels
    }
}

/// What a state tells of its run before a trainer is made for it.
public struct SavedRun: Sendable {
    public let seed: UInt64
    public let progress: FitProgress
    /// Of the process that saved it; nil in states of version 0.1.
    public let machine: RunMachine?
}

extension Trainer {
    /// Writes all that a run needs to continue bit for bit, whole or not at all: parameters, optimizer, progress, and the
    /// arrays of `stateHolders`.
    public func saveState(to path: String, _ progress: FitProgress) throws {
        try withValidatedWeights { try writeState(to: path, progress) }
    }

    private func writeState(to path: String, _ progress: FitProgress) throws {
        let folder = Files.folder(of: path)
        if !folder.isEmpty { try Files.makeFolder(folder) }
        // Before the first step there are no arrays of the optimizer yet.
        if optimizer.entries.isEmpty { try optimizer.bind(trained) }
        let record = StateRecord(
            seed: seed, updates: updates, batchSize: batchSize, accumulation: accumulation,
            frozen: frozen.sorted(), multipliers: optimizer.settings.multipliers, optimizer: optimizer.snapshot(),
            progress: progress, holders: stateHolders.map(\.stateName), machine: .current)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = try encoder.encode(record)
        var arrays: [(name: String, make: () throws -> StoredArray)] = [
            (StateRecord.name, { StoredArray(name: "", dtype: .uint8, shape: [json.count], bytes: json) })
        ]
        for name in parameters.names {
            arrays.append((storedName(name), { [parameters] in StoredArray(name: "", try parameters.tensor(name)) }))
        }
        for state in optimizer.states {
            // In plain layout: another processor may block its channels otherwise.
            arrays.append(
                (
                    "\(StateRecord.optimizerName):\(state.name)",
                    { [parameters] in StoredArray(name: "", try parameters.plain(state.memory, of: state.parameter)) }
                ))
        }
        for holder in stateHolders {
            for array in try holder.stateArrays() { arrays.append(("\(holder.stateName):\(array.name)", { array })) }
        }
        try StateFile.write(names: arrays.map(\.name), to: path) { try arrays[$0].make() }
    }

    /// The seed of a saved run.
    public static func savedSeed(_ path: String) throws -> UInt64 { try savedRun(path).seed }

    /// What a state tells of its run.
    public static func savedRun(_ path: String) throws -> SavedRun {
        let record = try SavedState(path).record
        return SavedRun(seed: record.seed, progress: record.progress, machine: record.machine)
    }

    /// Goes back to a saved state.
    /// - Parameter parametersPath: the checkpoint that the state belongs to: its parameters must be the state's.
    /// - Returns: how far the run had come.
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
            try checkSelection(record)
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
            try checkpoint.restore(parameters, place: "")
            try optimizer.bind(trained)
            try optimizer.restore(
                record.optimizer,
                arrays: state.arrays(of: StateRecord.optimizerName).compactMap { array in
                    guard let state = OptimizerArray(name: array.name, values: []) else { return nil }
                    let values = try parameters.packed(array.tensor(), of: state.parameter)
                    return OptimizerArray(parameter: state.parameter, index: state.index, values: values)
                })
            for holder in stateHolders { try holder.restore(state.arrays(of: holder.stateName)) }
        } catch let error as AnnealError {
            throw error.within(path)
        }
        updates = record.updates
        return record.progress
    }

    /// A parameter's name in MXNet's files.
    func storedName(_ name: String) -> String { (parameters.isAuxiliary(name) ? "aux:" : "arg:") + name }

    /// A run resumes with what was frozen and multiplied before.
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
                "multipliers", "of learning rate or weight decay were others",
                suggestion: "resume with the same --lr-mult and --wd-mult", code: .mismatch)
        }
    }

    private func checkHolders(_ record: StateRecord) throws {
        let known = Set(stateHolders.map(\.stateName)), saved = Set(record.holders)
        guard let odd = known.symmetricDifference(saved).min() else { return }
        throw AnnealError(
            "state", saved.contains(odd) ? "has arrays of \(odd), the run has none" : "has no arrays of \(odd)",
            suggestion: "resume with the same flags", code: .mismatch)
    }
}

/// A state file's contents.
private struct SavedState {
    let record: StateRecord
    /// By the part of their names before the colon; they are named by the rest.
    private let groups: [String: [StoredArray]]

    init(_ path: String) throws {
        var record: StateRecord?, groups: [String: [StoredArray]] = [:]
        for var array in try StateFile.read(path) {
            if array.name == StateRecord.name {
                record = try? JSONDecoder().decode(StateRecord.self, from: Data(array.bytes))
            } else if let colon = array.name.firstIndex(of: ":") {
                let group = String(array.name[..<colon])
                array.name = String(array.name[array.name.index(after: colon)...])
                groups[group, default: []].append(array)
            }
        }
        guard let record, record.isPossible else {
            throw AnnealError(
                path, "has no record of a run", suggestion: "delete it to start again with a new optimizer",
                code: .damaged)
        }
        self.record = record
        self.groups = groups
    }

    /// As a `.params` file has them.
    var parameters: [StoredArray] {
        ["arg", "aux"].flatMap { group in
            arrays(of: group).map { array in
                StoredArray(name: "\(group):\(array.name)", dtype: array.dtype, shape: array.shape, bytes: array.bytes)
            }
        }
    }

    func arrays(of group: String) -> [StoredArray] { groups[group] ?? [] }
}
