import Anneal
import AnnealCore
import Foundation

/// How the threads of the pool wait for each other.
enum ThreadWaiting {
    /// Spins before a thread sleeps; libgomp's own 300,000 take milliseconds.
    private static let spins = "1000"

    /// Restarts this process with short spins. When another program occupies the processor that one of our threads
    /// needs, the threads that wait for it waste their own time spinning: a step of LeNet took 14 times as long next to
    /// a second training. libgomp reads the number only from the environment, while it is loaded, before any of our
    /// code runs. A user's own setting is kept.
    static func limitSpinning() {
        let environment = ProcessInfo.processInfo.environment
        guard environment["GOMP_SPINCOUNT"] == nil, environment["OMP_WAIT_POLICY"] == nil,
            let program = Files.realPath("/proc/self/exe")
        else { return }
        setenv("GOMP_SPINCOUNT", spins, 0)
        // It returns only on failure; this process then continues as it is.
        _ = Files.withPath(program) { execv($0, CommandLine.unsafeArgv) }
    }
}
