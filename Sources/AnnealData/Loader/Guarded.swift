import Foundation

/// A value protected by a mutex with two condition variables: the standard library's `Mutex` has none.
///
/// `@unchecked Sendable` because the value is touched only with the mutex held, and never handed out by reference.
package final class Guarded<State: Sendable>: @unchecked Sendable {
    /// The conditions that threads wait for, one variable each, so that a wake-up reaches the right threads.
    package enum Condition {
        /// There is work for the workers.
        case work
        /// A worker has finished something.
        case progress
    }

    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let work: UnsafeMutablePointer<pthread_cond_t>
    private let progress: UnsafeMutablePointer<pthread_cond_t>
    private var state: State

    package init(_ state: State) {
        self.state = state
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        work = .allocate(capacity: 1)
        work.initialize(to: pthread_cond_t())
        pthread_cond_init(work, nil)
        progress = .allocate(capacity: 1)
        progress.initialize(to: pthread_cond_t())
        pthread_cond_init(progress, nil)
    }

    deinit {
        pthread_cond_destroy(progress)
        pthread_cond_destroy(work)
        pthread_mutex_destroy(mutex)
        progress.deallocate()
        work.deallocate()
        mutex.deallocate()
    }

    package func withLock<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }

    /// Calls `body` with the mutex held until it returns a value, waiting on the condition in between.
    package func wait<Result>(for condition: Condition, until body: (inout State) -> Result?) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&state) { return result }
            pthread_cond_wait(condition == .work ? work : progress, mutex)
        }
    }

    /// Wakes all threads that wait on the condition.
    package func signal(_ condition: Condition) { pthread_cond_broadcast(condition == .work ? work : progress) }
}
