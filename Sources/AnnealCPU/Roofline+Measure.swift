import AnnealCompiler
import AnnealCore
import CAnnealKernels
import COneDNN
import Foundation

extension Roofline {
    /// Measures this machine in about a second, on all threads: the fastest of several products of large matrices by
    /// oneDNN, and of several passes y = x + y / 2 over arrays that do not fit into any cache.
    package static func measure() throws -> Roofline {
        let edge = 2048, size = edge * edge
        let matrices = try (0..<3).map { _ in try filled(size) }
        let n = Int64(edge)
        let product = try fastest {
            let status = Parallel.withoutSignals {
                onednn_sgemm(0, 0, n, n, n, 1, matrices[0].base, n, matrices[1].base, n, 0, matrices[2].base, n)
            }
            try check(status, "multiplying matrices")
        }
        // Together four times the last-level cache (as McCalpin's STREAM requires), but at most a gigabyte.
        let cache = max(sysconf(Int32(_SC_LEVEL3_CACHE_SIZE)), sysconf(Int32(_SC_LEVEL2_CACHE_SIZE)))
        let count = min(max(2 * cache, 64 << 20), 512 << 20) / MemoryLayout<Float>.size
        let x = try filled(count), y = try filled(count)
        let pass = fastest { anneal_axpby(1, x.base, 0.5, y.base, Int64(count)) }
        return Roofline(
            flops: 2 * pow(Double(edge), 3) / product,
            bandwidth: 3 * Double(count * MemoryLayout<Float>.size) / pass)
    }

    private static func filled(_ count: Int) throws -> Arena {
        let arena = try Arena(count)
        anneal_fill(arena.base, 1, Int64(count))
        return arena
    }

    /// Seconds of the fastest run within half a second, of at least three.
    private static func fastest(_ body: () throws -> Void) rethrows -> Double {
        let clock = ContinuousClock(), start = clock.now
        var best = Duration.seconds(3600), runs = 0
        repeat {
            best = min(best, try clock.measure(body))
            runs += 1
        } while runs < 3 || clock.now - start < .milliseconds(500)
        return best / .seconds(1)
    }
}
