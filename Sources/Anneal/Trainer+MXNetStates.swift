import AnnealCompiler
import AnnealCore
import AnnealGraph
import AnnealImport
import AnnealTrain
import Foundation

extension Trainer {
    /// MXNet's optimizer states of an epoch, which its Module saves next to a checkpoint.
    public static func mxnetStatesPath(_ prefix: String, _ epoch: Int) -> String {
        String(Checkpoint.parametersPath(prefix, epoch).dropLast(".params".count)) + ".states"
    }

    /// Writes the optimizer's arrays as MXNet's `save_optimizer_states` does: by a parameter's index among the
    /// network's arguments, without data and labels. Update counts are not included.
    public func saveMXNetStates(to path: String) throws {
        try startStates()
        try training.settle()
        var states: [Int: [StoredArray]] = [:]
        for (number, name) in try trainedArguments().enumerated() {
            states[number] = try optimizerStates(name).map { StoredArray(name: "", try $0.array.read()) }
        }
        try Files.writeAtomically(OptimizerStatesFile.encode(states), to: path)
    }

    /// Loads the optimizer's arrays from an MXNet file. The file is a pickle; nothing in it is executed.
    /// - Throws: `AnnealError`, without changing anything, if it belongs to another network or optimizer.
    public func restoreMXNetStates(_ path: String) throws {
        do {
            let states = try OptimizerStatesFile.decode(Files.read(path)), names = try trainedArguments()
            try startStates()
            var values: [(ParameterStore.Entry, Tensor)] = []
            for (number, name) in names.enumerated() {
                let entries = optimizerStates(name), arrays = states[number] ?? []
                guard arrays.count == entries.count else {
                    throw AnnealError(
                        "state \(number) (\(name))",
                        "has \(arrays.count.counted("array")), but the optimizer keeps \(entries.count)",
                        suggestion: "give the optimizer and momentum of the run that saved it", code: .mismatch)
                }
                for (entry, array) in zip(entries, arrays) {
                    guard array.shape == entry.shape else {
                        throw AnnealError(
                            "state \(number) (\(name))",
                            "has the shape \(array.shape), but the parameter has \(entry.shape)",
                            code: .mismatch)
                    }
                    values.append((entry, array.tensor()))
                }
            }
            for (entry, value) in values { try entry.array.write(value) }
        } catch let error as AnnealError {
            throw error.place == path ? error : error.within(path)
        }
    }

    private func trainedArguments() throws -> [String] {
        let fed = Set(try symbol.labelNames() + [symbol.dataName(parameters: Set(parameters.names))])
        return try symbol.argumentNames().filter { !fed.contains($0) }
    }

    /// In the order in which the rule has them.
    private func optimizerStates(_ parameter: String) -> [ParameterStore.Entry] {
        parameters.states.compactMap { entry -> (Int, ParameterStore.Entry)? in
            guard case .optimizer(parameter, let index) = entry.stateName else { return nil }
            return (index, entry)
        }.sorted { $0.0 < $1.0 }.map(\.1)
    }
}
