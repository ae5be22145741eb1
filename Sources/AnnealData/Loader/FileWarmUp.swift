import AnnealCore

/// Reads a file from its start to its end in large pieces while training has begun, so that records are found in the
/// system's memory when their turn comes: on a disk that is far away or has to turn, small reads in a random order are
/// many times slower.
final class FileWarmUp: Sendable {
    private let stopped = Guarded(false)
    private let thread: WorkerThread?
    private static let piece = 8 << 20

    /// - Parameter free: bytes of memory that may be used; a larger file is read as far as they go.
    init(_ bytes: FileBytes, upTo free: Int) {
        let end = min(bytes.size, free), stopped = stopped
        thread = WorkerThread("anneal-read-ahead") {
            var buffer: [UInt8] = []
            var at = 0
            while at < end, !stopped.withLock({ $0 }) {
                buffer.removeAll(keepingCapacity: true)
                let count = min(Self.piece, end - at)
                // What cannot be read is named when its record is.
                guard (try? bytes.append(count, at: at, to: &buffer)) != nil else { return }
                at += count
            }
        }
    }

    /// Bytes that programs can get; 0 where the system does not say.
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
