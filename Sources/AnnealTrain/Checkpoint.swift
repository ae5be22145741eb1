import AnnealCompiler
import AnnealCore
import AnnealGraph
import Foundation

/// A network and its parameters in MXNet's files: `PREFIX-symbol.json` and `PREFIX-NNNN.params`.
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

    /// `PREFIX-symbol.json`.
    public static func symbolPath(_ prefix: String) -> String { "\(prefix)-symbol.json" }
    /// `PREFIX-NNNN.params`, with at least four digits.
    public static func parametersPath(_ prefix: String, _ epoch: Int) -> String {
        "\(prefix)-\(String(format: "%04d", epoch)).params"
    }
    /// The run's state after an epoch, next to MXNet's files, to continue training with the same bits.
    public static func resumePath(_ prefix: String, _ epoch: Int) -> String {
        "\(prefix)-\(String(format: "%04d", epoch)).resume"
    }
    /// The run's last saved state, at the end of an epoch or inside one.
    public static func latestPath(_ prefix: String) -> String { "\(prefix)-latest.resume" }

    /// Reads a checkpoint's symbol and parameters.
    /// - Throws: `AnnealError` naming the file that is missing or damaged.
    public static func load(prefix: String, epoch: Int) throws -> Checkpoint {
        try checkExists(prefix: prefix, epoch: epoch)
        let symbol = try Symbol.load(symbolPath(prefix))
        return try Checkpoint(symbol: symbol, arrays: try ParamsFile.read(parametersPath(prefix, epoch)))
    }

    /// From a file's arrays. Names with and without `arg:` and `aux:` are accepted, as in MXNet's older files.
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

    /// The arrays of a `.params` file, as float32 and in the symbol's order; arrays that the network does not use are
    /// left out.
    public func storedArrays() throws -> [StoredArray] {
        try symbol.argumentNames().compactMap { name in arguments[name].map { StoredArray(name: "arg:" + name, $0) } }
            + symbol.auxiliaryNames().compactMap { name in auxiliary[name].map { StoredArray(name: "aux:" + name, $0) }
            }
    }

    /// Removes temporary files of this prefix that a killed run left behind.
    public static func removeLeftovers(prefix: String) {
        let stem = Files.name(of: prefix) + "-"
        Files.removeLeftovers(in: Files.folder(of: prefix)) { name in
            name.utf8.starts(with: stem.utf8)
                && String(name.utf8.dropFirst(stem.utf8.count))?.wholeMatch(
                    of: /symbol\.json|preprocessing\.json|latest\.resume|[0-9]{4,}\.(params|resume)/) != nil
        }
    }

    /// Deletes an epoch's files; the symbol stays.
    static func remove(prefix: String, epoch: Int) {
        for path in [parametersPath(prefix, epoch), resumePath(prefix, epoch)] { Files.remove(path) }
    }

    /// Sets every parameter and state of a store; other arrays of the checkpoint are ignored.
    /// - Throws: an error that names the file and the array that is missing or has another shape.
    public func restore(_ parameters: ParameterStore, place: String) throws {
        for name in parameters.names {
            guard let value = parameters.isAuxiliary(name) ? auxiliary[name] : arguments[name] else {
                throw AnnealError(
                    place, "has no \(parameters.isAuxiliary(name) ? "state" : "parameter") \(name)",
                    suggestion: "it belongs to another network", code: .mismatch)
            }
            do {
                try parameters.set(name, value)
            } catch let error as AnnealError {
                throw error.within(place)
            }
        }
    }
}

extension Trainer {
    /// Writes the checkpoint of an epoch: all of its files, or none if one cannot be written. The parameters are
    /// written last: if they exist, the checkpoint is complete.
    /// - Parameters:
    ///   - epoch: the number of epochs done.
    ///   - progress: the run's progress; nil: just those epochs.
    /// - Returns: the path of the parameters.
    @discardableResult
    public func save(prefix: String, epoch: Int, _ progress: FitProgress? = nil) throws -> String {
        let progress = progress ?? FitProgress(position: FitPosition(epoch: epoch))
        return try saveCheckpoint(prefix: prefix, epoch: epoch) { files, path in
            try files.write(to: path) { try encodeState(progress, $0) }
        }
    }

    /// As above, for a run with a state that is already saved.
    /// - Parameter state: the state's file; the checkpoint gets a link to it.
    @discardableResult
    func save(prefix: String, epoch: Int, state: String) throws -> String {
        try saveCheckpoint(prefix: prefix, epoch: epoch) { files, path in try files.link(state, to: path) }
    }

    private func saveCheckpoint(
        prefix: String, epoch: Int, addState: (inout AtomicFiles, String) throws -> Void
    ) throws -> String {
        let folder = Files.folder(of: prefix), path = Checkpoint.parametersPath(prefix, epoch)
        if !folder.isEmpty { try Files.makeFolder(folder) }
        var files = AtomicFiles()
        try files.write(Data(try symbol.json().utf8), to: Checkpoint.symbolPath(prefix))
        try addState(&files, Checkpoint.resumePath(prefix, epoch))
        let names = parameters.names, stored = names.map(storedName)
        try withValidatedWeights {
            try files.write(to: path) { write in
                try ParamsFile.encode(
                    stored, array: { StoredArray(name: stored[$0], try parameters.tensor(names[$0])) }, write)
            }
        }
        try files.finish()
        return path
    }

    /// Restores a checkpoint: the whole state if there is a resume file, else the parameters alone.
    /// - Returns: the run's progress; nil if the optimizer starts again, as in MXNet's scripts.
    public func restore(prefix: String, epoch: Int) throws -> FitProgress? {
        try Checkpoint.checkExists(prefix: prefix, epoch: epoch)
        let path = Checkpoint.resumePath(prefix, epoch), parametersPath = Checkpoint.parametersPath(prefix, epoch)
        if Files.exists(path) { return try restoreState(path, matching: parametersPath) }
        try restoreParameters(prefix: prefix, epoch: epoch)
        return nil
    }

    /// Loads a checkpoint's parameters alone, as MXNet's scripts do; the optimizer does not change.
    public func restoreParameters(prefix: String, epoch: Int) throws {
        try Checkpoint.load(prefix: prefix, epoch: epoch)
            .restore(parameters, place: Checkpoint.parametersPath(prefix, epoch))
    }
}
