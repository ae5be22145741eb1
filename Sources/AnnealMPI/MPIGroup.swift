import AnnealCompiler
import AnnealCore
import Foundation
import Synchronization

/// The processes that one launcher (mpirun, srun) has started, connected by Open MPI.
///
/// Blocks are sent from process to process, so that a waiting process knows which one it is waiting for. The order in
/// which they arrive has no effect on results.
public final class MPIGroup: ProcessGroup {
    public let rank: Int
    public let size: Int
    public let transport: String
    /// The hosts' names by rank.
    package private(set) var hosts: [String] = []
    /// Is told of a process that is alive but keeps the others waiting.
    package var onDelay: (String) -> Void = { _ in }

    private let library: OpenMPILibrary
    private let signs: LifeSigns
    /// Seconds between two heartbeats.
    private let signPeriod: Double
    private let clock = ContinuousClock()
    /// Seconds of silence after which a process counts as lost.
    private let timeout: Double
    /// How many times longer a process that is alive may keep the others waiting: it may be validating, saving or
    /// planning.
    private static let patience = 20.0
    /// Counts the steps, for messages.
    public var step: Int {
        get { current.load(ordering: .relaxed) }
        set {
            current.store(newValue, ordering: .relaxed)
            signs.enter(step: newValue)
        }
    }
    /// Set by the thread that computes, read by the one that exchanges.
    private let current = Atomic<Int>(0)
    private var tag: Int32 = 0

    /// Maximum bytes of a message: MPI counts with a C int.
    private static let largest = 1 << 30

    /// The number of processes that a launcher has set; nil if this process was not started by one.
    package static var launchedProcesses: Int? {
        let environment = ProcessInfo.processInfo.environment
        return ["OMPI_COMM_WORLD_SIZE", "PMIX_SIZE"].lazy.compactMap { environment[$0].flatMap(Int.init) }.first
            ?? (environment["PMIX_RANK"] == nil ? nil : environment["SLURM_NTASKS"].flatMap(Int.init))
    }

    /// Whether MPICH's launcher, or one of its family, started this process.
    package static var isLaunchedByMPICH: Bool {
        let environment = ProcessInfo.processInfo.environment
        return launchedProcesses == nil && environment["PMI_RANK"] != nil && environment["PMI_SIZE"] != nil
    }

    /// Joins the processes of the launcher. Call once per process.
    /// - Parameter timeout: seconds of silence after which a process counts as lost.
    /// - Throws: `AnnealError` if Open MPI is not installed or does not start.
    package init(timeout: Double = 30) throws {
        guard !Self.isLaunchedByMPICH else {
            throw AnnealError(
                "MPI", "this job was started by MPICH's mpirun",
                suggestion: "start it with Open MPI's: apt-get install openmpi-bin, then mpirun.openmpi",
                code: .unsupported)
        }
        let library = try OpenMPILibrary()
        self.library = library
        self.timeout = timeout
        transport = library.version
        var provided: Int32 = 0, rank: Int32 = 0, size: Int32 = 0
        func check(_ code: Int32, _ doing: String) throws {
            if code != 0 { throw AnnealError("MPI", "\(doing): \(library.message(code))", code: .internalDefect) }
        }
        // Over one TCP connection Open MPI sends in one direction at a time: an exchange then takes twice as long.
        setenv("OMPI_MCA_btl_tcp_links", "2", 0)
        // Serialized: any thread, one at a time.
        try check(library.initialise(nil, nil, 2, &provided), "start")
        try check(library.setErrorHandler(library.world, library.errorsReturn), "start")
        try check(library.rank(library.world, &rank), "rank")
        try check(library.size(library.world, &size), "size")
        self.rank = Int(rank)
        self.size = Int(size)
        // Several heartbeats per timeout, so that a late one does no harm.
        signPeriod = min(1, timeout / 10)
        signs = try LifeSigns(library, rank: Int(rank), size: Int(size), period: signPeriod)
        hosts = try gather(ProcessInfo.processInfo.hostName, purpose: "names of hosts")
    }

    /// Waits for the other processes and ends the use of MPI: after that this process may exit without ending the
    /// others.
    /// - Throws: `AnnealError` that names the processes that do not arrive.
    package func leave() throws {
        let outcome = Result { try gather(0, purpose: "the end") }
        signs.end()
        _ = try outcome.get()
        _ = library.finalise()
    }

    /// Call before this process exits because of an error.
    package func abandon() { signs.end() }

    public func exchange(
        _ send: [UnsafeRawBufferPointer], _ receive: [UnsafeMutableRawBufferPointer], purpose: String
    ) throws {
        precondition(send.count == size && receive.count == size)
        if let to = receive[rank].baseAddress, let from = send[rank].baseAddress, UnsafeRawPointer(to) != from {
            to.copyMemory(from: from, byteCount: min(send[rank].count, receive[rank].count))
        }
        // Two exchanges are never in progress together, but a fast process may already begin the next one.
        tag = (tag + 1) % 30000
        var waiting: [Message] = []
        // Neighbours first, so that the processes do not all send to the same one.
        let others = (1..<max(1, size)).map { (rank + $0) % size }
        for other in others { try begin(library.receive, receive[other], other, purpose, &waiting) }
        for other in others {
            try begin(library.send, UnsafeMutableRawBufferPointer(mutating: send[other]), other, purpose, &waiting)
        }
        try finish(&waiting, purpose)
    }

