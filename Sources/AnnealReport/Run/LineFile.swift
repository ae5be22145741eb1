import AnnealCore
import Foundation

/// A text file that grows by complete lines.
///
/// A line is written in one `write`, so a killed run or a full disk leaves at most one incomplete line at the end, and
/// a run that continues the file drops that first (`completeLines`). If the file is deleted or moved meanwhile, the
/// next line creates it again, with its folder and all the lines so far.
package final class LineFile {
    package let path: String
    private var descriptor: Int32
    /// Whether the last line is incomplete.
    private var isCut = false

    /// Opens the file for appending and creates it if necessary.
    package init(appendingTo path: String) throws {
        self.path = path
        descriptor = try Self.opened(path)
        try endCutLine()
    }

    deinit { close(descriptor) }

    private static func opened(_ path: String) throws -> Int32 {
        let descriptor = Files.withPath(path) { open($0, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o666) }
        guard descriptor >= 0 else { throw error(path, "cannot be written") }
        return descriptor
    }

    /// Whether the file was deleted or moved since it was opened.
    package var isGone: Bool {
        var mine = stat(), there = stat()
        guard fstat(descriptor, &mine) == 0 else { return false }
        guard Files.withPath(path, { stat($0, &there) }) == 0 else { return errno == ENOENT || errno == ENOTDIR }
        return (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino)
    }

    package func append(_ line: String) throws {
        if isGone {
            let folder = Files.folder(of: path)
            if !folder.isEmpty { try Files.makeFolder(folder) }
            let new = try Self.opened(path)
            // A file that exists again belongs to another program: an editor saves that way. In a new file nothing is
            // lost.
            if Self.size(new) == 0, let code = copyLines(to: new) {
                close(new)
                Files.remove(path)
                throw AnnealError(path, "cannot be written: \(String(cString: strerror(code)))", code: .ioFailure)
            }
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

    /// The complete lines so far; also of a file that was deleted or moved.
    package func completeLines() -> [String] { Self.completeLines(in: contents()) }

    /// - Returns: the system's error number; nil when everything was written.
    private func copyLines(to other: Int32) -> Int32? {
        let bytes = contents()
        guard let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return nil }
        return bytes[...end].withUnsafeBytes { Files.write($0, to: other) }
    }

    private func contents() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.size(descriptor)), done = 0
        while done < bytes.count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
                return pread(descriptor, rest.baseAddress, rest.count, off_t(done))
            }
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { break }
            done += got
        }
        return Array(bytes[..<done])
    }

    private static func size(_ descriptor: Int32) -> Int {
        var info = stat()
        return fstat(descriptor, &info) == 0 ? max(0, Int(info.st_size)) : 0
    }

    /// Syncs what was written to disk.
    package func sync() throws { try Files.sync(descriptor, path) }

    /// The complete lines of a file; none if it does not exist.
    package static func completeLines(of path: String) throws -> [String] {
        guard Files.exists(path) else { return [] }
        return completeLines(in: [UInt8](try Files.read(path)))
    }

    private static func completeLines(in bytes: [UInt8]) -> [String] {
        guard let last = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
        return bytes[..<last].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// An incomplete line of a killed run must not swallow the first line of the next.
    private func endCutLine() throws {
        let size = Self.size(descriptor)
        var last: UInt8 = 0
        if size > 0, pread(descriptor, &last, 1, off_t(size - 1)) == 1, last != UInt8(ascii: "\n") { try append("") }
    }

    private static func error(_ path: String, _ problem: String) -> AnnealError {
        AnnealError(path, "\(problem): \(String(cString: strerror(errno)))", code: .ioFailure)
    }
}
