import Dispatch
import Synchronization

/// `body(0) ... body(count - 1)` on several threads, the results in order.
/// - Throws: the error of the lowest index that failed.
func parallelMap<Value: Sendable>(
    _ count: Int, threads: Int, _ body: @Sendable (Int) throws -> Value
) throws -> [Value] {
    let next = Atomic<Int>(0)
    let results = Mutex<[Result<Value, any Error>?]>(Array(repeating: nil, count: count))
    DispatchQueue.concurrentPerform(iterations: max(1, min(threads, count))) { _ in
        let grain = 16
        while true {
            let start = next.add(grain, ordering: .relaxed).oldValue
            guard start < count else { return }
            let range = start..<min(count, start + grain)
            let made = range.map { index in Result { try body(index) } }
            results.withLock { results in
                for (index, result) in zip(range, made) { results[index] = result }
            }
        }
    }
    return try results.withLock { try $0.compactMap { try $0?.get() } }
}
