import AnnealCore
import CAnnealImage
import Foundation

/// A byte array in the IDX format of MNIST (LeCun), plain or gzip-compressed.
///
/// Bytes: 0, 0, type, number of axes, the extents as big-endian 32-bit words, the values; type 8 is unsigned bytes.
public struct IDXFile: Sendable {
    public let path: String
    public let shape: Shape
    public let values: [UInt8]

    /// - Throws: `AnnealError` naming the file: missing, not an IDX file, values of another type, shorter or longer
    ///   than its header says.
    public init(_ path: String) throws {
        try Files.checkIsFile(FilePath(path), acceptsStreams: true)
        guard let file = Files.withPath(path, { anneal_gzip_open($0) }) else {
            throw AnnealError(path, "cannot be read: \(String(cString: strerror(errno)))", code: .ioFailure)
        }
        defer { anneal_gzip_close(file) }
        func read(_ count: Int) throws -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: count)
            let got = anneal_gzip_read(file, &bytes, count)
            guard got >= 0 else {
                throw AnnealError(path, "cannot be read: the compressed data is damaged or ends early", code: .damaged)
            }
            bytes.removeLast(count - Int(got))
            return bytes
        }
        let head = try read(4)
        guard head.count == 4, head[0] == 0, head[1] == 0, (1...4).contains(head[3]) else {
            throw AnnealError(path, "is not an IDX file: it starts with the bytes \(head)", code: .damaged)
        }
        guard head[2] == 8 else {
            throw AnnealError(
                path, "has values of type \(head[2]); only unsigned bytes (8) are supported", code: .unsupported)
        }
        let words = try read(4 * Int(head[3]))
        guard words.count == 4 * Int(head[3]) else { throw AnnealError(path, "ends inside its header", code: .damaged) }
        let dims = stride(from: 0, to: words.count, by: 4).map { at in
            words[at..<(at + 4)].reduce(0) { $0 << 8 | Int($1) }
        }
        var count = 1
        for extent in dims {
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            guard !overflow, product <= 1 << 36 else {
                throw AnnealError(path, "says it has \(dims) values, which is too many", code: .damaged)
            }
            count = product
        }
        // In pieces: a header that claims gigabytes gets no memory before the file has delivered the bytes.
        var values: [UInt8] = []
        while values.count < count {
            let piece = try read(min(1 << 20, count - values.count))
            if piece.isEmpty { break }
            values.append(contentsOf: piece)
        }
        guard values.count == count else {
            throw AnnealError(
                path, "ends after \(values.count) values, but its header says \(Shape(dims))", code: .damaged)
        }
        guard try read(1).isEmpty else {
            throw AnnealError(path, "has more bytes after the \(count) values of \(Shape(dims))", code: .damaged)
        }
        self.path = path
        shape = Shape(dims)
        self.values = values
    }
}
