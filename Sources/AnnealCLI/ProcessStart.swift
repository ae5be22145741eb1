import Anneal
import CAnnealSystem
import Foundation

/// What the process does before its command.
enum ProcessStart {
    /// Called first of all, before anything is opened and any thread is started.
    /// - Parameter computes: false for help and the like, which should appear at once: the process then need not be
    ///   restarted with other thread settings.
    static func prepare(computes: Bool) {
        anneal_unblock_signals()
        StandardStream.openClosed()
        if computes { EnvironmentSettings.apply() }
        // A reader that goes away and a file that reaches its limit (`ulimit -f`) should be write errors; by default
        // they end the process.
        for number in [SIGPIPE, SIGXFSZ] { signal(number, SIG_IGN) }
        anneal_fit_address_space()
        guard computes else { return }
        Parallel.limitToQuota()
        Job.shareCores()
    }

    /// Called before the first computation, and again after a flag has changed the number of threads.
    static func limitThreads() {
        guard let found = Parallel.limitToStartable() else { return }
        guard Parallel.threads < found.wanted || found.startable < found.wanted - 1 + LoaderOptions.defaultThreads
        else {
            return
        }
        printError(
            "anneal: warning: the system has only \(found.startable) more threads for this process (ulimit -u, ulimit -v): "
                + "\(Parallel.threads) of \(found.wanted) compute, the rest decode images")
    }
}
