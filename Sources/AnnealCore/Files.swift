import Foundation

/// Whole files, with errors that name them, and writes that are all or nothing.
public enum Files {
    public static func read(_ path: String) throws -> Data {
        do {
            return try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
        } catch {
            throw AnnealError(path, reason(path, "cannot be read"))
        }
    }

    /// A text of outside, without the mark that some editors begin UTF-8 with.
    public static func readText(_ path: String) throws -> String {
        let text = String(decoding: try read(path), as: UTF8.self)
        return text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
    }

    /// Standard input to its end.
    public static func readStandardInput() throws -> Data {
        do {
            return try FileHandle.standardInput.readToEnd() ?? Data()
        } catch {
            throw AnnealError("standard input", "cannot be read")
        }
    }

    /// Writes to a temporary file beside `path`, syncs it to the disk and renames it: a reader sees the old file or
    /// the new one, never a part.
    public static func writeAtomically(_ data: Data, to path: String) throws {
        try writeAtomically(to: path) { write in try write(data) }
    }

    /// As above, for a file that is made piece by piece.
    public static func writeAtomically(to path: String, _ body: ((Data) throws -> Void) throws -> Void) throws {
        let temporary = temporary(path)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw AnnealError(path, "cannot be written: \(systemError())") }
        var isOpen = true
        do {
            try body { piece in try piece.withUnsafeBytes { try writeAll(descriptor, $0, path) } }
            guard fsync(descriptor) == 0 else { throw AnnealError(path, "cannot be synced: \(systemError())") }
            // What close fails on is closed all the same.
            isOpen = false
            guard close(descriptor) == 0 else { throw AnnealError(path, "cannot be closed: \(systemError())") }
            guard rename(temporary, path) == 0 else { throw AnnealError(path, "cannot be replaced: \(systemError())") }
        } catch {
            // An open file keeps its place on the disk.
            if isOpen { close(descriptor) }
            unlink(temporary)
            throw error
        }
        syncFolder(of: path)
    }

    public static func makeFolder(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw AnnealError(path, reason(path, "the folder cannot be made"))
        }
    }

    // Foundation's own path functions of NSString trap on paths of one character (Swift 6.3, Linux).

    /// What stands before the last slash: `a/b` for `a/b/c`, `/` for `/c`, empty for `c`.
    public static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "" }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// What stands behind the last slash.
    public static func name(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }

    public static func path(_ folder: String, _ name: String) -> String {
        folder.isEmpty ? name : folder.hasSuffix("/") ? folder + name : folder + "/" + name
    }

    public static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    public static func isFolder(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    private static func writeAll(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, _ path: String) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if written < 0 {
                if errno == EINTR { continue }
                throw AnnealError(path, "cannot be written: \(systemError())")
            }
            rest = rest.dropFirst(written)
        }
    }

    private static func systemError() -> String { String(cString: strerror(errno)) }

    private static func reason(_ path: String, _ otherwise: String) -> String {
        var info = stat()
        guard stat(path, &info) == 0 else { return "\(otherwise): \(systemError())" }
        if info.st_mode & S_IFMT == S_IFDIR { return "\(otherwise): it is a folder" }
        return access(path, R_OK) == 0 ? otherwise : "\(otherwise): \(systemError())"
    }
}
