import AnnealCompiler
import AnnealCore

extension Trainer {
    /// Whether the parameters of all processes are compared after this update.
    var comparesProcesses: Bool { isBetweenUpdates && updates % 100 == 0 }

    /// Compares the parameters of all processes, which must be the same to the bit.
    /// - Throws: `AnnealError` that names the processes whose parameters differ from the first one's.
    func compareProcesses() throws {
        guard let group = parameters.engine.group, group.size > 1 else { return }
        let hashes = try group.gather(Int(bitPattern: UInt(parametersDigest())), purpose: "parameters' hashes")
        let others = hashes.indices.filter { hashes[$0] != hashes[0] }
        guard !others.isEmpty else { return }
        throw AnnealError(
            "update \(updates)",
            "the parameters of rank \(others.map(String.init).joined(separator: ", ")) differ from those of rank 0",
            suggestion: "a machine computes incorrectly or has faulty memory: resume from the last saved state",
            code: .internalDefect)
    }

    /// A number that depends on every bit of every parameter.
    private func parametersDigest() throws -> UInt64 {
        var digest: UInt64 = 0xcbf2_9ce4_8422_2325
        for entry in parameters.entries {
            for element in try entry.array.read().elements {
                digest = (digest ^ UInt64(element.bitPattern)) &* 0x100_0000_01b3
            }
        }
        return digest
    }
}
