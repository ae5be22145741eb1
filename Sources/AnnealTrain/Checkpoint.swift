import AnnealCore
import AnnealEngine
import AnnealGraph
import Foundation

/// A network and its parameters as MXNet's files hold them: `PREFIX-symbol.json` and `PREFIX-NNNN.params`.
public struct Checkpoint: Sendable {
    public var symbol: Symbol
    /// Parameters by name.
    public var arguments: [String: Tensor]
    /// Auxiliary states by name.
    public var auxiliary: [String: Tensor]

    public init(symbol: Symbol, arguments: [String: Tensor], auxiliary: [String: Tensor]) {
        self.symbol = symbol
        self.arguments = arguments
        self.auxiliary = auxiliary
    }

    public static func symbolPath(_ prefix: String) -> String { "\(prefix)-symbol.json" }
    public static func parametersPath(_ prefix: String, _ epoch: Int) -> String {
        "\(prefix)-\(String(format: "%04d", epoch)).params"
    }
    /// What Anneal keeps beside MXNet's files to go on training bit for bit.
    public static func resumePath(_ prefix: String, _ epoch: Int) -> String {
        "\(prefix)-\(String(format: "%04d", epoch)).resume"
    }

    /// Throws an error that names the checkpoints that are there if this one is not.
    public static func checkExists(prefix: String, epoch: Int) throws {
        let path = parametersPath(prefix, epoch)
        guard !Files.exists(path) else { return }
        let folder = Files.folder(of: prefix), stem = Files.name(of: prefix)
        let others = ((try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)) ?? [])
            .filter { $0.hasPrefix(stem + "-") && $0.hasSuffix(".params") }.sorted()
        throw AnnealError(
            path, "does not exist",
            mend: others.isEmpty
                ? "no checkpoint of the prefix \(prefix) is there"
                : "there are \(others.suffix(5).joined(separator: ", "))")
    }

    public static func load(prefix: String, epoch: Int) throws -> Checkpoint {
        try checkExists(prefix: prefix, epoch: epoch)
        let symbol = try Symbol.load(symbolPath(prefix))
        return try Checkpoint(symbol: symbol, arrays: try ParamsFile.read(parametersPath(prefix, epoch)))
    }

    /// From a file's arrays. Names with and without `arg:` and `aux:` are taken, as MXNet's older files have them.
    public init(symbol: Symbol, arrays: [StoredArray]) throws {
        self.init(symbol: symbol, arguments: [:], auxiliary: [:])
        let states = Set(try symbol.auxiliaryNames())
        for array in arrays {
            if array.name.hasPrefix("arg:") {
                arguments[String(array.name.dropFirst(4))] = array.tensor()
            } else if array.name.hasPrefix("aux:") {
                auxiliary[String(array.name.dropFirst(4))] = array.tensor()
            } else if states.contains(array.name) {
                auxiliary[array.name] = array.tensor()
            } else if !array.name.isEmpty {
                arguments[array.name] = array.tensor()
            }
        }
    }

    /// The arrays of a `.params` file, as float32 and in the symbol's order; what the network does not use is left out.
    public func storedArrays() throws -> [StoredArray] {
        try symbol.argumentNames().compactMap { name in arguments[name].map { StoredArray(name: "arg:" + name, $0) } }
            + symbol.auxiliaryNames().compactMap { name in auxiliary[name].map { StoredArray(name: "aux:" + name, $0) }
            }
    }

    /// Deletes an epoch's files; the symbol stays.
    static func remove(prefix: String, epoch: Int) {
        for path in [parametersPath(prefix, epoch), resumePath(prefix, epoch)] {
            try? FileManager.default.removeItem(atPath: path)
        }
    }

    /// Sets every parameter and state of a store; what the checkpoint has beyond it is passed over.
    /// - Throws: an error that names the file and what it lacks or has in another shape.
    public func restore(_ parameters: ParameterStore, place: String) throws {
        for name in parameters.names {
            guard let value = parameters.isAuxiliary(name) ? auxiliary[name] : arguments[name] else {
                throw AnnealError(
                    place, "has no \(parameters.isAuxiliary(name) ? "state" : "parameter") \(name)",
                    mend: "it is of another network")
            }
            do {
                try parameters.set(name, value)
            } catch let error as AnnealError {
                throw error.within(place)
            }
        }
    }
}

/// What a run needs beyond its parameters to go on bit for bit.
private struct ResumeRecord: Codable {
    var version = 1
    var seed: UInt64
    var updates: Int
    var batchSize: Int
    var frozen: [String]
    var multipliers: Multipliers
    var optimizer: OptimizerSnapshot
}

