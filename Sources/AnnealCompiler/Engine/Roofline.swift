import AnnealCore
import Foundation

/// The peak performance of a machine: an operation is limited by its arithmetic or by its memory traffic.
///
/// Williams, Waterman and Patterson 2009, "Roofline: an insightful visual performance model for multicore architectures".
package struct Roofline: Sendable {
    /// Floating-point operations per second.
    package var flops: Double
    /// Bytes per second between the CPU and memory.
    package var bandwidth: Double

    package init(flops: Double, bandwidth: Double) {
        self.flops = flops
        self.bandwidth = bandwidth
    }

    /// A lower bound for an operation's seconds: at the rate min(peak, bandwidth × flops / bytes) if it computes.
    package func seconds(flops: Double, bytes: Double) -> Double { max(flops / self.flops, bytes / bandwidth) }

    package var text: String {
        let gigaflops = String(format: "%.1f", flops * 1e-9), gigabytes = String(format: "%.1f", bandwidth * 1e-9)
        return "\(gigaflops) GFLOP/s (a product of large matrices), \(gigabytes) GB/s (a pass over large arrays), "
            + "\(Parallel.threads) threads"
    }
}
