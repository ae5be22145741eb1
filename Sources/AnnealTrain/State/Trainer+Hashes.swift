import AnnealCore
import AnnealGraph
import Foundation

extension Trainer {
    /// SHA-256 of everything that later steps depend on, by name: two runs with equal hashes continue equally.
    public func stateHashes() throws -> [(name: String, hash: String)] {
        try startStates()
        var weights = SHA256(), state = SHA256()
        for name in parameters.names {
            weights.add(name)
            weights.add(try parameters.tensor(name).elements)
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        try encoder.encode(optimizer.snapshot()).withUnsafeBytes { state.update($0) }
        state.add("updates \(updates), gathered \(gathered), seed \(seed)")
        if let scaler { state.add("loss scale \(scaler.scale), good steps \(scaler.goodSteps)") }
        for entry in savedStates {
            state.add(entry.name)
            state.add(try entry.array.read().elements)
        }
        return [("weights", weights.finish()), ("optimizer", state.finish())]
    }
}

extension SHA256 {
    fileprivate mutating func add(_ text: String) { Array(text.utf8).withUnsafeBytes { update($0) } }
    fileprivate mutating func add(_ values: [Float]) { values.withUnsafeBytes { update($0) } }
}
