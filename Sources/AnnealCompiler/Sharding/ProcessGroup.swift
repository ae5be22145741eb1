import AnnealCore

/// Processes that train together, each computing some of every batch's shards. All of them make the same calls in the
/// same order.
///
/// A group is used by one thread at a time.
public protocol ProcessGroup: AnyObject {
    var rank: Int { get }
    var size: Int { get }
    /// What connects them, for messages, e.g. `Open MPI 4.1.4`.
    var transport: String { get }

    /// The step being computed, for messages.
    var step: Int { get set }

    /// Sends a block to each process and receives one from each; both sides know the sizes, in bytes.
    /// - Parameters:
    ///   - send: by rank; this process's own block is copied.
    ///   - receive: by rank.
    ///   - purpose: the purpose, for messages about processes that do not answer.
    /// - Throws: `AnnealError` that names the processes that did not answer in time.
    func exchange(
        _ send: [UnsafeRawBufferPointer], _ receive: [UnsafeMutableRawBufferPointer], purpose: String) throws
}

/// When a bucket of gradients was summed over all processes.
public struct BucketTime: Sendable {
    /// In the order in which the backward pass completes them, from 0.
    public var number: Int
    public var bytes: Int
    public var begin: ContinuousClock.Instant
    public var end: ContinuousClock.Instant
    /// 1 if it belongs to the step before the reported one.
    public var stepsAgo: Int

    package init(
        number: Int = 0, bytes: Int, begin: ContinuousClock.Instant, end: ContinuousClock.Instant, stepsAgo: Int = 0
    ) {
        (self.number, self.bytes, self.begin, self.end, self.stepsAgo) = (number, bytes, begin, end, stepsAgo)
    }
}

extension ProcessGroup {
    /// Gathers each process's elements in all processes, in the order of ranks.
    /// - Parameters:
    ///   - own: this process's elements.
    ///   - counts: the number of elements of each process.
    ///   - all: of all processes, concatenated; may already hold this process's elements in their place.
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

    /// One number from each process, in the order of ranks.
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
