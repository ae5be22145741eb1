import AnnealCore
import AnnealGraph
import Foundation

extension Trainer {
    /// SHA-256 of what later steps follow from, by what it is of: two runs with the same hashes go on alike.
    public func stateHashes() throws -> [(name: String, hash: String)] {
        var weights = SHA256(), state = SHA256()
        for name in parameters.names {
            weights.add(name)
            weights.add(try parameters.tensor(name).elements)
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        try encoder.encode(optimizer.snapshot()).withUnsafeBytes { state.update($0) }
        for array in optimizer.stateArrays() {
            state.add(array.name)
            state.add(array.values)
        }
        state.add("updates \(updates), seed \(seed)")
        for holder in stateHolders {
            for array in try holder.stateArrays() {
                state.add("\(holder.stateName):\(array.name)")
                array.bytes.withUnsafeBytes { state.update($0) }
            }
        }
        return [("weights", weights.finish()), ("optimizer", state.finish())]
    }
}

extension SHA256 {
    fileprivate mutating func add(_ text: String) { Array(text.utf8).withUnsafeBytes { update($0) } }
    fileprivate mutating func add(_ values: [Float]) { values.withUnsafeBytes { update($0) } }
}
