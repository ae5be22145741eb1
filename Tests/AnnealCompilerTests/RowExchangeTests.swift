import AnnealCompiler
import Foundation
import Synchronization
import Testing

/// Rows of shards that several processes sum; here the processes are threads.
@Suite struct RowExchangeTests {
    private static let elements = 1000, shards = 5

    /// Large enough that the order of additions matters; the first two elements have a subnormal sum.
    private static func row(_ shard: Int) -> [Float] {
        var row = (0..<elements).map { Float(($0 * 7919 + shard * 104_729) % 1013) / 1013 - 0.4 }
        row[0] = shard == 0 ? 1.5 * .leastNormalMagnitude : shard == 1 ? -Float.leastNormalMagnitude : 0
        row[1] = shard == 3 ? .nan : 1
        return row
    }

    /// The result in each process.
    private static func sums(processes: Int, _ compression: GradientCompression) throws -> [[Float]] {
        let office = PostOffice(processes), results = Mutex([Int: Result<[Float], any Error>]())
        let running = DispatchGroup()
        @Sendable func run(_ rank: Int) {
            let group = ThreadGroup(rank, office)
            let result = Result {
                let exchange = RowExchange(count: elements, gradients: 900, group, compression)
                let own = Shards.range(of: rank, workers: processes, count: shards)
                let rows = SumTree.nodes(within: own, of: shards).map { node in
                    let sum = SumTree.sum(node.map(row)) { zip($0, $1).map { a, b in flushed(a + b) } }
                    let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: elements)
                    _ = memory.initialize(from: sum)
                    return (node: node, row: memory)
                }
                defer { for (_, memory) in rows { memory.deallocate() } }
                var total = [Float](repeating: 0, count: elements)
                // Twice, so that memory is reused.
                for _ in 0..<2 {
                    try total.withUnsafeMutableBufferPointer { try exchange.add(rows, of: shards, into: $0) }
                }
                return total
            }
            results.withLock { $0[rank] = result }
            running.leave()
        }
        // Separate threads, since they wait for each other.
        for rank in 0..<processes {
            running.enter()
            Thread { run(rank) }.start()
        }
        running.wait()
        return try (0..<processes).map { rank in
            try #require(results.withLock { $0[rank] }).get()
        }
    }

    private static func flushed(_ value: Float) -> Float { abs(value) < .leastNormalMagnitude ? 0 : value }

    /// The results of all processes are equal, whatever their number.
    @Test(arguments: [2, 3, 4, 5]) func anyNumberOfProcessesHasTheSameSum(processes: Int) throws {
        let expected = SumTree.sum((0..<Self.shards).map(Self.row)) { zip($0, $1).map { Self.flushed($0 + $1) } }
        #expect(expected[0] == 0 && expected[1].isNaN)
        for sum in try Self.sums(processes: processes, .none) {
            #expect(sum.map(\.bitPattern).dropFirst(2) == expected.map(\.bitPattern).dropFirst(2))
            #expect(sum[0] == 0 && sum[1].isNaN)
        }
    }

    /// Gradients are rounded when exchanged, the rest of a row is not.
    @Test func gradientsTravelInBfloat16() throws {
        let exact = try Self.sums(processes: 2, .none), rounded = try Self.sums(processes: 2, .bfloat16)
        #expect(rounded[0].map(\.bitPattern) == rounded[1].map(\.bitPattern))
        #expect(rounded[0][900...] == exact[0][900...])
        #expect(rounded[0][2..<900] != exact[0][2..<900])
        for (a, b) in zip(rounded[0][2..<900], exact[0][2..<900]) { #expect(abs(a - b) <= 0.02 * max(1, abs(b))) }
    }
}

/// A mailbox for messages between threads: all put theirs in, then all take theirs.
private final class PostOffice: @unchecked Sendable {
    private let condition = NSCondition()
    let size: Int
    private var messages: [[Data]] = []
    private var arrived = 0, round = 0

    init(_ size: Int) {
        self.size = size
        messages = Array(repeating: [], count: size)
    }

    func exchange(_ rank: Int, _ send: [UnsafeRawBufferPointer]) -> [Data] {
        condition.lock()
        defer { condition.unlock() }
        messages[rank] = send.map { Data($0) }
        meet()
        let received = messages.map { $0[rank] }
        meet()
        return received
    }

    private func meet() {
        let own = round
        arrived += 1
        if arrived == size {
            (arrived, round) = (0, round + 1)
            condition.broadcast()
        }
        while round == own { condition.wait() }
    }
}

private final class ThreadGroup: ProcessGroup {
    let rank: Int, size: Int, transport = "threads"
    var step = 0
    private let office: PostOffice

    init(_ rank: Int, _ office: PostOffice) { (self.rank, size, self.office) = (rank, office.size, office) }

    func exchange(
        _ send: [UnsafeRawBufferPointer], _ receive: [UnsafeMutableRawBufferPointer], purpose: String
    ) throws {
        for (target, message) in zip(receive, office.exchange(rank, send)) {
            message.copyBytes(to: target)
        }
    }
}
