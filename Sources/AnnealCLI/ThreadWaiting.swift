import Anneal
import AnnealCore
import Foundation

/// How the threads of the pool wait for each other.
enum ThreadWaiting {
    /// Rounds of spinning before a thread sleeps; libgomp's own 300,000 are milliseconds.
    private static let spins = "1000"

    /// Starts this process again with short spins. When another program has the processor that a thread of ours needs,
    /// the threads that wait for it use up their own time with spinning: a step of LeNet took 14 times as long next to
    /// a second training. libgomp reads the number from the environment only, while it is loaded, before any code of ours runs.
    /// A user's own setting is kept.
    static func limitSpinning() {
        let environment = ProcessInfo.processInfo.environment
        guard environment["GOMP_SPINCOUNT"] == nil, environment["OMP_WAIT_POLICY"] == nil,
            let program = Files.realPath("/proc/self/exe")
        else { return }
        setenv("GOMP_SPINCOUNT", spins, 0)
        // It returns only if it fails; then this process continues as it is.
        _ = Files.withPath(program) { execv($0, CommandLine.unsafeArgv) }
    }
}
