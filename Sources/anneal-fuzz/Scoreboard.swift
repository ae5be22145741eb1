import AnnealCore
import Foundation

/// A worker's progress, in memory that outlives it: a mapped file that it shares with the campaign.
final class Scoreboard {
    struct Scores {
        /// The input being read.
        var current = 0
        var accepted = 0
        var refused = 0
        var slowestMicroseconds = 0
        /// The largest memory use of an input, and the size of that input.
        var memory = 0
        var memorySize = 0

        mutating func add(_ other: Scores) {
            accepted += other.accepted
            refused += other.refused
            slowestMicroseconds = max(slowestMicroseconds, other.slowestMicroseconds)
            if other.memory > memory { (memory, memorySize) = (other.memory, other.memorySize) }
        }
    }

    private let memory: UnsafeMutablePointer<Scores>

    var scores: Scores {
        get { memory.pointee }
        set { memory.pointee = newValue }
    }

    /// Opens a scoreboard; a new file is all zeros.
    init(_ path: String) throws {
        let size = MemoryLayout<Scores>.size
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw AnnealError(path, "cannot be written") }
        defer { close(descriptor) }
        guard ftruncate(descriptor, off_t(size)) == 0,
            let mapped = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), mapped != MAP_FAILED
        else { throw AnnealError(path, "cannot be mapped") }
        memory = mapped.bindMemory(to: Scores.self, capacity: 1)
    }

    deinit { munmap(memory, MemoryLayout<Scores>.size) }
}
