import AnnealCore
import Foundation

/// Heartbeats between a job's processes.
///
/// A separate thread regularly tells the other processes that this one is alive and which step it is in, whatever this
/// process is computing, validating or saving meanwhile. A process that was killed or stopped is thus known by its
/// silence, and one that is merely slow is not taken for dead.
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
    /// The number being sent to each process.
    private let sent: UnsafeMutableBufferPointer<Int>
    private var requests: [OpenMPILibrary.Handle?]

    /// - Parameter period: seconds between two heartbeats.
    /// - Throws: `AnnealError` if the system cannot start a thread.
    init(_ library: OpenMPILibrary, rank: Int, size: Int, period: Double) throws {
        self.library = library
        self.rank = rank
        self.size = size
        heard = Array(repeating: (Self.clock.now, 0), count: size)
        // Never freed: a message that was never received may still refer to it when the process ends.
        sent = .allocate(capacity: size)
        sent.initialize(repeating: 0)
        requests = Array(repeating: nil, count: size)
        // It touches nothing but what the lock guards.
        let shared = Handover(self)
        try OwnThread.start("anneal-life-signs", pool: 1) {
            while shared.value.give() { usleep(UInt32(period * 1_000_000)) }
        }
    }

    /// Sends this process's heartbeats.
    /// - Returns: false once the group has ended.
    private func give() -> Bool {
        library.calls.withLock {
            guard !isOver else { return false }
            for other in 0..<size where other != rank {
                var done: Int32 = 1
                if requests[other] != nil { _ = library.test(&requests[other], &done, nil) }
                // A process that does not receive them is sent no more.
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

    /// Receives the heartbeats that have arrived.
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
            // Heartbeats may have arrived while this process itself was stopped.
            if !isOver { listen() }
            return heard
        }
    }

    /// From now on this process sends nothing: it is about to end.
    func end() { library.calls.withLock { isOver = true } }
}
