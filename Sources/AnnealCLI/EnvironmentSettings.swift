import Anneal
import AnnealCore
import CAnnealSystem
import Foundation

/// Settings that libraries read only from the environment, while they are loaded, before any of our code runs.
enum EnvironmentSettings {
    /// Spins before a thread of the pool sleeps; libgomp's own 300,000 take milliseconds. When another program occupies
    /// the processor that one of our threads needs, the threads that wait for it waste their own time spinning: a step
    /// of LeNet took 14 times as long next to a second training.
    private static let spins = (name: "GOMP_SPINCOUNT", value: "1000")
    /// glibc's per-thread caches of small freed blocks are off. oneDNN allocates an aligned block for each product of
    /// matrices. What is cut off for the alignment would go to such a cache and separate the freed block from the free
    /// memory after it, so that the next block would not fit: each thread held up to seven of them, a third of a
    /// megabyte each for LeNet.
    private static let allocation = (name: "GLIBC_TUNABLES", value: "glibc.malloc.tcache_count=0")

    /// Restarts this process with these settings. A user's own are kept.
    static func apply() {
        // Where the program has more rights than its user, the system drops such variables.
        guard anneal_is_privileged() == 0 else { return }
        let environment = ProcessInfo.processInfo.environment
        var missing = [allocation].filter { environment[$0.name] == nil }
        if environment[spins.name] == nil, environment["OMP_WAIT_POLICY"] == nil { missing.append(spins) }
        guard !missing.isEmpty, let program = Files.realPath("/proc/self/exe") else { return }
        for setting in missing { setenv(setting.name, setting.value, 0) }
        // It returns only on failure; this process then continues as it is.
        _ = Files.withPath(program) { execv($0, CommandLine.unsafeArgv) }
    }
}
