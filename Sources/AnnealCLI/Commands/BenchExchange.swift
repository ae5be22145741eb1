import Anneal
import AnnealMPI
import ArgumentParser
import Foundation

/// Times the exchange of gradients by itself.
struct BenchExchange: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Time the exchange of gradients between processes: what the network between hosts can do.",
        discussion: """
            Adds up a bucket over all processes again and again, as a job does. The first process prints one line of JSON: \
            the time of an exchange of a few bytes, bytes a second that a process sends while as many arrive, and bytes a \
            second that it copies. Between hosts of one process each the first two are what 'anneal plan' takes as \
            --latency and --bandwidth.

            anneal launch -n 2 -H hosts anneal bench-exchange
            """)

    @Option(help: ArgumentHelp("Of a bucket.", valueName: "MB"))
    var mb: Int = 4
    @Option(help: ArgumentHelp("Exchanges that count.", valueName: "N"))
    var rounds: Int = 20

    func run() throws {
        for (flag, value, most) in [("--mb", mb, 1024), ("--rounds", rounds, 1_000_000)]
        where !(1...most).contains(value) {
            throw UsageError(flag, "is \(value)", suggestion: "it is 1 to \(most)")
        }
        guard Job.size > 1 else {
            throw UsageError(
                "bench-exchange", "needs several processes",
                suggestion: "start them: anneal launch -n 2 anneal bench-exchange")
        }
        var job = try JobOptions.parse([])
        job.kvStore = Job.sharedStores[0]
        try Job.run(job) { group in
            guard let group else { return }
            let bench = try ExchangeBench(group, elements: mb << 18)
            let speed = try bench.run(rounds: rounds)
            guard group.rank == 0 else { return }
            let record: JSONValue = [
                "processes": .integer(group.size), "hosts": .integer(Set(group.hosts).count), "mb": .integer(mb),
                "latency_us": .number((speed.latency * 1e7).rounded() / 10),
                "message_mb_s": .number((speed.messageRate / 1e5).rounded() / 10),
                "copy_mb_s": .number((speed.copyRate / 1e5).rounded() / 10),
            ]
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            print(String(decoding: try encoder.encode(record), as: UTF8.self))
        }
    }
}

/// A bucket that processes sum: slices are sent to the processes that sum them, and the sums to all.
private struct ExchangeBench {
    private let group: MPIGroup
    private let elements: Int
    private let source: Arena
    private let sent: Arena
    private let arrived: Arena
    private let whole: Arena
    private let clock = ContinuousClock()

    init(_ group: MPIGroup, elements: Int) throws {
        self.group = group
        self.elements = elements
        (source, sent, whole) = (try Arena(elements), try Arena(elements), try Arena(elements))
        arrived = try Arena(elements + 16 * group.size)
        for arena in [source, sent, arrived, whole] { arena.base.update(repeating: 0, count: arena.count) }
    }

    func run(rounds: Int) throws -> JobModel.Host {
        for _ in 0..<3 { _ = try bucket() }
        let small = try (0..<10 * rounds).map { _ in try seconds { _ = try group.gather(0, purpose: "a number") } }
        let buckets = try (0..<rounds).map { _ in try bucket() }
        let processes = Double(group.size), bytes = 4 * Double(elements)
        return JobModel.Host(
            latency: median(small),
            messageRate: 2 * bytes * (processes - 1) / processes / median(buckets.map(\.messages)),
            copyRate: 3 * bytes / median(buckets.map(\.copies)))
    }

    private func bucket() throws -> (messages: Double, copies: Double) {
        let slices = (0..<group.size).map { Parallel.slice(elements, part: $0, parts: group.size) }
        let own = slices[group.rank]
        var messages = 0.0, copies = seconds { sent.base.update(from: source.base, count: elements) }
        messages += try seconds {
            try group.exchange(
                slices.map { UnsafeRawBufferPointer(block(sent, $0)) },
                slices.indices.map { block(arrived, ($0 * own.count)..<(($0 + 1) * own.count)) }, purpose: "slices")
        }
        copies += seconds {
            let sum = whole.base + own.lowerBound
            sum.update(from: arrived.base, count: own.count)
            for rank in 1..<group.size {
                let part = arrived.base + rank * own.count
                for i in 0..<own.count { sum[i] += part[i] }
            }
        }
        messages += try seconds {
            let mine = UnsafeRawBufferPointer(block(whole, own))
            try group.exchange(slices.map { _ in mine }, slices.map { block(whole, $0) }, purpose: "sums")
        }
        copies += seconds { source.base.update(from: whole.base, count: elements) }
        return (messages, copies)
    }

    private func block(_ arena: Arena, _ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            UnsafeMutableBufferPointer(start: arena.base + range.lowerBound, count: range.count))
    }

    private func seconds(_ body: () throws -> Void) rethrows -> Double { try clock.measure(body) / .seconds(1) }

    private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}

extension JobModel.Host {
    /// Measures processes on this host, which are started for this purpose.
    /// - Throws: `AnnealError` if they cannot be started.
    static func measure(processes: Int) throws -> JobModel.Host {
        let binary = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let (status, output) = Preflight.run([binary, "launch", "-n", "\(processes)", "anneal", "bench-exchange"])
        let line = output.split(separator: "\n").last { $0.hasPrefix("{") }
        guard status == 0, let line,
            let found = try? JSONDecoder().decode([String: Double].self, from: Data(line.utf8)),
            let latency = found["latency_us"], let messages = found["message_mb_s"], let copies = found["copy_mb_s"],
            messages > 0, copies > 0
        else {
            throw AnnealError(
                "processes of this host", output.split(separator: "\n").last.map(String.init) ?? "say nothing")
        }
        return JobModel.Host(latency: latency / 1e6, messageRate: messages * 1e6, copyRate: copies * 1e6)
    }
}
