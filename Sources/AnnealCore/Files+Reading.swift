import Foundation

/// Reads regular files only: a named pipe without a writer blocks forever, and a device may never end. Where text is
/// read from start to end, a pipe that the process already has open also works: `<(command)` and /dev/stdin.
extension Files {
    /// The bytes of a regular file, or of a stream that is already open, such as /dev/stdin.
    public static func read(_ path: String) throws -> Data {
        let isStream = irregularKind(FilePath(path)) != nil
        try checkIsFile(FilePath(path), acceptsStreams: true)
        // A stream is not opened again by its path: that would wait for a writer once the last one is gone. O_NONBLOCK
        // covers a path that has become a pipe since.
        let own = isStream ? ownDescriptor(path).map { dup($0) } : nil
        let descriptor = own ?? withPath(path) { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else { throw unreadable(path, errno) }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw unreadable(path, errno) }
        switch info.st_mode & S_IFMT {
        case S_IFREG where info.st_size > 0: return try read(descriptor, count: Int(info.st_size), path)
        case S_IFDIR: throw AnnealError(path, "cannot be read: it is a folder", code: .ioFailure)
        case S_IFREG: return try readToEnd(descriptor, path)
        default:
            guard isStream else { throw AnnealError(path, "is not a regular file", suggestion: "give a file") }
            return try readToEnd(descriptor, path)
        }
    }

    /// Standard input to its end.
    public static func readStandardInput() throws -> Data { try readToEnd(STDIN_FILENO, "standard input") }

    /// - Parameter acceptsStreams: whether the path of an open descriptor, e.g. /dev/stdin, may be of any kind.
    /// - Throws: `AnnealError` for a pipe, a socket or a device. Folders and missing files are left to the caller's
    ///   `open`.
    package static func checkIsFile(_ path: FilePath, acceptsStreams: Bool) throws {
        let isOpen = acceptsStreams && (isDevNull(path.text) || ownDescriptor(path.text) != nil)
        guard let kind = irregularKind(path), !isOpen else { return }
        throw AnnealError(
            "\(path)", "is \(kind), not a regular file",
            suggestion: acceptsStreams ? "give a file, or <(COMMAND) for what a command prints" : "give a file")
    }

    /// The bytes that a file had when it was opened. They are copied, not mapped: a file that is truncated under a
    /// mapping crashes the process.
    private static func read(_ descriptor: Int32, count: Int, _ path: String) throws -> Data {
        guard let bytes = malloc(count) else {
            throw AnnealError(path, "does not fit into memory: it has \(count) bytes", code: .outOfMemory)
        }
        var done = 0
        while done < count {
            let got = Foundation.read(descriptor, bytes + done, count - done)
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else {
                let code = errno
                free(bytes)
                throw unreadable(path, code)
            }
            if got == 0 { break }
            done += got
        }
        return Data(bytesNoCopy: bytes, count: done, deallocator: .free)
    }

    private static func readToEnd(_ descriptor: Int32, _ path: String) throws -> Data {
        var data = Data(), piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let got = Foundation.read(descriptor, &piece, piece.count)
            if got < 0 {
                switch errno {
                case EINTR: continue
                case EAGAIN:
                    // Another process that shares the descriptor has made it non-blocking.
                    var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                    _ = poll(&ready, 1, -1)
                    continue
                case let code: throw unreadable(path, code)
                }
            }
            if got == 0 { return data }
            guard data.count + got <= largestStream else {
                throw AnnealError(path, "is a stream of more than \(largestStream >> 20) MB", suggestion: "give a file")
            }
            data.append(contentsOf: piece[..<got])
        }
    }

    private static let largestStream = 1 << 30

    private static func unreadable(_ path: String, _ code: Int32) -> AnnealError {
        AnnealError(
            path, "cannot be read: \(String(cString: strerror(code)))",
            suggestion: code == ENOENT ? Spelling.suggestion(forPath: path) : nil, code: .init(errno: code))
    }

    private static func irregularKind(_ path: FilePath) -> String? {
        var info = stat()
        guard path.withCString({ stat($0, &info) }) == 0 else { return nil }
        switch info.st_mode & S_IFMT {
        case S_IFIFO: return "a pipe"
        case S_IFSOCK: return "a socket"
        case S_IFCHR, S_IFBLK: return "a device"
        default: return nil
        }
    }

    /// Such a file has nothing to read and never ends.
    private static func isDevNull(_ path: String) -> Bool { path == "/dev/null" }

    /// The number in `/dev/fd/63`.
    private static func ownDescriptor(_ path: String) -> Int32? {
        if path == "/dev/stdin" { return STDIN_FILENO }
        for folder in ["/dev/fd/", "/proc/self/fd/"] where path.hasPrefix(folder) {
            return Int32(path.dropFirst(folder.count))
        }
        return nil
    }
}
