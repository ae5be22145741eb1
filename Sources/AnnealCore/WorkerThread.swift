import CAnnealSystem
import Foundation

/// A thread that reports when it cannot be started (`ulimit -u`): Foundation's does not, and Dispatch retries forever.
package struct WorkerThread: Sendable {
    private final class Work: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    private let handle: pthread_t

    /// Starts the thread, to be ended by `join` or `detach`; nil when the system has no more threads for this process.
    package init?(_ name: String, _ body: @escaping @Sendable () -> Void) {
        var handle = pthread_t()
        let work = Unmanaged.passRetained(Work(name, body))
        let code = pthread_create(
            &handle, nil,
            { context in
                guard let context else { return nil }
                let work = Unmanaged<Work>.fromOpaque(context).takeRetainedValue()
                anneal_name_thread(work.name)
                work.body()
                return nil
            }, work.toOpaque())
        guard code == 0 else {
            work.release()
            return nil
        }
        self.handle = handle
    }

    package func join() { pthread_join(handle, nil) }
    package func detach() { pthread_detach(handle) }
}
