import CAnnealSystem
import Foundation
import Synchronization

/// The process's one thread pool (GCC's OpenMP runtime, which oneDNN runs on too).
public enum Parallel {
    /// The number of threads of a parallel region.
    public static var threads: Int { Int(anneal_max_threads()) }

    /// Sets the number of threads of the regions that start after it, oneDNN's included.
    public static func setThreads(_ count: Int) { anneal_set_threads(Int32(count)) }

    /// Uses no more threads than the container's CPU quota (`ProcessorQuota`), unless OMP_NUM_THREADS is set. `anneal`
    /// calls it first of all.
    public static func limitToQuota() {
        guard ProcessInfo.processInfo.environment["OMP_NUM_THREADS"] == nil, let quota = ProcessorQuota.current(),
            quota < Double(threads)
        else { return }
        setThreads(max(1, Int(quota.rounded(.up))))
    }

    /// Uses no more threads than the system lets this process start (`ulimit -u`, `ulimit -v`, a container's limit):
    /// OpenMP ends the process when it cannot start one. A few are left for image decoding. `anneal` calls it before
    /// the first computation.
    /// - Returns: how many more threads can be started, and how many were planned for computing; nil when there are
    ///   enough.
    public static func limitToStartable() -> (startable: Int, wanted: Int)? {
        // Two loaders with four threads each, and a pool that changes size: its new threads may start before the old
        // ones have ended.
        let wanted = threads, most = 2 * (wanted - 1) + 8
        let startable = startable(most)
        guard startable < most else { return nil }
        let limit = max(startable < 3 ? 1 : 2, 1 + (startable - 8) / 2)
        if limit < wanted { setThreads(limit) }
        // The pool's threads remain, so that nothing else can take their places.
        run { _, _ in }
        return (startable, wanted)
    }

    /// How many threads, up to `most`, can run at the same time.
    private static func startable(_ most: Int) -> Int {
        final class Gate: Sendable { let lock = Mutex(()) }
        let gate = Gate()
        var started: [WorkerThread] = []
        gate.lock.withLock { _ in
            while started.count < most, let thread = WorkerThread("anneal-trial", { gate.lock.withLock { _ in } }) {
                started.append(thread)
            }
        }
        for thread in started { thread.join() }
        return started.count
    }

    /// Runs `body(part, parts)` on every thread of the pool and waits for all of them. The number of parts depends on
    /// the number of threads: the order of sums must not depend on it.
    public static func run(_ body: @Sendable (_ part: Int, _ parts: Int) -> Void) {
        withoutActuallyEscaping(body) { body in
            var box = Box(body: body)
            withUnsafeMutablePointer(to: &box) { pointer in
                anneal_parallel(
                    { context, part, parts in
                        context?.assumingMemoryBound(to: Box.self).pointee.body(Int(part), Int(parts))
                    }, pointer)
            }
        }
    }

    private struct Box { let body: @Sendable (Int, Int) -> Void }

    /// Runs `body` while the calling thread, and the threads of a pool that it starts, take no signals; another thread
    /// of the process does, or they come afterwards.
    ///
    /// Whatever calls oneDNN runs in it. oneDNN's matrix product for AVX-512 keeps the stack pointer inside a block of
    /// the heap, so that a signal handler would write its frame over what lies before that block.
    package static func withoutSignals<Result>(_ body: () throws -> Result) rethrows -> Result {
        _ = signalThread
        let mask = anneal_block_signals()
        defer { anneal_restore_signals(mask) }
        return try body()
    }

    /// Takes the process's signals while the others compute. Without it they come a little later.
    private static let signalThread: Void = WorkerThread("anneal-signals") { while true { pause() } }?.detach() ?? ()

    /// The elements of part `part` when `count` elements are divided among `parts` in multiples of `grain`.
    public static func slice(_ count: Int, part: Int, parts: Int, grain: Int = 16) -> Range<Int> {
        let grains = (count + grain - 1) / grain
        let low = grains * part / parts * grain
        let high = grains * (part + 1) / parts * grain
        return min(low, count)..<min(high, count)
    }
}
