import AnnealCore
import Foundation

/// Who of a job's processes is alive.
///
/// A thread of its own tells the other processes every moment that this one is there, and in which step it is, whatever it
/// computes, validates or saves meanwhile. So a process that is killed or stopped is known by its silence, and one that is
/// slow is not taken for dead.
final class LifeSigns {
    private let library: OpenMPILibrary
    private let rank: Int
    private let size: Int
    private static let tag: Int32 = 30_001
    private static let clock = ContinuousClock()

    // Under the library's lock, as every call of MPI is.
    private var heard: [(time: ContinuousClock.Instant, step: Int)]
    private var step = 0
    private var isOver = false
    /// The number that is on its way to each process.
    private let sent: UnsafeMutableBufferPointer<Int>
    private var requests: [OpenMPILibrary.Handle?]

    /// - Parameter period: seconds between two signs.
    /// - Throws: `AnnealError` when the system gives no thread.
    init(_ library: OpenMPILibrary, rank: Int, size: Int, period: Double) throws {
        self.library = library
        self.rank = rank
        self.size = size
        heard = Array(repeating: (Self.clock.now, 0), count: size)
        // Never freed: a message that nobody takes may still refer to it at the process's end.
        sent = .allocate(capacity: size)
        sent.initialize(repeating: 0)
        requests = Array(repeating: nil, count: size)
        // It touches nothing but what the lock guards.
        let shared = Handover(self)
        try OwnThread.start("anneal-life-signs", pool: 1) {
            while shared.value.give() { usleep(UInt32(period * 1_000_000)) }
        }
    }

    /// Tells the others of this process.
    /// - Returns: false once it is over.
    private func give() -> Bool {
        library.calls.withLock {
            guard !isOver else { return false }
            for other in 0..<size where other != rank {
                var done: Int32 = 1
                if requests[other] != nil { _ = library.test(&requests[other], &done, nil) }
                // One that takes no signs is given no more of them.
                guard done != 0 else { continue }
                sent[other] = step
                _ = library.send(
                    UnsafeMutableRawPointer(sent.baseAddress.map { $0 + other }), Int32(MemoryLayout<Int>.size),
                    library.byte, Int32(other),
                    Self.tag, library.world, &requests[other])
            }
            listen()
            return true
        }
    }

    /// Takes the signs that have come.
    private func listen() {
        for other in 0..<size where other != rank {
            var isThere: Int32 = 0, number = 0
            while library.probe(Int32(other), Self.tag, library.world, &isThere, nil) == 0, isThere != 0 {
                guard
                    library.take(
                        &number, Int32(MemoryLayout<Int>.size), library.byte, Int32(other), Self.tag, library.world, nil
                    )
                        == 0
                else { break }
                heard[other] = (Self.clock.now, number)
            }
        }
    }

    /// The step that this process is in.
    func enter(step: Int) { library.calls.withLock { self.step = step } }

    /// When each process was last heard of, and in which step it was.
    func last() -> [(time: ContinuousClock.Instant, step: Int)] {
        library.calls.withLock {
            // Signs may have come while this process itself was stopped.
            if !isOver { listen() }
            return heard
        }
    }

    /// From now on this process says nothing: it is about to end.
    func end() { library.calls.withLock { isOver = true } }
}