    /// Begins to send or receive a block, in messages of limited size.
    private func begin(
        _ transfer: OpenMPILibrary.Transfer, _ block: UnsafeMutableRawBufferPointer, _ other: Int, _ purpose: String,
        _ waiting: inout [Message]
    ) throws {
        for start in stride(from: 0, to: block.count, by: Self.largest) {
            let bytes = min(Self.largest, block.count - start)
            var request: OpenMPILibrary.Handle?
            let code = library.calls.withLock {
                transfer(
                    block.baseAddress.map { $0 + start }, Int32(bytes), library.byte, Int32(other), tag, library.world,
                    &request)
            }
            try check(code, other, purpose)
            waiting.append(Message(request: request, other: other))
        }
    }

    private func finish(_ waiting: inout [Message], _ purpose: String) throws {
        let start = clock.now, look = Duration.milliseconds(100)
        var rounds = 0, nextLook = start + look, isTold = false
        while true {
            for index in waiting.indices.reversed() {
                var done: Int32 = 0
                let code = library.calls.withLock { library.test(&waiting[index].request, &done, nil) }
                try check(code, waiting[index].other, purpose)
                if done != 0 {
                    waiting.swapAt(index, waiting.count - 1)
                    waiting.removeLast()
                }
            }
            guard !waiting.isEmpty else { return }
            rounds += 1
            guard rounds > 200 else { continue }
            let now = clock.now
            if now > nextLook {
                nextLook = now + look
                try lookForLost(Set(waiting.map(\.other)), since: start, purpose, &isTold)
            }
            // A waiting thread yields its core.
            usleep(rounds > 2000 ? 1000 : 20)
        }
    }

    /// A block that is being sent or received.
    private struct Message {
        var request: OpenMPILibrary.Handle?
        let other: Int
    }

    // MARK: Processes that do not answer

    /// - Throws: `AnnealError` that names those of the missing processes that are silent, or alive but far too late.
    private func lookForLost(
        _ missing: Set<Int>, since start: ContinuousClock.Instant, _ purpose: String, _ isTold: inout Bool
    ) throws {
        let last = signs.last(), now = clock.now
        func seconds(since time: ContinuousClock.Instant) -> Int { Int((now - time) / .seconds(1)) }
        let silent = missing.filter { now - last[$0].time > .seconds(timeout) }.sorted()
        if !silent.isEmpty {
            let list = silent.map {
                "\(name($0)) (last heard of \(seconds(since: last[$0].time)) s ago, in step \(last[$0].step))"
            }
            throw AnnealError(
                "step \(step)",
                "\(list.joined(separator: ", ")) has not answered for \(Int(timeout)) s, in the exchange of \(purpose)",
                suggestion: "look at its log and its machine; --rank-timeout SECONDS waits longer")
        }
        let waited = now - start
        guard waited > .seconds(timeout) else { return }
        let list = missing.sorted().map { "\(name($0)) (in step \(last[$0].step))" }.joined(separator: ", ")
        let text = "\(list) is alive, and has kept others waiting for \(seconds(since: start)) s"
        guard waited < .seconds(Self.patience * timeout) else {
            throw AnnealError(
                "step \(step)", "\(text), in the exchange of \(purpose)",
                suggestion: "look at what it does; --rank-timeout SECONDS waits longer")
        }
        // A process that was last heard from a while ago may be dying.
        guard missing.allSatisfy({ now - last[$0].time < .seconds(3 * signPeriod) }) else { return }
        // One of the waiting processes reports it.
        if !isTold, (0..<size).first(where: { !missing.contains($0) }) == rank { onDelay("step \(step): \(text)") }
        isTold = true
    }

    private func check(_ code: Int32, _ other: Int, _ purpose: String) throws {
        guard code != 0 else { return }
        throw AnnealError("MPI", "the exchange of \(purpose) with \(name(other)) failed: \(library.message(code))")
    }

    /// A process, as messages name it.
    package func name(_ rank: Int) -> String {
        hosts.indices.contains(rank) ? "rank \(rank) on \(hosts[rank])" : "rank \(rank)"
    }
}

extension ProcessGroup {
    /// A short text from each process, in the order of ranks.
    package func gather(_ own: String, purpose: String) throws -> [String] {
        let bytes = Array(own.utf8), lengths = try gather(bytes.count, purpose: purpose)
        var all = [UInt8](repeating: 0, count: lengths.reduce(0, +))
        try all.withUnsafeMutableBytes { all in
            var start = 0
            let receive = lengths.map { length in
                defer { start += length }
                return UnsafeMutableRawBufferPointer(rebasing: all[start..<(start + length)])
            }
            try bytes.withUnsafeBytes { own in
                try exchange(Array(repeating: own, count: size), receive, purpose: purpose)
            }
        }
        var start = 0
        return lengths.map { length in
            defer { start += length }
            return String(decoding: all[start..<(start + length)], as: UTF8.self)
        }
    }
}
