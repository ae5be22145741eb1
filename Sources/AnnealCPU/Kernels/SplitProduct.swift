import AnnealCompiler
import AnnealCore
import COneDNN
import Synchronization

/// Row-major products C (m, n) = op(A) op(B) + beta C, one after the other, split into parts that depend on their shape
/// only. Each part is computed by one thread: by itself oneDNN divides products, and even the sum of one element, by
/// the number of threads, so that the last bits depend on it.
struct SplitProduct: Sendable {
    let batch, m, n, k: Int
    /// Whether A and B are stored transposed.
    let transposeA, transposeB: Bool
    private let rowParts, columnParts: Int

    /// Multiplications below which a second or third thread is not worth reading its share of A and B.
    private static let leastWork = 1 << 20, partWork = 1 << 22

    init(batch: Int = 1, m: Int, n: Int, k: Int, transposeA: Bool = false, transposeB: Bool = false) {
        self.batch = batch
        self.m = m
        self.n = n
        self.k = k
        self.transposeA = transposeA
        self.transposeB = transposeB
        // Every part reads its share of A and B into the caches again: few parts if sides are short.
        let work = m * n * k, most = min(16 / max(batch, 1), max(work / Self.partWork, work >= Self.leastWork ? 2 : 1))
        var rows = 1, columns = 1
        while rows * columns * 2 <= most {
            let side = max(m / rows, n / columns)
            guard side >= (rows * columns < 4 ? 32 : 512) else { break }
            if m / rows > n / columns { rows *= 2 } else { columns *= 2 }
        }
        rowParts = rows
        columnParts = columns
    }

    var flops: Double { 2 * Double(batch) * Double(m) * Double(n) * Double(k) }

    /// A kernel that computes nothing but this product.
    func kernel(_ a: Program.Operand, _ b: Program.Operand, to c: Program.Operand) -> PreparedKernel {
        var kernel = PreparedKernel.checked({ memory in
            let a = memory[a], b = memory[b], c = memory[c]
            return { run(a, b, to: c) }
        })
        kernel.flops = flops
        return kernel
    }

    /// - Returns: oneDNN's status.
    func run(
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, beta: Float = 0, to c: UnsafeMutablePointer<Float>
    ) -> Int32 {
        let operands = Operands(a: a, b: b, c: c, beta: beta), parts = batch * rowParts * columnParts
        guard parts > 1, batch * m * n * k >= Self.leastWork else {
            return onOneThread { (0..<parts).lazy.map { part($0, operands) }.first { $0 != 0 } ?? 0 }
        }
        let failure = Atomic<Int32>(0)
        Parallel.run { thread, threads in
            for index in Parallel.slice(parts, part: thread, parts: threads, grain: 1) {
                let status = part(index, operands)
                if status != 0 { failure.store(status, ordering: .relaxed) }
            }
        }
        return failure.load(ordering: .relaxed)
    }

    private func part(_ index: Int, _ operands: Operands) -> Int32 {
        let item = index / (rowParts * columnParts), place = index % (rowParts * columnParts)
        let rows = Parallel.slice(m, part: place / columnParts, parts: rowParts)
        let columns = Parallel.slice(n, part: place % columnParts, parts: columnParts)
        let a = operands.a + item * m * k + rows.lowerBound * (transposeA ? 1 : k)
        let b = operands.b + item * k * n + columns.lowerBound * (transposeB ? k : 1)
        let c = operands.c + (item * m + rows.lowerBound) * n + columns.lowerBound
        return onednn_sgemm(
            transposeA ? 1 : 0, transposeB ? 1 : 0, Int64(rows.count), Int64(columns.count), Int64(k), 1, a,
            Int64(transposeA ? m : k), b, Int64(transposeB ? k : n), operands.beta, c, Int64(n))
    }

    /// Memory that the threads read together and write in separate parts.
    private struct Operands: @unchecked Sendable {
        let a, b: UnsafePointer<Float>
        let c: UnsafeMutablePointer<Float>
        let beta: Float
    }
}

/// Runs `body` with one thread for the regions it starts. The setting belongs to the calling thread, so that no other
/// sees it.
func onOneThread<Result>(_ body: () throws -> Result) rethrows -> Result {
    let threads = Parallel.threads
    Parallel.setThreads(1)
    defer { Parallel.setThreads(threads) }
    return try body()
}
