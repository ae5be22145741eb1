import Foundation

/// What is read is a regular file: a named pipe that nobody writes to blocks for ever, a device may never end. Where text is
/// read from start to end, a pipe that the process already has open will do too: `<(command)` and /dev/stdin.
extension Files {
    /// - Parameter acceptsStreams: whether an open descriptor's path, e.g. /dev/stdin, may be of anything.
    /// - Throws: `AnnealError` for a pipe, a socket or a device. Folders and what is not there are left to who opens it.
    package static func checkIsFile(_ path: FilePath, acceptsStreams: Bool) throws {
        let isOpen = acceptsStreams && (isDevNull(path.text) || ownDescriptor(path.text) != nil)
        guard let kind = irregularKind(path), !isOpen else { return }
        throw AnnealError(
            "\(path)", "is \(kind), not a regular file",
            suggestion: acceptsStreams ? "give a file, or <(COMMAND) for what a command prints" : "give a file")
    }

    /// The bytes of a stream that the process has open, to its end; nil for a path of a file or folder.
    static func readStream(_ path: String) throws -> Data? {
        try checkIsFile(FilePath(path), acceptsStreams: true)
        guard irregularKind(FilePath(path)) != nil else { return nil }
        // Not opened again by its path: that would wait for a writer once the last one is gone.
        let descriptor = ownDescriptor(path).map { dup($0) } ?? open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw AnnealError(path, "cannot be read: \(String(cString: strerror(errno)))", code: .init(errno: errno))
        }
        defer { close(descriptor) }
        var data = Data(), piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let got = Foundation.read(descriptor, &piece, piece.count)
            if got < 0 {
                if errno == EINTR { continue }
                throw AnnealError(
                    path, "cannot be read: \(String(cString: strerror(errno)))", code: .init(errno: errno))
            }
            if got == 0 { return data }
            guard data.count + got <= largestStream else {
                throw AnnealError(path, "is a stream of more than \(largestStream >> 20) MB", suggestion: "give a file")
            }
            data.append(contentsOf: piece[..<got])
        }
    }

    private static let largestStream = 1 << 30

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

    /// It has nothing to read and no end to wait for.
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
