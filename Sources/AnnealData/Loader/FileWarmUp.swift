import AnnealCore

/// Reads a file sequentially in large pieces when training has begun, so that records are in the page cache when they
/// are needed: on a network or rotating disk, small random reads are many times slower.
final class FileWarmUp: Sendable {
    private let stopped = Guarded(false)
    private let thread: WorkerThread?
    private static let piece = 8 << 20

    /// - Parameter free: bytes of memory that may be used; a larger file is read up to that size.
    init(_ bytes: FileBytes, upTo free: Int) {
        let end = min(bytes.size, free), stopped = stopped
        thread = WorkerThread("anneal-read-ahead") {
            var buffer: [UInt8] = []
            var at = 0
            while at < end, !stopped.withLock({ $0 }) {
                buffer.removeAll(keepingCapacity: true)
                let count = min(Self.piece, end - at)
                // Parts that cannot be read are reported when their records are read.
                guard (try? bytes.append(count, at: at, to: &buffer)) != nil else { return }
                at += count
            }
        }
    }

    /// Memory that programs can still get; 0 if the system does not tell.
    static var freeMemory: Int {
        guard let text = try? Files.readText("/proc/meminfo"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("MemAvailable:") })
        else { return 0 }
        return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) << 10
    }

    deinit {
        stopped.withLock { $0 = true }
        thread?.join()
    }
}
