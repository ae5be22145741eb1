import Foundation

/// Whole files, with errors that name them, and writes that are all or nothing.
public enum Files {
    /// A regular file's bytes, or those of a stream that is open already, as /dev/stdin.
    public static func read(_ path: String) throws -> Data {
        if let stream = try readStream(path) { return stream }
        do {
            return try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
        } catch {
            throw failure(path, "cannot be read")
        }
    }

    /// Reads UTF-8 text, dropping a byte-order mark.
    public static func readText(_ path: String) throws -> String {
        let text = String(decoding: try read(path), as: UTF8.self)
        return text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
    }

    /// Standard input to its end.
    public static func readStandardInput() throws -> Data {
        do {
            return try FileHandle.standardInput.readToEnd() ?? Data()
        } catch {
            throw AnnealError("standard input", "cannot be read", code: .ioFailure)
        }
    }

    /// Writes a file whole or not at all, as `AtomicFile` does.
    public static func writeAtomically(_ data: Data, to path: String) throws {
        try writeAtomically(to: path) { write in try write(data) }
    }

    /// As above, for a file that is made piece by piece.
    public static func writeAtomically(to path: String, _ body: ((Data) throws -> Void) throws -> Void) throws {
        let file = try AtomicFile(path)
        try body { piece in try piece.withUnsafeBytes { try file.write($0) } }
        try file.finish()
    }

    /// Makes a folder and those above it, as far as they do not exist.
    public static func makeFolder(_ path: String) throws { _ = try makeNewFolder(path) }

    /// As `makeFolder`.
    /// - Returns: whether this call made the folder: of several processes, that is true for one.
    public static func makeNewFolder(_ path: String) throws -> Bool {
        if mkdir(path, 0o777) == 0 { return true }
        var code = errno
        let parent = folder(of: path)
        if code == ENOENT, !parent.isEmpty, parent != path {
            do {
                try makeFolder(parent)
            } catch let error as AnnealError {
                throw AnnealError(path, error.problem, suggestion: error.suggestion, code: error.code)
            }
            if mkdir(path, 0o777) == 0 { return true }
            code = errno
        }
        if code == EEXIST, isFolder(path) { return false }
        let reason = code == EEXIST ? "a file has this name" : String(cString: strerror(code))
        throw AnnealError(path, "the folder cannot be made: \(reason)", code: .init(errno: code))
    }

    // Foundation's own path functions of NSString trap on paths of one character (Swift 6.3, Linux).

    /// What is before the last slash: `a/b` for `a/b/c`, `/` for `/c`, empty for `c`.
    public static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "" }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// What is after the last slash.
    public static func name(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }

    public static func path(_ folder: String, _ name: String) -> String {
        folder.isEmpty ? name : folder.hasSuffix("/") ? folder + name : folder + "/" + name
    }

    public static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    public static func isFolder(_ path: String) -> Bool {
        var info = stat()
        return FilePath(path).withCString { stat($0, &info) } == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    /// What the last system call failed with.
    static func systemError() -> String { String(cString: strerror(errno)) }

    private static func failure(_ path: String, _ problem: String) -> AnnealError {
        var info = stat()
        guard stat(path, &info) == 0 else {
            return AnnealError(path, "\(problem): \(systemError())", code: .init(errno: errno))
        }
        if info.st_mode & S_IFMT == S_IFDIR {
            return AnnealError(path, "\(problem): it is a folder", code: .ioFailure)
        }
        let reason = access(path, R_OK) == 0 ? "" : ": \(systemError())"
        return AnnealError(path, problem + reason, code: .ioFailure)
    }
}
