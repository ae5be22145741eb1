import AnnealCore

/// The norm of several arrays together: sums of fixed pieces are added in order, for any number of threads.
final class GradientNorm {
    private let pieces: ArrayPieces
    private let sums: UnsafeMutableBufferPointer<Double>

    init(_ arrays: [FloatArray]) {
        pieces = ArrayPieces(arrays) { _ in ArrayPieces.size }
        sums = .allocate(capacity: pieces.count)
        sums.initialize(repeating: 0)
    }

    deinit { sums.deallocate() }

    /// min(1, limit / (norm · scale + 1e-6)); a NaN norm leaves gradients unchanged, so that the problem is noticed.
    func scale(_ limit: Double, by scale: Float) -> Float {
        let target = SharedSums(sums: sums)
        pieces.run { piece, array in target.sums[piece.number] = Self.squares(array.memory + piece.start, piece.count) }
        let norm = sums.reduce(0, +).squareRoot()
        let part = limit / (norm * Double(scale) + 1e-6)
        return part < 1 ? Float(part) : 1
    }

    /// Four partial sums, each over every fourth element, so that the additions are independent.
    private static func squares(_ values: UnsafeMutablePointer<Float>, _ count: Int) -> Double {
        var sums = SIMD4<Double>(repeating: 0)
        var i = 0
        while i + 4 <= count {
            // In double precision: the square of a large float overflows.
            let x = SIMD4<Double>(SIMD4(values[i], values[i + 1], values[i + 2], values[i + 3]))
            sums += x * x
            i += 4
        }
        while i < count {
            sums[0] += Double(values[i]) * Double(values[i])
            i += 1
        }
        return (sums[0] + sums[1]) + (sums[2] + sums[3])
    }
}

private struct SharedSums: @unchecked Sendable {
    // Each piece writes its own element.
    let sums: UnsafeMutableBufferPointer<Double>
}
