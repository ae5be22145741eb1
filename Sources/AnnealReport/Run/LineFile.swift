import AnnealCore
import Foundation

/// A text file that grows by complete lines.
///
/// A line goes to the system in one `write`, so a killed run or a full disk leaves at most one cut line at the end, and
/// whoever continues the file drops that first (`completeLines`). A file that somebody deletes or moves is made again,
/// with its folder, by the next line.
package final class LineFile {
    package let path: String
    private var descriptor: Int32
    /// Whether the last line was cut.
    private var isCut = false

    /// Opens the file for appending; it is made when it is not there.
    package init(appendingTo path: String) throws {
        self.path = path
        descriptor = try Self.opened(path)
        try endCutLine()
    }

    deinit { close(descriptor) }

    private static func opened(_ path: String) throws -> Int32 {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw error(path, "cannot be written") }
        return descriptor
    }

    /// Whether the file was deleted or moved since it was opened.
    package var isGone: Bool {
        var mine = stat(), there = stat()
        guard fstat(descriptor, &mine) == 0 else { return false }
        guard stat(path, &there) == 0 else { return errno == ENOENT || errno == ENOTDIR }
        return (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino)
    }

    package func append(_ line: String) throws {
        if isGone {
            let folder = Files.folder(of: path)
            if !folder.isEmpty { try Files.makeFolder(folder) }
            let new = try Self.opened(path)
            close(descriptor)
            (descriptor, isCut) = (new, false)
        }
        let bytes = Array(((isCut ? "\n" : "") + line + "\n").utf8)
        isCut = true
        if let code = bytes.withUnsafeBytes({ Files.write($0, to: descriptor) }) {
            throw AnnealError(path, "cannot be written: \(String(cString: strerror(code)))", code: .ioFailure)
        }
        isCut = false
    }

    /// Brings what was written to the disk.
    package func sync() throws { try Files.sync(descriptor, path) }

    /// The lines of a file that end with a line feed; none when there is no file.
    package static func completeLines(of path: String) throws -> [String] {
        guard Files.exists(path) else { return [] }
        var data = try Files.read(path)[...]
        guard let last = data.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
        data = data[..<last]
        return data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// A line that a killed run left half written must not swallow the first line of the next.
    private func endCutLine() throws {
        let reader = open(path, O_RDONLY | O_CLOEXEC)
        guard reader >= 0 else { return }
        defer { close(reader) }
        let size = lseek(reader, 0, SEEK_END)
        var last: UInt8 = 0
        if size > 0, pread(reader, &last, 1, size - 1) == 1, last != UInt8(ascii: "\n") { try append("") }
    }

    private static func error(_ path: String, _ problem: String) -> AnnealError {
        AnnealError(path, "\(problem): \(String(cString: strerror(errno)))", code: .ioFailure)
    }
}
