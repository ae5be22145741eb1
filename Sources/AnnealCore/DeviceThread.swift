import Foundation
import Synchronization

/// A thread that does one piece of work after another, for as long as it is held. A parallel region's pool of threads belongs to
/// the thread that starts it, so that each device keeps one.
package final class DeviceThread: Sendable {
    private final class Mailbox: Sendable {
        let work = Mutex<(@Sendable () -> Void)?>(nil)
        let isEnding = Mutex(false)
        let given = DispatchSemaphore(value: 0)
        let done = DispatchSemaphore(value: 0)
    }

    private let mailbox = Mailbox()
    private let isBusy = Mutex(false)

    /// - Parameter pool: threads of the parallel regions that its work runs.
    /// - Throws: `AnnealError` when the system gives no thread.
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

    /// Returns when the work that was started last is done; at once if there is none.
    package func wait() {
        let busy = isBusy.withLock { busy in
            defer { busy = false }
            return busy
        }
        if busy { mailbox.done.wait() }
    }
}
