import AnnealCore

/// Processes that train together, each with some of every batch's shards. All of them make the same calls in the same order.
///
/// A group is used by one thread at a time.
public protocol ProcessGroup: AnyObject {
    var rank: Int { get }
    var size: Int { get }
    /// What connects them, for messages, e.g. `Open MPI 4.1.4`.
    var transport: String { get }

    /// The step that is computed, for messages.
    var step: Int { get set }

    /// Sends a block to each process and receives one from each; sizes, in bytes, are known to both sides.
    /// - Parameters:
    ///   - send: by rank; the own one is copied.
    ///   - receive: by rank.
    ///   - purpose: what for, in messages about processes that do not answer.
    /// - Throws: `AnnealError` that names the processes that did not answer in time.
    func exchange(
        _ send: [UnsafeRawBufferPointer], _ receive: [UnsafeMutableRawBufferPointer], purpose: String) throws
}

/// When a bucket of gradients was added up over all processes.
public struct BucketTime: Sendable {
    /// In the order in which the backward pass completes them, from 0.
    public var number: Int
    public var bytes: Int
    public var begin: ContinuousClock.Instant
    public var end: ContinuousClock.Instant
    /// 1: it belongs to the step before the one that is told of it.
    public var stepsAgo: Int

    package init(
        number: Int = 0, bytes: Int, begin: ContinuousClock.Instant, end: ContinuousClock.Instant, stepsAgo: Int = 0
    ) {
        (self.number, self.bytes, self.begin, self.end, self.stepsAgo) = (number, bytes, begin, end, stepsAgo)
    }
}

extension ProcessGroup {
    /// Gives every process what each has, in the order of ranks.
    /// - Parameters:
    ///   - own: this process's elements.
    ///   - counts: elements of each process.
    ///   - all: of all processes, one after the other; may hold the own ones in their place already.
    public func gather(
        _ own: UnsafeBufferPointer<Float>, counts: [Int], into all: UnsafeMutableBufferPointer<Float>, purpose: String
    ) throws {
        var receive: [UnsafeMutableRawBufferPointer] = [], start = 0
        for count in counts {
            receive.append(UnsafeMutableRawBufferPointer(rebasing: all[start..<(start + count)].bytes))
            start += count
        }
        try exchange(
            Array(repeating: UnsafeRawBufferPointer(own), count: size), receive, purpose: purpose)
    }

    /// Whether a condition holds in any process.
    public func any(_ condition: Bool) throws -> Bool {
        try gather(condition ? 1 : 0, purpose: "requests to stop").contains { $0 != 0 }
    }

    /// A number of each process, in the order of ranks.
    public func gather(_ own: Int, purpose: String) throws -> [Int] {
        var numbers = Array(repeating: 0, count: size)
        try numbers.withUnsafeMutableBytes { all in
            let width = MemoryLayout<Int>.size
            let receive = (0..<size).map {
                UnsafeMutableRawBufferPointer(rebasing: all[($0 * width)..<(($0 + 1) * width)])
            }
            try withUnsafeBytes(of: own) { own in
                try exchange(Array(repeating: own, count: size), receive, purpose: purpose)
            }
        }
        return numbers
    }
}

extension Slice where Base == UnsafeMutableBufferPointer<Float> {
    /// The same memory.
    fileprivate var bytes: UnsafeMutableRawBufferPointer.SubSequence {
        UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: self))[...]
    }
}
