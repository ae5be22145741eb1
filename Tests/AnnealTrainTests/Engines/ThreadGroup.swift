import AnnealCompiler
import AnnealCore
import Foundation

/// Processes simulated by threads of this one.
final class ThreadGroup: ProcessGroup {
    /// Messages that have not been received, by sender and receiver.
    private final class Mail: @unchecked Sendable {
        private let condition = NSCondition()
        private var messages: [[Int]: [[UInt8]]] = [:]

        func send(_ bytes: [UInt8], _ way: [Int]) {
            condition.lock()
            messages[way, default: []].append(bytes)
            condition.broadcast()
            condition.unlock()
        }

        func take(_ way: [Int]) -> [UInt8] {
            condition.lock()
            defer { condition.unlock() }
            while messages[way]?.isEmpty ?? true { condition.wait() }
            return messages[way]?.removeFirst() ?? []
        }
    }

    let rank: Int
    let size: Int
    let transport = "threads"
    var step = 0
    private let mail: Mail

    private init(_ rank: Int, of size: Int, _ mail: Mail) {
        (self.rank, self.size, self.mail) = (rank, size, mail)
    }

    func exchange(
        _ send: [UnsafeRawBufferPointer], _ receive: [UnsafeMutableRawBufferPointer], purpose: String
    ) throws {
        if let to = receive[rank].baseAddress, let from = send[rank].baseAddress, UnsafeRawPointer(to) != from {
            to.copyMemory(from: from, byteCount: min(send[rank].count, receive[rank].count))
        }
        for other in 0..<size where other != rank { mail.send(Array(send[other]), [rank, other]) }
        for other in 0..<size where other != rank {
            let message = mail.take([other, rank])
            guard message.count == receive[other].count else {
                throw AnnealError(purpose, "has \(message.count) bytes, expected \(receive[other].count)")
            }
            receive[other].copyBytes(from: message)
        }
    }

    /// Runs `body` in each process.
    static func run<Value: Sendable>(_ size: Int, _ body: @escaping @Sendable (ThreadGroup) throws -> Value) throws
        -> [Value]
    {
        let mail = Mail(), results = Results<Value>(), all = DispatchGroup()
        for rank in 0..<size {
            all.enter()
            let thread = Thread {
                results.set(rank, Result { try body(ThreadGroup(rank, of: size, mail)) })
                all.leave()
            }
            thread.stackSize = 16 << 20
            thread.start()
        }
        all.wait()
        return try (0..<size).map { try results.get($0) }
    }

    private final class Results<Value>: @unchecked Sendable {
        private let lock = NSLock()
        private var values: [Int: Result<Value, any Error>] = [:]

        func set(_ rank: Int, _ value: Result<Value, any Error>) { lock.withLock { values[rank] = value } }

        func get(_ rank: Int) throws -> Value {
            guard let value = lock.withLock({ values[rank] }) else {
                throw AnnealError("rank \(rank)", "has no result")
            }
            return try value.get()
        }
    }
}

/// The rows of each batch of another source that a process computes.
final class OwnRows: BatchSource {
    private let source: any BatchSource
    private let rows: Range<Int>
    private var data: [Float]
    private var labels: [Float]

    init(_ source: any BatchSource, _ rows: Range<Int>) {
        (self.source, self.rows) = (source, rows)
        data = Array(repeating: 0, count: source.batchSize * source.dataShape.count)
        labels = Array(repeating: 0, count: source.batchSize * source.labelWidth)
    }

    var batchSize: Int { source.batchSize }
    var dataShape: Shape { source.dataShape }
    var labelWidth: Int { source.labelWidth }
    var count: Int { source.count }

    func start(epoch: Int, atBatch: Int) throws { try source.start(epoch: epoch, atBatch: atBatch) }

    func next(into slot: BatchSlot) throws -> Int {
        let valid = try data.withUnsafeMutableBufferPointer { data in
            try labels.withUnsafeMutableBufferPointer { labels in
                try source.next(into: BatchSlot(data: data, labels: labels))
            }
        }
        let width = dataShape.count
        _ = slot.data.update(from: data[(rows.lowerBound * width)..<(rows.upperBound * width)])
        _ = slot.labels.update(
            from: labels[(rows.lowerBound * labelWidth)..<(rows.upperBound * labelWidth)])
        return valid
    }
}
