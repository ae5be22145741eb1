import Anneal
import CAnnealSystem
import Foundation

/// SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGXCPU (a limit of CPU time) ask a run to save and end after its current step;
/// a second SIGINT or SIGTERM ends the process at once.
struct Interrupt {
    /// - Parameter isAnnounced: whether a signal is answered with a line about the step that is still done.
    init(isAnnounced: Bool = true) {
        anneal_watch_stop_signals(StandardStream.error.style.isInteractive ? 1 : 0, isAnnounced ? 1 : 0)
    }

    /// Whether a signal has arrived; can be called on any thread.
    var check: @Sendable () -> Bool { { anneal_stop_signal() != 0 } }

    /// The error with which an interrupted command ends.
    func interrupted(suggestion: String) -> Interrupted {
        // The signal may have gone to another process of the job.
        let signal = anneal_stop_signal()
        return Interrupted(signal: signal == 0 ? SIGTERM : signal, suggestion: suggestion)
    }
}

/// A run that a signal ended; the process exits with 128 and the signal's number, as shells do.
struct Interrupted: Error {
    let signal: Int32
    let suggestion: String
}
