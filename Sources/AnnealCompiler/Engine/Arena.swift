import AnnealCore
import Foundation

/// A block of floats that belongs to its owner alone, zero at first, page-aligned.
public final class Arena {
    /// The first float.
    public let base: UnsafeMutablePointer<Float>
    /// Floats.
    public let count: Int
    private let bytes: Int

    /// - Throws: `AnnealError` with the code `outOfMemory`.
    public init(_ count: Int) throws {
        let (bytes, overflow) = max(count, 1).multipliedReportingOverflow(by: MemoryLayout<Float>.size)
        self.bytes = bytes
        // Pages are given by the system when they are first written.
        guard !overflow, let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            memory != MAP_FAILED
        else {
            throw AnnealError(
                "memory", "\(count >> 18) MB cannot be allocated", suggestion: MemoryNeed.suggestion, code: .outOfMemory
            )
        }
        // Large pages spare address translations in arenas of hundreds of megabytes.
        if bytes > 1 << 22 { madvise(memory, bytes, 14) }
        base = memory.assumingMemoryBound(to: Float.self)
        self.count = count
    }

    /// Gives whole pages of a part of an arena back to the system; they are zero when they are next read.
    public static func release(_ memory: UnsafeMutablePointer<Float>, _ count: Int) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let low = (Int(bitPattern: memory) + page - 1) / page * page
        let high = Int(bitPattern: memory + count) / page * page
        if low < high { madvise(UnsafeMutableRawPointer(bitPattern: low), high - low, MADV_DONTNEED) }
    }

    deinit { munmap(base, bytes) }
}
