import AnnealCore
import Foundation

/// A text file that grows by complete lines.
///
/// A line goes to the system in one `write`, so a killed run leaves at most one cut line at the end, and whoever
/// continues the file drops that first (`completeLines`).
package final class LineFile {
    package let path: String
    private var descriptor: Int32

    /// Opens the file for appending; it is made when it is not there.
    package init(appendingTo path: String) throws {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Self.error(path, "cannot be written") }
        try endCutLine()
    }

    deinit { close(descriptor) }

    package func append(_ line: String) throws {
        let bytes = Array((line + "\n").utf8)
        try bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let written = write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if written < 0 {
                    if errno == EINTR { continue }
                    throw Self.error(path, "cannot be written")
                }
                rest = rest.dropFirst(written)
            }
        }
    }

    /// Brings what was written to the disk.
    package func sync() throws {
        // A pipe or a terminal has no disk to wait for.
        guard fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS else {
            throw Self.error(path, "cannot be synced")
        }
    }

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
        AnnealError(path, "\(problem): \(String(cString: strerror(errno)))")
    }
}
