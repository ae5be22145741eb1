import Anneal
import ArgumentParser

/// Where a command runs.
struct DeviceOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "KIND:INDEX or KIND:FIRST-LAST: cpu, or accelerators such as cuda:0-3 ('anneal devices' lists them; default: cpu).",
            valueName: "LIST"), completion: .list(["cpu", "cuda:0", "rocm:0"]))
    var devices: String?
    @Option(
        help: ArgumentHelp(
            "MXNet's flag: GPUs by their numbers, of the only kind that there is a plugin for.", valueName: "ID,ID,...")
    )
    var gpus: String?
    @Option(
        help: ArgumentHelp(
            "Parts that accelerators cut each batch into: results depend on it, not on the number of devices (default: one for each).",
            valueName: "N"))
    var shards: Int?
    @Option(help: ArgumentHelp("Threads that compute on the processor (default: all cores).", valueName: "N"))
    var threads: Int?

    /// Refuses what is not here, and sets the threads of the process.
    func check() throws {
        if let gpus, !gpus.isEmpty, let devices {
            throw UsageError(
                "--gpus \(gpus) and --devices \(devices)", "say the same thing twice", suggestion: "give one of them")
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
    func device() throws -> Device {
        let report: @Sendable (String) -> Void = { StandardStream.error.write("\($0)\n") }
        if let gpus, !gpus.isEmpty { return try Device(gpus: gpus, shards: shards, report: report) }
        return try Device(named: devices ?? "cpu", shards: shards, report: report)
    }

    /// What is said where a GPU lies idle; nil where none does.
    var note: String? {
        guard devices == nil, (gpus ?? "").isEmpty, let kind = DeviceReport.visibleGPUs().first else { return nil }
        return "Runs on the processor; this machine has a GPU: --devices \(kind):0 uses it"
    }
}
