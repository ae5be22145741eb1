import CAnnealKernels
import Foundation

/// The process's one thread pool (GCC's OpenMP runtime, which oneDNN runs on too).
public enum Parallel {
    /// Threads that a parallel region gets.
    public static var threads: Int { Int(ank_max_threads()) }

    /// Sets the threads of the regions that start after it, oneDNN's included.
    public static func setThreads(_ count: Int) { ank_set_threads(Int32(count)) }

    /// Takes no more threads than the container may use at a time, where it is limited (`ProcessorQuota`); OMP_NUM_THREADS
    /// goes before. `anneal` calls it first of all.
    public static func limitToQuota() {
        guard ProcessInfo.processInfo.environment["OMP_NUM_THREADS"] == nil, let quota = ProcessorQuota.current(),
            quota < Double(threads)
        else { return }
        setThreads(max(1, Int(quota.rounded(.up))))
    }

    /// Runs `body(part, parts)` on every thread of the pool and waits for all. Parts are fixed for a number of threads,
    /// so sums over them are repeatable.
    public static func run(_ body: @Sendable (_ part: Int, _ parts: Int) -> Void) {
        withoutActuallyEscaping(body) { body in
            var box = Box(body: body)
            withUnsafeMutablePointer(to: &box) { pointer in
                ank_parallel(
                    { context, part, parts in
                        context?.assumingMemoryBound(to: Box.self).pointee.body(Int(part), Int(parts))
                    }, pointer)
            }
        }
    }

    private struct Box { let body: @Sendable (Int, Int) -> Void }

    /// The elements of part `part` when `count` elements are dealt to `parts` in runs of whole `grain`s.
    public static func slice(_ count: Int, part: Int, parts: Int, grain: Int = 16) -> Range<Int> {
        let grains = (count + grain - 1) / grain
        let low = grains * part / parts * grain
        let high = grains * (part + 1) / parts * grain
        return min(low, count)..<min(high, count)
    }
}
