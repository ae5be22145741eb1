import Anneal
import AnnealMPI
import Foundation

/// The processes of a job that train one network together, as requested by `--kv-store`.
enum Job {
    /// MXNet's names of stores shared by several hosts.
    static let sharedStores = ["dist_sync", "dist_device_sync", "dist_sync_device"]
    /// Those of one host: here they all mean the same.
    static let localStores = ["device", "local", "nccl"]

    /// The number of processes that the launcher has started; 1 without a launcher.
    static var size: Int { MPIGroup.launchedProcesses ?? 1 }

    /// Refuses a store that is unavailable, and processes that would train without knowing of each other.
    static func check(_ store: String) throws {
        let flag = "--kv-store \(store)"
        if store.hasPrefix("dist_async") {
            throw UsageError(
                flag, "lets each worker update the weights when it likes: no two runs would be the same",
                suggestion: "use dist_sync")
        }
        guard localStores.contains(store) || sharedStores.contains(store) else {
            throw UsageError(
                flag, "is not known", suggestion: Spelling.suggestion(for: store, among: localStores + sharedStores))
        }
        if localStores.contains(store), size > 1 {
            throw UsageError(
                flag, "\(size) processes were started, and each would train by itself, into the same folder",
                suggestion: "give --kv-store dist_sync, or start one process")
        }
    }

    /// Joins the job's other processes; nil if there are none.
    static func join(_ options: JobOptions) throws -> MPIGroup? {
        guard options.isShared, size > 1 || MPIGroup.isLaunchedByMPICH else { return nil }
        let group = try MPIGroup(timeout: options.rankTimeout)
        group.onDelay = { printError("anneal: \($0)") }
        return group
    }

    /// Does something together with the job's other processes.
    /// - Parameter body: receives them; nil if there are none.
    static func run(_ options: JobOptions, _ body: (MPIGroup?) throws -> Void) throws {
        let group = try join(options)
        do { try body(group) } catch let stop as Interrupted {
            // All have stopped.
            try group?.leave()
            throw stop
        } catch {
            group?.abandon()
            throw error
        }
        try group?.leave()
    }

    /// Uses only a share of the host's cores if several of the job's processes run on it, unless OMP_NUM_THREADS or
    /// --threads is set.
    static func shareCores() {
        let environment = ProcessInfo.processInfo.environment
        guard environment["OMP_NUM_THREADS"] == nil,
            let here = environment["OMPI_COMM_WORLD_LOCAL_SIZE"].flatMap(Int.init), here > 1
        else { return }
        Parallel.setThreads(max(1, Parallel.threads / here))
    }

    /// The job's processes on this host; nil without a launcher.
    static var share: DeviceShare? { DeviceShare(ProcessInfo.processInfo.environment) }

    /// This process's number, before it has joined; nil without a launcher.
    static var rank: Int? {
        let environment = ProcessInfo.processInfo.environment
        return ["OMPI_COMM_WORLD_RANK", "PMIX_RANK"].lazy.compactMap { environment[$0].flatMap(Int.init) }.first
    }
}

extension MPIGroup {
    /// Refuses processes that would compute different things.
    /// - Parameter facts: what must be equal, with a word for each.
    func compare(_ facts: [(what: String, value: String)]) throws {
        for (what, value) in facts {
            let values = try gather(value, purpose: what)
            guard let other = values.indices.first(where: { values[$0] != values[0] }) else { continue }
            throw AnnealError(
                name(other), "differs from \(name(0)) in \(what): \(values[other]), there \(values[0])",
                suggestion: "give all processes the same")
        }
    }

    /// The message before the first step.
    /// - Parameter devices: the devices of each process, if they are accelerators.
    func note(batch: Int, rows: Range<Int>, shards: String, updates: Int, devices: [String]) -> String {
        let names = Set(hosts).count == 1 ? "on \(hosts[0])" : "on \(hosts.joined(separator: ", "))"
        return "\(size) processes \(names) (\(transport)): batch \(rows.count) here, \(batch) in all\(shards); "
            + "gradients are divided by \(batch); \(updates.counted("update")) per epoch"
            + devices.enumerated().map { "; \(name($0)): \($1)" }.joined()
    }
}

/// What a process tells the others about an unusable sample.
private struct BadRecordMessage: Codable {
    var number: Int
    var id: UInt64?
    var offset: Int
    var place: String
    var problem: String
    var suggestion: String?
    var isMislabelled: Bool
}

extension ProcessGroup {
    /// The rows of a batch that each process takes.
    func sizes(of rows: Range<Int>?) throws -> [Int] {
        try gather(rows?.count ?? 0, purpose: "rows of a batch")
    }

    /// With `--on-bad-record skip`, finds the unusable samples: each process examines a part of them, and all leave out
    /// what any of them has found.
    func agreeOnBadRecords(of source: any SampleSource, _ options: inout LoaderOptions) throws {
        guard options.onBadRecord == .skip else { return }
        let part = (rank * source.count / size)..<((rank + 1) * source.count / size)
        let own = try UnusableSamples(source, part, options: options)
        let messages = own.bad.map { record in
            BadRecordMessage(
                number: record.number, id: record.id, offset: record.offset, place: record.reason.place,
                problem: record.reason.problem, suggestion: record.reason.suggestion,
                isMislabelled: own.mislabelled.contains(record.number))
        }
        let text = String(decoding: try JSONEncoder().encode(messages), as: UTF8.self)
        let all = try gather(text, purpose: "bad records").flatMap {
            try JSONDecoder().decode([BadRecordMessage].self, from: Data($0.utf8))
        }
        let found = UnusableSamples(
            all.map { message in
                BadRecord(
                    number: message.number, id: message.id, offset: message.offset,
                    reason: AnnealError(
                        message.place, message.problem, suggestion: message.suggestion, code: .damaged))
            }, mislabelled: Set(all.filter(\.isMislabelled).map(\.number)))
        try found.check(of: source.count, in: source)
        options.leftOut = found.bad
    }
}
