import AnnealCore
import Foundation

/// A zeroed, page-aligned block of floats with a single owner.
public final class Arena {
    /// The first float.
    public let base: UnsafeMutablePointer<Float>
    /// The number of floats.
    public let count: Int
    private let bytes: Int

    /// - Throws: `AnnealError` with the code `outOfMemory`.
    public init(_ count: Int) throws {
        let (bytes, overflow) = max(count, 1).multipliedReportingOverflow(by: MemoryLayout<Float>.size)
        self.bytes = bytes
        // The system provides pages when they are first written.
        guard !overflow, let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            memory != MAP_FAILED
        else {
            throw AnnealError(
                "memory", "\(count >> 18) MB cannot be allocated", suggestion: MemoryNeed.suggestion, code: .outOfMemory
            )
        }
        // Huge pages save address translations in arenas of hundreds of megabytes.
        if bytes > 1 << 22 { madvise(memory, bytes, 14) }
        base = memory.assumingMemoryBound(to: Float.self)
        self.count = count
    }

    /// Returns whole pages of a part of an arena to the system; they are zero when they are next read.
    public static func release(_ memory: UnsafeMutablePointer<Float>, _ count: Int) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let low = (Int(bitPattern: memory) + page - 1) / page * page
        let high = Int(bitPattern: memory + count) / page * page
        if low < high { madvise(UnsafeMutableRawPointer(bitPattern: low), high - low, MADV_DONTNEED) }
    }

    deinit { munmap(base, bytes) }
}
