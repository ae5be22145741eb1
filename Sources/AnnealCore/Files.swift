import Foundation

/// Reads and writes whole files; errors name the file, and writes are all or nothing.
public enum Files {
    /// Reads UTF-8 text, dropping a byte-order mark.
    public static func readText(_ path: String) throws -> String {
        let text = String(decoding: try read(path), as: UTF8.self)
        return text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
    }

    /// Writes a whole file atomically, as `AtomicFile` does.
    public static func writeAtomically(_ data: Data, to path: String) throws {
        try writeAtomically(to: path) { write in try write(data) }
    }

    /// As above, for a file that is written piece by piece.
    public static func writeAtomically(to path: String, _ body: ((Data) throws -> Void) throws -> Void) throws {
        let file = try AtomicFile(path)
        try body { piece in try piece.withUnsafeBytes { try file.write($0) } }
        try file.finish()
    }

    /// Creates a folder and its missing parents.
    public static func makeFolder(_ path: String) throws { _ = try makeNewFolder(path) }

    /// As `makeFolder`.
    /// - Returns: whether this call created the folder: if several processes try, it is true in only one.
    public static func makeNewFolder(_ path: String) throws -> Bool {
        if withPath(path, { mkdir($0, 0o777) }) == 0 { return true }
        var code = errno
        let parent = folder(of: path)
        if code == ENOENT, !parent.isEmpty, parent != path {
            do {
                try makeFolder(parent)
            } catch let error as AnnealError {
                throw AnnealError(path, error.problem, suggestion: error.suggestion, code: error.code)
            }
            if withPath(path, { mkdir($0, 0o777) }) == 0 { return true }
            code = errno
        }
        if code == EEXIST, isFolder(path) { return false }
        let reason = code == EEXIST ? "a file has this name" : String(cString: strerror(code))
        throw AnnealError(path, "the folder cannot be made: \(reason)", code: .init(errno: code))
    }

    /// Removes a file or a link; does nothing if it does not exist.
    public static func remove(_ path: String) { _ = withPath(path) { unlink($0) } }

    /// Removes a folder and all that is in it, as far as possible; links are not followed.
    public static func removeFolder(_ path: String) {
        for name in (try? names(in: path)) ?? [] {
            let entry = Files.path(path, name)
            var info = stat()
            let isFolder = withPath(entry, { lstat($0, &info) }) == 0 && info.st_mode & S_IFMT == S_IFDIR
            if isFolder { removeFolder(entry) } else { remove(entry) }
        }
        _ = withPath(path) { rmdir($0) }
    }

    /// The names in a folder, in byte order.
    /// - Parameter folder: empty for the current directory.
    public static func names(in folder: String) throws -> [String] {
        guard let stream = withPath(folder.isEmpty ? "." : folder, { opendir($0) }) else {
            throw AnnealError(folder, "the folder cannot be read: \(systemError())", code: .init(errno: errno))
        }
        defer { closedir(stream) }
        var names: [FilePath] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            let name = FilePath(nameOf: entry)
            if !name.isDots { names.append(name) }
        }
        guard errno == 0 else {
            throw AnnealError(folder, "the folder cannot be read to its end: \(systemError())", code: .ioFailure)
        }
        return names.sorted().map(\.text)
    }

    /// Absolute, without links; nil if it does not exist.
    public static func realPath(_ path: String) -> String? {
        guard let found = withPath(path.isEmpty ? "." : path, { realpath($0, nil) }) else { return nil }
        defer { free(found) }
        return FilePath(cString: found).text
    }

    /// The current directory, absolute.
    public static var workingFolder: String { realPath(".") ?? "/" }

    /// Changes the current directory.
    /// - Returns: whether it succeeded.
    public static func enter(_ folder: String) -> Bool { withPath(folder) { chdir($0) } == 0 }

    /// The path from the root, without `.`, `..` and doubled slashes; links are kept.
    public static func absolute(_ path: String) -> String {
        let whole = path.utf8.first == slash ? path : Files.path(workingFolder, path)
        var parts: [Substring.UTF8View] = []
        for part in whole.utf8.split(separator: slash) where !part.elementsEqual(".".utf8) {
            if part.elementsEqual("..".utf8) { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.map { String($0) ?? "" }.joined(separator: "/")
    }

    /// The part before the last slash: `a/b` for `a/b/c`, `/` for `/c`, empty for `c`.
    public static func folder(of path: String) -> String {
        // By bytes: a slash followed by a combining accent is one character.
        guard let last = path.utf8.lastIndex(of: slash) else { return "" }
        return last == path.startIndex ? "/" : String(path[..<last])
    }

    /// The part after the last slash.
    public static func name(of path: String) -> String {
        path.utf8.lastIndex(of: slash).map { String(path[path.utf8.index(after: $0)...]) } ?? path
    }

    /// `folder/name`; just the name if the folder is empty.
    public static func path(_ folder: String, _ name: String) -> String {
        folder.isEmpty || folder.utf8.last == slash ? folder + name : folder + "/" + name
    }

    /// Whether a file or folder exists; false for a broken link.
    public static func exists(_ path: String) -> Bool {
        var info = stat()
        return withPath(path) { stat($0, &info) } == 0
    }

    /// Whether the path is a folder, or a link to one.
    public static func isFolder(_ path: String) -> Bool {
        var info = stat()
        return withPath(path) { stat($0, &info) } == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    /// As `isFolder`, but false for a link to one.
    public static func isFolderItself(_ path: String) -> Bool {
        var info = stat()
        return withPath(path) { lstat($0, &info) } == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    /// Calls `body` with a path for a system call: its bytes, which need not be UTF-8 (`FilePath.text`). Every system
    /// call that takes a path goes through here.
    package static func withPath<Result>(
        _ path: String, _ body: (UnsafePointer<CChar>) throws -> Result
    ) rethrows -> Result {
        try FilePath(path).withCString(body)
    }

    /// Why the last system call failed.
    static func systemError() -> String { String(cString: strerror(errno)) }

    private static let slash = UInt8(ascii: "/")
}
