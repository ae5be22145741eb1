import Anneal
import ArgumentParser

/// Where a command runs.
struct DeviceOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "KIND:INDEX or KIND:FIRST-LAST: cpu, cpu:0-1 (two halves of the processor), or accelerators such as cuda:0-3 ('anneal devices' lists them; default: cpu).",
            valueName: "LIST"), completion: .list(["cpu", "cuda:0", "rocm:0"]))
    var devices: String?
    @Option(
        help: ArgumentHelp(
            "MXNet's flag: GPUs by their numbers, of the only kind that there is a plugin for.", valueName: "ID,ID,...")
    )
    var gpus: String?
    @Option(
        help: ArgumentHelp(
            "Parts that each batch is cut into, with batch statistics of their own: results depend on it, not on the number of devices or processes (default: one for each device).",
            valueName: "N"))
    var shards: Int?
    @Option(
        help: ArgumentHelp(
            "Let accelerators round the factors of float32 products to TF32, 10 bits after the point: faster on NVIDIA GPUs from Ampere on (default: 0).",
            valueName: "0|1"))
    var tf32: Int = 0
    @Option(
        help: ArgumentHelp(
            "0 lets accelerators use faster operations that do not give the same bits in every run (default: 1).",
            valueName: "0|1"))
    var deterministic: Int = 1
    @Option(
        help: ArgumentHelp(
            "How devices add up gradients: tree, the same bits for any number of devices, or all-reduce, which moves less (default: tree).",
            valueName: "WAY"))
    var exchange: GradientExchange = .tree
    @Option(help: ArgumentHelp("Threads that compute on the processor (default: all cores).", valueName: "N"))
    var threads: Int?

    /// The number of shards is part of the run, which may continue on fewer devices.
    /// - Parameters:
    ///   - processes: the processes of the job, each with this number of devices.
    ///   - share: those on this host.
    mutating func fill(processes: Int, share: DeviceShare?) throws {
        guard shards == nil else { return }
        let count = try names(share: share).count
        if count * processes > 1 { shards = count * processes }
    }

    /// The devices of this process.
    func names(share: DeviceShare?) throws -> [DeviceName] {
        try flagErrors {
            let names = try DeviceName.list(chosenGPUs.map { try Device.list(gpus: $0) } ?? list)
            return try share?.devices(of: names) ?? names
        }
    }

    /// Refuses unavailable devices, and sets the process's number of threads.
    /// - Parameter share: the job's processes on this host.
    func check(share: DeviceShare? = nil) throws {
        if let gpus = chosenGPUs, let devices, !devices.isEmpty {
            throw UsageError(
                "--gpus \(gpus) and --devices \(devices)", "say the same thing twice", suggestion: "give one of them")
        }
        for (flag, value) in [("--tf32", tf32), ("--deterministic", deterministic)] where value != 0 && value != 1 {
            throw UsageError(flag, "is \(value)", suggestion: "it is 0 or 1")
        }
        if let threads {
            guard (1...1024).contains(threads) else {
                throw UsageError("--threads", "is \(threads)", suggestion: "it is 1 to 1024")
            }
            Parallel.setThreads(threads)
            ProcessStart.limitThreads()
        }
        _ = try flagErrors { try device(share: share) }
    }

    // An empty value counts as not given.
    private var chosenGPUs: String? { gpus.flatMap { $0.isEmpty ? nil : $0 } }
    private var list: String { devices.flatMap { $0.isEmpty ? nil : $0 } ?? "cpu" }

    /// - Parameters:
    ///   - group: the processes that share each batch.
    ///   - share: those on this host.
    ///   - bucketBytes: gradients are exchanged in buckets of at least this many bytes.
    ///   - compression: compression of gradients.
    /// - Throws: `AnnealError` for devices that are unavailable.
    func device(
        _ progress: CompilationProgress = CompilationProgress(), group: (any ProcessGroup)? = nil,
        share: DeviceShare? = nil, bucketBytes: Int = ShardedEngine.defaultBucketBytes,
        compression: GradientCompression = .none
    ) throws -> Device {
        try Device(
            named: chosenGPUs.map { try Device.list(gpus: $0) } ?? list, shards: shards, tf32: tf32 == 1,
            deterministic: deterministic == 1, exchange: exchange, group: group, share: share,
            bucketBytes: bucketBytes, compression: compression, report: progress.report)
    }

    /// A note about idle devices; nil if there are none.
    var note: String? {
        guard chosenGPUs == nil, list.hasPrefix("cpu") else { return nil }
        guard devices == nil, let kind = DeviceReport.visibleGPUs().first else { return nil }
        return "Runs on the processor; this machine has a GPU: --devices \(kind):0 uses it"
    }
}

extension GradientExchange: ExpressibleByArgument, Encodable {}
