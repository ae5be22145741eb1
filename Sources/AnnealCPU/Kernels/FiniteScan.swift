import AnnealCore
import Synchronization

/// Looks for values that are not finite, in one parallel pass over all arrays.
struct FiniteScan: Sendable {
    private let arrays: [FloatArray]

    init(_ arrays: [FloatArray]) { self.arrays = arrays }

    func run(_ flags: UnsafeMutablePointer<Float>) {
        let broken = Mutex<[Int]>([])
        Parallel.run { part, parts in
            for (index, array) in arrays.enumerated() {
                let range = Parallel.slice(array.count, part: part, parts: parts)
                if !Self.isFinite(array.memory, range) { broken.withLock { $0.append(index) } }
            }
        }
        for index in arrays.indices { flags[index] = 1 }
        for index in broken.withLock({ $0 }) { flags[index] = 0 }
    }

    /// NaN and infinities have all bits of the exponent set.
    private static func isFinite(_ values: UnsafeMutablePointer<Float>, _ range: Range<Int>) -> Bool {
        var broken: UInt32 = 0
        for i in range { broken |= (values[i].bitPattern & 0x7f80_0000) == 0x7f80_0000 ? 1 : 0 }
        return broken == 0
    }
}
