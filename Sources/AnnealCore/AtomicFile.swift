import Foundation

/// A file that is written under a temporary name in its own folder and gets its name when it is complete: a reader sees
/// the old file or the new one, never a part. Without `finish()` nothing remains.
///
/// Symbolic links are followed, and a file that is replaced passes its mode on; what is not a regular file (a device, a
/// FIFO) is refused. Only open descriptors, `-` and `/dev/stdout` among them, are written to directly.
public final class AtomicFile {
    private let path: String
    private let descriptor: Int32
    /// nil: an open descriptor that is written to directly.
    private let replacement: (target: String, temporary: String)?
    private var isOpen = true
    private var isFinished = false

    /// - Throws: `AnnealError` when no file can be made there, or what is there is not a regular file.
    public init(_ path: String) throws {
        self.path = path
        if let stream = Files.openDescriptor(path) {
            descriptor = stream
            replacement = nil
            return
        }
        let target = try Files.writeTarget(path)
        let temporary = Files.temporary(target.path)
        // What replaces a private file is private from the start.
        descriptor = open(
            temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, target.existing == nil ? 0o666 : 0o600)
        guard descriptor >= 0 else {
            throw AnnealError(path, "cannot be written: \(Files.systemError())", code: .init(errno: errno))
        }
        if let existing = target.existing {
            // Root saves over another user's file without taking it over; others can keep the group at most.
            if fchown(descriptor, existing.st_uid, existing.st_gid) != 0 {
                _ = fchown(descriptor, uid_t.max, existing.st_gid)
            }
            _ = fchmod(descriptor, existing.st_mode & 0o777)
        }
        replacement = (target.path, temporary)
    }

    deinit {
        guard let replacement else { return }
        // An open file keeps its place on a full disk.
        if isOpen { close(descriptor) }
        if !isFinished { unlink(replacement.temporary) }
    }

    /// - Throws: `BrokenPipe` when the reader of an open descriptor has gone.
    public func write(_ bytes: UnsafeRawBufferPointer) throws {
        guard let code = Files.write(bytes, to: descriptor) else { return }
        if replacement == nil, code == EPIPE { throw BrokenPipe() }
        throw AnnealError(path, "cannot be written: \(String(cString: strerror(code)))", code: .ioFailure)
    }

    /// Brings what was written to the disk.
    public func sync() throws {
        if replacement != nil, isOpen { try Files.sync(descriptor, path) }
    }

    /// Syncs the file and gives it its name.
    public func finish() throws {
        guard let replacement, !isFinished else { return }
        try sync()
        // What close fails on is closed all the same.
        isOpen = false
        guard close(descriptor) == 0 || errno == EINTR else {
            throw AnnealError(path, "cannot be closed: \(Files.systemError())", code: .ioFailure)
        }
        guard rename(replacement.temporary, replacement.target) == 0 else {
            throw AnnealError(path, "cannot be replaced: \(Files.systemError())", code: .ioFailure)
        }
        isFinished = true
        Files.syncFolder(of: replacement.target)
    }
}

/// The reader of an output has gone away, as `head` does: a command ends without a message.
public struct BrokenPipe: Error {
    public init() {}
}
