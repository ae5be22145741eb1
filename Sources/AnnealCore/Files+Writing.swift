import Foundation

extension Files {
    /// Writes all of the bytes, even if the system takes them in several parts.
    /// - Returns: the system's error number; nil when everything was written.
    package static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32? {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = Foundation.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if written > 0 {
                rest = rest.dropFirst(written)
                continue
            }
            switch written == 0 ? EIO : errno {
            case EINTR: continue
            case EAGAIN:
                // Another process that shares the descriptor has made it non-blocking.
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&ready, 1, -1)
            case let code: return code
            }
        }
        return nil
    }

    /// Syncs what was written to disk, where the file system can: `FileLock` reports once where it cannot.
    package static func sync(_ descriptor: Int32, _ path: String) throws {
        guard fsync(descriptor) == 0 || isUnsupported(errno) else {
            throw AnnealError(path, "cannot be synced: \(systemError())")
        }
    }

    /// Whether a call failed because the file system, or the kind of file, does not support it.
    static func isUnsupported(_ code: Int32) -> Bool { [ENOSYS, ENOLCK, EOPNOTSUPP, EINVAL, EROFS].contains(code) }

    /// Syncs a folder, so that a rename in it reaches the disk.
    static func syncFolder(of path: String) {
        let folder = Files.folder(of: path)
        let parent = withPath(folder.isEmpty ? "." : folder) { open($0, O_RDONLY | O_CLOEXEC) }
        guard parent >= 0 else { return }
        fsync(parent)
        close(parent)
    }

    /// Whether writing to the path goes to standard output.
    public static func isStandardOutput(_ path: String) -> Bool { openDescriptor(path) == 1 }

    /// The open descriptor that a path names; `-` is standard output.
    static func openDescriptor(_ path: String) -> Int32? {
        switch path {
        case "-", "/dev/stdout": return 1
        case "/dev/stderr": return 2
        default:
            guard let folder = ["/dev/fd/", "/proc/self/fd/"].first(where: path.hasPrefix),
                let number = Int32(path.dropFirst(folder.count)), fcntl(number, F_GETFD) >= 0
            else { return nil }
            return number
        }
    }

    /// The target of a path when symbolic links are followed, and the regular file that exists there.
    static func writeTarget(_ path: String) throws -> (path: String, existing: stat?) {
        var target = path
        // Linux follows as many.
        for _ in 0..<40 {
            var info = stat()
            guard withPath(target, { lstat($0, &info) }) == 0 else {
                guard errno == ENOENT else { throw AnnealError(path, "cannot be written: \(systemError())") }
                return (target, nil)
            }
            switch info.st_mode & S_IFMT {
            case S_IFREG: return (target, info)
            case S_IFDIR: throw AnnealError(path, "cannot be replaced: it is a folder", suggestion: "name a file")
            case S_IFLNK: target = try destination(ofLink: target, info, for: path)
            default:
                throw AnnealError(
                    path, "cannot be replaced: it is not a regular file",
                    suggestion: "name a file, or - for standard output")
            }
        }
        throw AnnealError(path, "cannot be written: \(String(cString: strerror(ELOOP)))")
    }

    private static func destination(ofLink link: String, _ info: stat, for path: String) throws -> String {
        let folder = folder(of: link)
        // In a folder that everybody may write to (/tmp), another user's link may point to any of our files: Linux does
        // not follow it there either (fs.protected_symlinks).
        var parent = stat()
        let isShared =
            withPath(folder.isEmpty ? "." : folder, { stat($0, &parent) }) == 0 && parent.st_mode & S_ISVTX != 0
            && parent.st_mode & S_IWOTH != 0
        guard !isShared || info.st_uid == geteuid() || info.st_uid == parent.st_uid else {
            throw AnnealError(
                path, "cannot be replaced: it is another user's symbolic link in a folder that all users can write to",
                suggestion: "choose another name or folder")
        }
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = withPath(link) { readlink($0, &bytes, bytes.count) }
        guard count >= 0 else { throw AnnealError(path, "cannot be written: \(systemError())") }
        let destination = FilePath(bytes: bytes.prefix(count).map(UInt8.init(bitPattern:))).text
        return destination.hasPrefix("/") ? destination : Files.path(folder, destination)
    }
}
