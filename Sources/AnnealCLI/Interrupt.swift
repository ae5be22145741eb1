import Dispatch
import Foundation
import Synchronization

/// SIGINT and SIGTERM ask a run to end after its step; a second one ends the process at once.
final class Interrupt {
    /// What the signal's queue and the training thread share.
    private final class Request: Sendable { let isMade = Atomic<Bool>(false) }

    private let request = Request()
    private let sources: [any DispatchSourceSignal]

    /// Whether a signal has come; may be asked on any thread.
    var check: @Sendable () -> Bool {
        let request = request
        return { request.isMade.load(ordering: .relaxed) }
    }

    init() {
        let queue = DispatchQueue(label: "interrupt")
        sources = [SIGINT, SIGTERM].map { number in
            // The source only sees signals that are not handled otherwise.
            signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: queue)
        }
        for source in sources {
            source.setEventHandler { [request] in
                if request.isMade.exchange(true, ordering: .relaxed) { _exit(130) }
                FileHandle.standardError.write(Data("\nStopping after this step; once more to stop at once.\n".utf8))
            }
            source.resume()
        }
    }
}

/// A run that a signal ended; the process exits with 130, as shells expect.
struct Interrupted: Error {
    let suggestion: String
}