extension Trainer {
    /// Writes the checkpoint of an epoch, each file whole or not at all; the parameters come last, so that where they
    /// are, all is there.
    /// - Returns: the parameters' path.
    @discardableResult
    public func save(prefix: String, epoch: Int) throws -> String {
        let folder = Files.folder(of: prefix)
        if !folder.isEmpty { try Files.makeFolder(folder) }
        try Files.writeAtomically(Data(try symbol.json().utf8), to: Checkpoint.symbolPath(prefix))
        try saveResumeState(to: Checkpoint.resumePath(prefix, epoch))
        let path = Checkpoint.parametersPath(prefix, epoch)
        let names = parameters.names
        let stored = names.map { (parameters.isAuxiliary($0) ? "aux:" : "arg:") + $0 }
        try ParamsFile.write(names: stored, to: path) {
            StoredArray(name: stored[$0], try parameters.tensor(names[$0]))
        }
        return path
    }

    private func saveResumeState(to path: String) throws {
        let record = ResumeRecord(
            seed: seed, updates: updates, batchSize: batchSize, frozen: frozen.sorted(),
            multipliers: optimizer.settings.multipliers, optimizer: optimizer.snapshot())
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = try encoder.encode(record)
        let states = optimizer.states
        try ParamsFile.write(names: ["record"] + states.map(\.name), to: path) { index in
            guard index > 0 else {
                return StoredArray(name: "record", dtype: .uint8, shape: [json.count], bytes: json)
            }
            // In plain layout: another processor may block its channels otherwise.
            let state = states[index - 1]
            return StoredArray(name: state.name, try parameters.plain(state.memory, of: state.parameter))
        }
    }

    /// The seed that a checkpoint was trained with; nil without a resume file.
    public static func savedSeed(prefix: String, epoch: Int) throws -> UInt64? {
        let path = Checkpoint.resumePath(prefix, epoch)
        return Files.exists(path) ? try readRecord(path).record.seed : nil
    }

    /// Goes back to a checkpoint: parameters, states, and, where the resume file is there, the optimizer.
    /// - Returns: whether the optimizer's state was restored; if not, it starts anew as MXNet's scripts do.
    public func restore(prefix: String, epoch: Int) throws -> Bool {
        try Checkpoint.load(prefix: prefix, epoch: epoch)
            .restore(parameters, place: Checkpoint.parametersPath(prefix, epoch))
        let path = Checkpoint.resumePath(prefix, epoch)
        guard Files.exists(path) else { return false }
        let (record, arrays) = try Trainer.readRecord(path)
        do {
            guard record.batchSize == batchSize else {
                throw AnnealError(
                    "batch size", "was \(record.batchSize), now it is \(batchSize)",
                    mend: "resume with --batch-size \(record.batchSize)")
            }
            try checkSelection(record)
            try optimizer.bind(trained)
            let states = try arrays.compactMap { array -> OptimizerArray? in
                guard let state = OptimizerArray(name: array.name, values: []) else { return nil }
                let values = try parameters.packed(array.tensor(), of: state.parameter)
                return OptimizerArray(parameter: state.parameter, index: state.index, values: values)
            }
            try optimizer.restore(record.optimizer, arrays: states)
        } catch let error as AnnealError {
            throw error.within(path)
        }
        updates = record.updates
        return true
    }

    /// Resuming goes on with what was frozen and multiplied before.
    private func checkSelection(_ record: ResumeRecord) throws {
        let odd = frozen.symmetricDifference(record.frozen).sorted()
        guard odd.isEmpty else {
            let names = odd.prefix(3).joined(separator: ", ") + (odd.count > 3 ? ", …" : "")
            throw AnnealError(
                "frozen parameters",
                "were \(record.frozen.count), now they are \(frozen.count): \(names) on one side only",
                mend: "resume with the same --freeze")
        }
        guard record.multipliers == optimizer.settings.multipliers else {
            throw AnnealError(
                "multipliers", "of learning rate or weight decay were others",
                mend: "resume with the same --lr-mult and --wd-mult")
        }
    }

    private static func readRecord(_ path: String) throws -> (record: ResumeRecord, states: [StoredArray]) {
        var arrays = try ParamsFile.read(path)
        guard let index = arrays.firstIndex(where: { $0.name == "record" }),
            let record = try? JSONDecoder().decode(ResumeRecord.self, from: Data(arrays.remove(at: index).bytes)),
            (0..<1 << 53).contains(record.updates)
        else {
            throw AnnealError(path, "is not a state to resume from", mend: "delete it to start the optimizer anew")
        }
        return (record, arrays)
    }
}
