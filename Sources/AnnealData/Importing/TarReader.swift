import AnnealCore
import CAnnealImage
import Foundation

/// Reads the files of a tar archive, plain or gzip-compressed, one after the other (POSIX ustar with GNU's and pax' long
/// names).
final class TarReader {
    struct Entry {
        /// The path in the archive: it is compared, never opened.
        var name: String
        var size: Int
    }

    private let path: String
    private let file: UnsafeMutableRawPointer
    private var left = 0
    private var padding = 0

    /// - Throws: `AnnealError` when the file cannot be opened.
    init(_ path: String) throws {
        try Files.checkIsFile(FilePath(path), acceptsStreams: false)
        guard let file = Files.withPath(path, { anneal_gzip_open($0) }) else {
            throw AnnealError(path, "cannot be read: \(String(cString: strerror(errno)))", code: .init(errno: errno))
        }
        self.path = path
        self.file = file
    }

    deinit { anneal_gzip_close(file) }

    /// The next regular file; nil at the end.
    /// - Throws: `AnnealError` if the file is not an archive, or is truncated.
    func next() throws -> Entry? {
        var longName: String?
        while true {
            try skip()
            let head = try read(512)
            guard head.count == 512 else {
                if head.isEmpty { return nil }
                throw damaged("ends inside a header")
            }
            if head.allSatisfy({ $0 == 0 }) { return nil }
            try checkSum(head)
            let size = try number(head[124..<136])
            (left, padding) = (size, (512 - size % 512) % 512)
            switch head[156] {
            case UInt8(ascii: "L"):
                longName = String(decoding: try contents(atMost: 1 << 16).prefix { $0 != 0 }, as: UTF8.self)
            case UInt8(ascii: "x"): longName = Self.paxPath(try contents(atMost: 1 << 20)) ?? longName
            case 0, UInt8(ascii: "0"), UInt8(ascii: "7"):
                defer { longName = nil }
                return Entry(name: longName ?? Self.name(head), size: size)
            default: longName = nil
            }
        }
    }

    /// The contents of the entry that `next` returned.
    /// - Throws: `AnnealError` when it has more bytes than `limit`.
    func contents(atMost limit: Int) throws -> [UInt8] {
        guard left <= limit else {
            throw damaged("has a file of \(left) bytes, more than the expected maximum of \(limit)")
        }
        let bytes = try read(left)
        guard bytes.count == left else { throw damaged("ends inside a file") }
        left = 0
        return bytes
    }

    private func skip() throws {
        var rest = left + padding
        while rest > 0 {
            let got = try read(min(rest, 1 << 20)).count
            guard got > 0 else { throw damaged("ends inside a file") }
            rest -= got
        }
        (left, padding) = (0, 0)
    }

    private func read(_ count: Int) throws -> [UInt8] {
        // In pieces: a header that claims gigabytes gets no memory before the file has delivered the bytes.
        var bytes: [UInt8] = []
        while bytes.count < count {
            let wanted = min(1 << 20, count - bytes.count)
            var piece = [UInt8](repeating: 0, count: wanted)
            let got = anneal_gzip_read(file, &piece, wanted)
            guard got >= 0 else { throw damaged("the compressed data is damaged or ends early") }
            bytes += piece.prefix(Int(got))
            if got < wanted { break }
        }
        return bytes
    }

    private func checkSum(_ head: [UInt8]) throws {
        let sum = head.enumerated().reduce(0) { $0 + (148..<156 ~= $1.offset ? 32 : Int($1.element)) }
        guard try number(head[148..<156]) == sum else { throw damaged("is not a tar archive, or is damaged") }
    }

    /// Octal digits, or GNU's binary form for large files.
    private func number(_ field: ArraySlice<UInt8>) throws -> Int {
        if field.first == 0x80 {
            let value = field.dropFirst().suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard let value = Int(exactly: value) else { throw damaged("has a file of impossible size") }
            return value
        }
        let digits = field.filter { $0 != 0 && $0 != 32 }
        guard !digits.isEmpty, let value = Int(String(decoding: digits, as: UTF8.self), radix: 8), value >= 0 else {
            throw damaged("is not a tar archive, or is damaged")
        }
        return value
    }

    private static func name(_ head: [UInt8]) -> String {
        func text(_ range: Range<Int>) -> String { String(decoding: head[range].prefix { $0 != 0 }, as: UTF8.self) }
        let prefix = head[257..<262].elementsEqual("ustar".utf8) ? text(345..<500) : ""
        return prefix.isEmpty ? text(0..<100) : "\(prefix)/\(text(0..<100))"
    }

    /// Lines `LENGTH key=value`.
    private static func paxPath(_ bytes: [UInt8]) -> String? {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
            line.firstRange(of: " path=").map { String(line[$0.upperBound...]) }
        }.first
    }

    private func damaged(_ problem: String) -> AnnealError { AnnealError(path, problem, code: .damaged) }
}
