import Foundation

/// A file that is written under a temporary name in its own folder and renamed when it is complete: a reader sees the
/// old file or the new one, never a part. Without `finish()` nothing remains.
///
/// Symbolic links are followed, and a replaced file keeps its mode; anything that is not a regular file (a device, a
/// FIFO) is refused. Only open descriptors, `-` and `/dev/stdout` among them, are written to directly.
public final class AtomicFile {
    private let path: String
    private let descriptor: Int32
    /// nil: an open descriptor that is written to directly.
    private let replacement: (target: String, temporary: String)?
    private var isOpen = true
    private var isFinished = false
    /// Whether the temporary file is kept if the object goes away before `finish()`.
    private var isKept = false

    /// - Throws: `AnnealError` when no file can be created there, or when the path is not a regular file.
    public init(_ path: String) throws {
        self.path = path
        if let stream = Files.openDescriptor(path) {
            descriptor = stream
            replacement = nil
            return
        }
        let target = try Files.writeTarget(path)
        let temporary = Files.temporary(target.path)
        // A file that replaces a private file is private from the start.
        descriptor = Files.withPath(temporary) {
            open($0, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, target.existing == nil ? 0o666 : 0o600)
        }
        guard descriptor >= 0 else {
            throw AnnealError(path, "cannot be written: \(Files.systemError())", code: .init(errno: errno))
        }
        if let existing = target.existing {
            // When root replaces another user's file, the owner stays; without root at most the group can be kept.
            if fchown(descriptor, existing.st_uid, existing.st_gid) != 0 {
                _ = fchown(descriptor, uid_t.max, existing.st_gid)
            }
            _ = fchmod(descriptor, existing.st_mode & 0o777)
        }
        replacement = (target.path, temporary)
    }

    /// A file under a temporary name that the caller chooses, kept even without `finish()`: the next process continues
    /// what a killed one has written.
    ///
    /// - Parameters:
    ///   - temporary: in the folder of `path`.
    ///   - length: bytes of it to keep; the rest is cut off.
    /// - Throws: `AnnealError` when the file cannot be created, or when `path` is not a regular file.
    public init(_ path: String, continuing temporary: String, from length: Int) throws {
        self.path = path
        let target = try Files.writeTarget(path)
        descriptor = Files.withPath(temporary) {
            open($0, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, target.existing == nil ? 0o666 : 0o600)
        }
        guard descriptor >= 0 else {
            throw AnnealError(temporary, "cannot be written: \(Files.systemError())", code: .init(errno: errno))
        }
        replacement = (target.path, temporary)
        isKept = true
        guard ftruncate(descriptor, off_t(length)) == 0, lseek(descriptor, 0, SEEK_END) == off_t(length) else {
            throw AnnealError(temporary, "cannot be continued: \(Files.systemError())", code: .ioFailure)
        }
        if let existing = target.existing { _ = fchmod(descriptor, existing.st_mode & 0o777) }
    }

    /// A hard link to another file; nil where the file system has none.
    fileprivate init?(_ path: String, linkedTo source: String) throws {
        self.path = path
        let target = try Files.writeTarget(path).path, temporary = Files.temporary(target)
        replacement = (target, temporary)
        descriptor = -1
        isOpen = false
        let isLinked = Files.withPath(source) { from in
            Files.withPath(temporary) { linkat(AT_FDCWD, from, AT_FDCWD, $0, AT_SYMLINK_FOLLOW) == 0 }
        }
        if !isLinked { return nil }
    }

    deinit {
        guard let replacement else { return }
        // On a full disk an open file keeps its blocks.
        if isOpen { close(descriptor) }
        if !isFinished, !isKept { Files.remove(replacement.temporary) }
    }

    /// Discards what was written: nothing remains of it.
    public func discard() { isKept = false }

    /// - Throws: `BrokenPipe` when the reader of an open descriptor has gone.
    public func write(_ bytes: UnsafeRawBufferPointer) throws {
        guard let code = Files.write(bytes, to: descriptor) else { return }
        if replacement == nil, code == EPIPE { throw BrokenPipe() }
        throw AnnealError(path, "cannot be written: \(String(cString: strerror(code)))", code: .ioFailure)
    }

    /// Syncs what was written to disk.
    public func sync() throws {
        if replacement != nil, isOpen { try Files.sync(descriptor, path) }
    }

    /// Syncs the file and gives it its name.
    public func finish() throws {
        guard let replacement, !isFinished else { return }
        try sync()
        if isOpen {
            // A file is closed even when close reports an error.
            isOpen = false
            guard close(descriptor) == 0 || errno == EINTR else {
                throw AnnealError(path, "cannot be closed: \(Files.systemError())", code: .ioFailure)
            }
        }
        let isRenamed = Files.withPath(replacement.temporary) { from in
            Files.withPath(replacement.target) { rename(from, $0) == 0 }
        }
        guard isRenamed else {
            throw AnnealError(path, "cannot be replaced: \(Files.systemError())", code: .ioFailure)
        }
        isFinished = true
        Files.syncFolder(of: replacement.target)
    }
}

/// Files that belong together, such as a checkpoint's: they are renamed once all of them are complete and on disk, in
/// the order in which they were added. If the disk fills up, none of them appears, and earlier files of these names are
/// unchanged.
public struct AtomicFiles {
    private var files: [AtomicFile] = []

    public init() {}

    /// Adds a file that is written piece by piece.
    public mutating func write(to path: String, _ body: ((Data) throws -> Void) throws -> Void) throws {
        let file = try AtomicFile(path)
        try body { piece in try piece.withUnsafeBytes { try file.write($0) } }
        try file.sync()
        files.append(file)
    }

    /// Adds a file with this content.
    /// - Throws: `AnnealError` when it cannot be written.
    public mutating func write(_ data: Data, to path: String) throws {
        try write(to: path) { write in try write(data) }
    }

    /// Adds a second name for an existing file: a hard link, or a copy where the file system has no links.
    public mutating func link(_ source: String, to path: String) throws {
        guard let file = try AtomicFile(path, linkedTo: source) else { return try write(Files.read(source), to: path) }
        files.append(file)
    }

    /// Renames the files to their final names.
    public func finish() throws {
        for file in files { try file.finish() }
    }
}

/// The reader of an output has gone away, as `head` does: the command ends without a message.
public struct BrokenPipe: Error {
    public init() {}
}
