import AnnealCore
import Foundation

/// Readers with defects that must be found: who finds none in the others has then looked.
let plantedTargets = [
    planted("planted-crash") { bytes in if bytes[0] != 0 { abort() } },
    planted("planted-hang") { bytes in while bytes[0] != 0 { usleep(1000) } },
    planted("planted-memory") { bytes in
        if bytes[0] != 0 { _ = [UInt8](repeating: 1, count: FuzzTarget.fixedMemory + 1 << 20) }
    },
    planted("planted-error") { bytes in if bytes[0] != 0 { throw CocoaError(.fileReadCorruptFile) } },
]

private func planted(_ name: String, _ defect: @escaping @Sendable ([UInt8]) throws -> Void) -> FuzzTarget {
    FuzzTarget(name: name, secondsLimit: 1) { _ in
        FuzzReader(seeds: [[0, 0, 0, 0]]) { bytes in
            guard bytes.count == 4 else { throw AnnealError("input", "has not 4 bytes") }
            try defect(bytes)
        }
    }
}
