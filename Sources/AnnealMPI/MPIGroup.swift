import AnnealCompiler
import AnnealCore
import Foundation

/// The processes that one launcher (mpirun, srun) has started, connected by Open MPI.
///
/// Blocks go from process to process, so that a process that waits knows for whom. The order in which they arrive has no
/// effect on results.
package final class MPIGroup: ProcessGroup {
    package let rank: Int
    package let size: Int
    package let transport: String
    /// The hosts' names by rank.
    package private(set) var hosts: [String] = []
    /// Seconds that a process may keep the others waiting.
    package var timeout = 30.0

    private let library: OpenMPILibrary
    private let clock = ContinuousClock()
    /// When each process was last heard of, and in which step.
    private var heard: [(time: ContinuousClock.Instant, step: Int)]
    /// Counts the steps, for messages.
    package var step = 0
    /// Seconds that the next exchange may take in addition: others validate, save, or plan.
    private var allowance = 0.0
    private var tag: Int32 = 0

    /// Bytes of a message at most: their number is a C int.
    private static let largest = 1 << 30

    /// What a launcher has set: the number of its processes; nil if this process was not started by one.
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

    /// Joins the processes of the launcher. To be called once in a process.
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
        // Serialized: any thread, one at a time.
        try check(library.initialise(nil, nil, 2, &provided), "start")
        try check(library.setErrorHandler(library.world, library.errorsReturn), "start")
        try check(library.rank(library.world, &rank), "rank")
        try check(library.size(library.world, &size), "size")
        self.rank = Int(rank)
        self.size = Int(size)
        heard = Array(repeating: (clock.now, 0), count: Int(size))
        allowance = 600
        hosts = try gather(ProcessInfo.processInfo.hostName, purpose: "names of hosts")
    }

    /// Lets the next exchange take longer: some processes do other things meanwhile.
    package func expectDelay() { allowance = max(allowance, 20 * timeout) }

    /// Ends the use of MPI, after which this process may exit without ending the others.
    package func leave() { _ = library.finalise() }

    package func exchange(
        _ send: [UnsafeRawBufferPointer], _ receive: [UnsafeMutableRawBufferPointer], purpose: String
    ) throws {
        precondition(send.count == size && receive.count == size)
        if let to = receive[rank].baseAddress, let from = send[rank].baseAddress, UnsafeRawPointer(to) != from {
            to.copyMemory(from: from, byteCount: min(send[rank].count, receive[rank].count))
        }
        // Two exchanges are never under way together, but a fast process may begin the next one.
        tag = (tag + 1) % 30000
        var waiting: [Message] = []
        for other in 0..<size where other != rank {
            for start in stride(from: 0, to: receive[other].count, by: Self.largest) {
                let bytes = min(Self.largest, receive[other].count - start)
                var request: OpenMPILibrary.Handle?
                try check(
                    library.receive(
                        receive[other].baseAddress.map { $0 + start }, Int32(bytes), library.byte, Int32(other), tag,
                        library.world, &request), other, purpose)
                waiting.append(Message(request: request, other: other, isReceived: true))
            }
        }
        // Neighbours first, so that not all send to one.
        for offset in 1..<max(1, size) {
            let other = (rank + offset) % size
            for start in stride(from: 0, to: send[other].count, by: Self.largest) {
                let bytes = min(Self.largest, send[other].count - start)
                var request: OpenMPILibrary.Handle?
                try check(
                    library.send(
                        send[other].baseAddress.map { $0 + start }, Int32(bytes), library.byte, Int32(other), tag,
                        library.world, &request), other, purpose)
                waiting.append(Message(request: request, other: other, isReceived: false))
            }
        }
        try finish(&waiting, purpose)
    }

    private func finish(
        _ waiting: inout [Message], _ purpose: String
    ) throws {
        let start = clock.now, limit = timeout + allowance
        var rounds = 0
        while !waiting.isEmpty {
            var left: [Message] = []
            for var message in waiting {
                var done: Int32 = 0
                try check(library.test(&message.request, &done, nil), message.other, purpose)
                if done == 0 {
                    left.append(message)
                } else if message.isReceived {
                    heard[message.other] = (clock.now, step)
                }
            }
            waiting = left
            guard !waiting.isEmpty else { break }
            rounds += 1
            guard rounds > 200 else { continue }
            if (clock.now - start) > .seconds(limit) { throw silence(Set(waiting.map(\.other)), purpose, limit) }
            // A thread that waits gives its core away.
            usleep(rounds > 2000 ? 1000 : 20)
        }
        allowance = 0
    }

    /// A block on its way.
    private struct Message {
        var request: OpenMPILibrary.Handle?
        let other: Int
        let isReceived: Bool
    }

    private func check(_ code: Int32, _ other: Int, _ purpose: String) throws {
        guard code != 0 else { return }
        throw AnnealError("MPI", "the exchange of \(purpose) with \(name(other)) failed: \(library.message(code))")
    }

    /// A process, as messages name it.
    package func name(_ rank: Int) -> String {
        hosts.indices.contains(rank) ? "rank \(rank) on \(hosts[rank])" : "rank \(rank)"
    }

    private func silence(_ missing: Set<Int>, _ purpose: String, _ limit: Double) -> AnnealError {
        let list = missing.sorted().map { other in
            let seconds = Int((clock.now - heard[other].time) / .seconds(1))
            return "\(name(other)) (last heard of \(seconds) s ago, in step \(heard[other].step))"
        }
        return AnnealError(
            "step \(step)",
            "\(list.joined(separator: ", ")) has not answered for \(Int(limit)) s, in the exchange of \(purpose)",
            suggestion: "look at its log and its machine; --rank-timeout SECONDS waits longer")
    }
}

extension ProcessGroup {
    /// A short text of each process, in the order of ranks.
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
