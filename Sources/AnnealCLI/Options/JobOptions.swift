import Anneal
import ArgumentParser

/// How the processes of a job share their batches.
struct JobOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "device, local, nccl: one process (all the same here). dist_sync: all processes of the job, which mpirun or 'anneal launch' starts, share each batch; --batch-size is that of a process.",
            valueName: "MODE"),
        completion: .list(["device", "local", "dist_sync"]))
    var kvStore: String = "device"
    @Option(
        help: ArgumentHelp(
            "1: each process reads the same part of the records in every epoch, as MXNet's workers do, so that a host's memory need cache that part only. The bits then depend on the number of processes. 0: all are shuffled together.",
            valueName: "0|1"))
    var fixedParts: Int = 0
    @Option(
        help: ArgumentHelp(
            "End the job, naming the process, when one keeps the others waiting for longer.", valueName: "SECONDS"))
    var rankTimeout: Double = 30
    @Option(
        help: ArgumentHelp(
            "Gradients are exchanged between processes in buckets of this many MB, during the backward pass; results do not depend on it.",
            valueName: "MB"))
    var bucketMb: Double = 4
    @Option(
        help: ArgumentHelp(
            "none; 2bit, MXNet's compression of the gradients of each shard; or bfloat16, to which the sums that travel between processes are rounded.",
            valueName: "TYPE"),
        completion: .list(["none", "2bit", "bfloat16"]))
    var gcType: String = "none"
    @Option(help: ArgumentHelp("With --gc-type 2bit: what is sent of a gradient at a time.", valueName: "T"))
    var gcThreshold: Double = 0.5

    /// Whether all processes of the job share each batch.
    var isShared: Bool { Job.sharedStores.contains(kvStore) }

    /// The job's processes on this host, which divide its accelerators.
    var share: DeviceShare? { isShared ? Job.share : nil }

    var compression: GradientCompression {
        switch gcType {
        case "2bit": .twoBit(threshold: Float(gcThreshold))
        case "bfloat16": .bfloat16
        default: .none
        }
    }

    var bucketBytes: Int { Int(bucketMb * 1_048_576) }

    /// Refuses what is unsupported here.
    func check() throws {
        try Job.check(kvStore)
        guard [0, 1].contains(fixedParts) else {
            throw UsageError("--fixed-parts", "is \(fixedParts)", suggestion: "it is 0 or 1")
        }
        guard rankTimeout >= 1, rankTimeout <= 86_400 else {
            throw UsageError("--rank-timeout", "is \(rankTimeout)", suggestion: "it is 1 to 86400 seconds")
        }
        guard ["none", "2bit", "bfloat16"].contains(gcType) else {
            throw UsageError("--gc-type \(gcType)", "is not known", suggestion: "use none, 2bit or bfloat16")
        }
        guard gcThreshold > 0, gcThreshold < 1e30 else {
            throw UsageError("--gc-threshold", "is \(gcThreshold)", suggestion: "it is above 0")
        }
        guard bucketMb >= 0, bucketMb <= 65_536 else {
            throw UsageError("--bucket-mb", "is \(bucketMb)", suggestion: "it is 0 to 65536 MB")
        }
    }
}
