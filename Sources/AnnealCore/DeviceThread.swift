import Foundation
import Synchronization

/// A thread that runs one piece of work after another for as long as the object is kept. OpenMP gives each thread that
/// starts parallel regions a pool of its own, so each device keeps its pool.
package final class DeviceThread: Sendable {
    private final class Mailbox: Sendable {
        let work = Mutex<(@Sendable () -> Void)?>(nil)
        let isEnding = Mutex(false)
        let given = DispatchSemaphore(value: 0)
        let done = DispatchSemaphore(value: 0)
    }

    private let mailbox = Mailbox()
    private let isBusy = Mutex(false)

    /// - Parameter pool: threads for the parallel regions of its work.
    /// - Throws: `AnnealError` when the thread cannot be started.
    package init(_ name: String, pool: Int) throws {
        let mailbox = mailbox
        try OwnThread.start(name, pool: pool) {
            while true {
                mailbox.given.wait()
                if mailbox.isEnding.withLock({ $0 }) { return }
                mailbox.work.withLock { work in
                    defer { work = nil }
                    return work
                }?()
                mailbox.done.signal()
            }
        }
    }

    deinit {
        mailbox.isEnding.withLock { $0 = true }
        mailbox.given.signal()
    }

    /// Starts a piece of work; `wait` must be called before the next one.
    package func start(_ work: @escaping @Sendable () -> Void) {
        isBusy.withLock { $0 = true }
        mailbox.work.withLock { $0 = work }
        mailbox.given.signal()
    }

    /// Returns when the most recently started work is done; at once if there is none.
    package func wait() {
        let busy = isBusy.withLock { busy in
            defer { busy = false }
            return busy
        }
        if busy { mailbox.done.wait() }
    }
}
