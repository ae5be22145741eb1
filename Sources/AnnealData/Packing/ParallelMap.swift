import AnnealCore
import Synchronization

/// `body(0) ... body(count - 1)` on several threads, with the results in order. If the system cannot start more
/// threads, the existing ones do the work.
/// - Throws: the error of the lowest index that failed.
func parallelMap<Value: Sendable>(
    _ count: Int, threads: Int, _ body: @Sendable (Int) throws -> Value
) throws -> [Value] {
    let shared = Shared<Value>(count)
    withoutActuallyEscaping(body) { body in
        let work: @Sendable () -> Void = {
            let grain = 16
            while true {
                let start = shared.next.add(grain, ordering: .relaxed).oldValue
                guard start < count else { return }
                let range = start..<min(count, start + grain)
                let made = range.map { index in Result { try body(index) } }
                shared.results.withLock { results in
                    for (index, result) in zip(range, made) { results[index] = result }
                }
            }
        }
        let helpers = (1..<max(1, min(threads, count))).compactMap { _ in WorkerThread("anneal-map", work) }
        work()
        for helper in helpers { helper.join() }
    }
    return try shared.results.withLock { try $0.compactMap { try $0?.get() } }
}

/// State shared by the threads.
private final class Shared<Value: Sendable>: Sendable {
    let next = Atomic<Int>(0)
    let results: Mutex<[Result<Value, any Error>?]>

    init(_ count: Int) { results = Mutex(Array(repeating: nil, count: count)) }
}
