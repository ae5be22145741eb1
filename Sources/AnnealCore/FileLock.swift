import Foundation

/// A file that at most one process holds. The system lets go of it when the process ends, however it ends; the empty file
/// stays.
public final class FileLock {
    private let descriptor: Int32

    /// - Parameter suggestion: what to do when another process holds it.
    /// - Throws: at once when another process holds the lock, or the file cannot be made.
    public init(_ path: String, suggestion: String) throws {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw AnnealError(path, "cannot be made: \(String(cString: strerror(errno)))") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let isHeld = errno == EWOULDBLOCK
            let problem =
                isHeld ? "is held by another process" : "cannot be locked: \(String(cString: strerror(errno)))"
            close(descriptor)
            throw AnnealError(path, problem, suggestion: isHeld ? suggestion : nil)
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }
}
