import AnnealCore
import Foundation

/// A file that several threads read at any offset at the same time.
///
/// `pread`, not a mapping: a file that shrinks under a mapping kills the process; here it is an error.
final class FileBytes: Sendable {
    let path: String
    let size: Int
    private let descriptor: Int32

    /// - Throws: `AnnealError` when the file cannot be opened or is a folder.
    init(_ path: FilePath) throws {
        try Files.checkIsFile(path, acceptsStreams: false)
        // O_NONBLOCK: a path that has become a pipe since must not block either.
        let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else {
            let code = errno
            throw AnnealError(
                "\(path)", String(cString: strerror(code)),
                suggestion: code == ENOENT ? Spelling.suggestion(forPath: path.text) : nil, code: .init(errno: code))
        }
        var info = stat()
        guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw AnnealError("\(path)", "is not a regular file")
        }
        self.path = path.description
        self.descriptor = descriptor
        size = Int(info.st_size)
    }

    convenience init(_ path: String) throws { try self.init(FilePath(path)) }

    deinit { close(descriptor) }

    /// Whether the system should not read ahead: between distant offsets that is useless.
    func expectRandomReads(_ random: Bool) {
        _ = posix_fadvise(descriptor, 0, 0, random ? POSIX_FADV_RANDOM : POSIX_FADV_NORMAL)
    }

    /// Appends `count` bytes from `offset` to `bytes`.
    /// - Throws: `AnnealError` when the file is too short, or cannot be read.
    func append(_ count: Int, at offset: Int, to bytes: inout [UInt8]) throws {
        guard count > 0 else { return }
        guard offset >= 0, count <= size - offset else {
            throw AnnealError(
                "\(path), byte \(offset)",
                "the file ends \(max(0, size - offset)) bytes later, but \(count) are needed",
                code: .damaged)
        }
        let start = bytes.count
        bytes.appendZeros(count)
        try bytes.withUnsafeMutableBytes { buffer in
            let read = try fill(UnsafeMutableRawBufferPointer(rebasing: buffer[start...]), at: offset)
            guard read == count else {
                throw AnnealError(
                    "\(path), byte \(offset + read)", "the file became shorter while it was read", code: .ioFailure)
            }
        }
    }

    /// Fills as much of the buffer as the file has from `offset`; returns the bytes read.
    private func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let got = pread(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
            if got < 0 {
                if errno == EINTR { continue }
                throw AnnealError(
                    "\(path), byte \(offset + done)", "cannot be read: \(String(cString: strerror(errno)))",
                    code: .ioFailure)
            }
            if got == 0 { break }
            done += got
        }
        return done
    }
}

extension [UInt8] {
    /// The little-endian word at `offset`.
    /// - Precondition: the array has the bytes.
    func word32(at offset: Int) -> UInt32 {
        UInt32(self[offset]) | UInt32(self[offset + 1]) << 8 | UInt32(self[offset + 2]) << 16
            | UInt32(self[offset + 3]) << 24
    }

    func word64(at offset: Int) -> UInt64 { UInt64(word32(at: offset)) | UInt64(word32(at: offset + 4)) << 32 }

    /// In pieces that are copied: a sequence of one value would be appended byte by byte.
    fileprivate mutating func appendZeros(_ count: Int) {
        reserveCapacity(self.count + count)
        Self.zeros.withUnsafeBufferPointer { zeros in
            for start in stride(from: 0, to: count, by: zeros.count) {
                append(contentsOf: UnsafeBufferPointer(rebasing: zeros[..<Swift.min(zeros.count, count - start)]))
            }
        }
    }

    private static let zeros = [UInt8](repeating: 0, count: 1 << 16)

    mutating func append(littleEndian value: UInt32) {
        for shift in stride(from: UInt32(0), to: 32, by: 8) { append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    mutating func append(littleEndian value: UInt64) {
        append(littleEndian: UInt32(truncatingIfNeeded: value))
        append(littleEndian: UInt32(truncatingIfNeeded: value >> 32))
    }
}
