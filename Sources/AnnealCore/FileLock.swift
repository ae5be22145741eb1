import Foundation

/// A file that at most one process holds. The system releases it when the process ends, even if it crashes; the empty
/// file remains.
public final class FileLock {
    private let descriptor: Int32
    /// What this file system does not support, as a warning for the user: without locks a second process goes
    /// unnoticed, without syncs the last files may be lost in a power failure.
    public let warnings: [String]

    /// - Parameter suggestion: what to do when another process holds it.
    /// - Throws: immediately if another process holds the lock or the file cannot be created.
    public init(_ path: String, suggestion: String) throws {
        let descriptor = Files.withPath(path) { open($0, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o666) }
        guard descriptor >= 0 else {
            throw AnnealError(path, "cannot be made: \(Files.systemError())", code: .init(errno: errno))
        }
        var warnings: [String] = []
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let code = errno, reason = String(cString: strerror(code))
            guard Files.isUnsupported(code) else {
                close(descriptor)
                if code == EWOULDBLOCK {
                    throw AnnealError(path, "is held by another process", suggestion: suggestion, code: .ioFailure)
                }
                throw AnnealError(path, "cannot be locked: \(reason)", code: .ioFailure)
            }
            warnings.append(
                "\(path): this file system has no locks (\(reason)): make sure that no other run saves there")
        }
        if fsync(descriptor) != 0, Files.isUnsupported(errno) {
            warnings.append(
                "\(path): this file system cannot sync (\(Files.systemError())): after a power failure the last files may be incomplete"
            )
        }
        self.descriptor = descriptor
        self.warnings = warnings
    }

    deinit { close(descriptor) }
}
