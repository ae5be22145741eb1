import AnnealCore
import Foundation

/// Readers with planted defects that must be found, which proves that the others are really tested.
let plantedTargets = [
    planted("planted-crash") { _ in abort() },
    planted("planted-hang") { _ in while true { usleep(1000) } },
    planted("planted-memory") { bytes in
        let large = [UInt8](repeating: bytes.last ?? 1, count: FuzzTarget.fixedMemory + 1 << 20)
        if large.last == 0 { throw AnnealError("input", "ends in zero") }
    },
    planted("planted-error") { _ in throw CocoaError(.fileReadCorruptFile) },
]

private func planted(_ name: String, _ defect: @escaping @Sendable ([UInt8]) throws -> Void) -> FuzzTarget {
    FuzzTarget(name: name, secondsLimit: 1) { _ in
        FuzzReader(seeds: [[0, 0, 0, 0]]) { bytes in if bytes.contains(where: { $0 != 0 }) { try defect(bytes) } }
    }
}
