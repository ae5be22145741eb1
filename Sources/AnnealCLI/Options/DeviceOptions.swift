import Anneal
import ArgumentParser

/// Where a command runs.
struct DeviceOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "A list of KIND:INDEX or KIND:FIRST-LAST: cpu ('anneal devices' lists them).", valueName: "LIST"),
        completion: .list(["cpu"]))
    var devices: String = "cpu"
    @Option(help: ArgumentHelp("There is no GPU engine in this build: leave it out.", valueName: "ID,ID,..."))
    var gpus: String?
    @Option(help: ArgumentHelp("Threads that compute, of all devices together (default: all cores).", valueName: "N"))
    var threads: Int?

    /// Refuses what is not here, and sets the threads of the process.
    /// - Parameter command: what to run instead of a GPU's command.
    func check(command: String) throws {
        if let gpus, !gpus.isEmpty {
            throw UsageError(
                "--gpus \(gpus)", "there is no GPU engine in this build",
                suggestion: "run the same command without --gpus: \(command) uses all \(Parallel.threads) CPU cores")
        }
        if let threads {
            guard (1...1024).contains(threads) else {
                throw UsageError("--threads", "is \(threads)", suggestion: "it is 1 to 1024")
            }
            Parallel.setThreads(threads)
            ProcessStart.limitThreads()
        }
        _ = try flagErrors { try device() }
    }

    /// - Throws: `AnnealError` for what is not here.
    func device() throws -> Device { try Device(named: devices) }
}
