import AnnealCore

/// Reads the headers of a whole `.rec` file in order: where each record starts, and whether the file is whole.
struct RecordScanner {
    private let bytes: FileBytes
    private var window: [UInt8] = []
    private var windowStart = 0
    /// Small records lie together in a window; between large ones only the headers' surroundings are read.
    private static let windowSize = 1 << 16

    init(_ bytes: FileBytes) { self.bytes = bytes }

    mutating func scan() throws -> [RecordFile.Entry] {
        var entries: [RecordFile.Entry] = []
        var offset = 0
        var insideRecord = false
        while offset < bytes.size {
            try RecordScanner.checkRoom(for: RecordFraming.headerSize, at: offset, in: bytes)
            try load(offset)
            let part = try RecordScanner.part(
                window, at: offset - windowStart, offset: offset, in: bytes, expectingMore: insideRecord)
            if part.flag < 2 { entries.append(.init(key: entries.count, offset: offset)) }
            insideRecord = part.flag == 1 || part.flag == 2
            offset += RecordFraming.framed(part.length)
        }
        if insideRecord {
            throw AnnealError("\(bytes.path), byte \(bytes.size)", "truncated: the last part of a record is missing")
        }
        return entries
    }

    private mutating func load(_ offset: Int) throws {
        if offset >= windowStart, offset + RecordFraming.headerSize <= windowStart + window.count { return }
        window.removeAll(keepingCapacity: true)
        windowStart = offset
        try bytes.append(min(RecordScanner.windowSize, bytes.size - offset), at: offset, to: &window)
    }

    /// - Throws: `AnnealError` when the file ends before `count` bytes from `offset`.
    static func checkRoom(for count: Int, at offset: Int, in bytes: FileBytes) throws {
        guard count <= bytes.size - offset else {
            throw AnnealError(
                "\(bytes.path), byte \(offset)",
                "truncated: \(count) more bytes of a record are wanted, the file ends after \(max(0, bytes.size - offset))"
            )
        }
    }

    /// The part whose header is at `index` of `buffer`, checked against the file.
    static func part(
        _ buffer: [UInt8], at index: Int, offset: Int, in bytes: FileBytes, expectingMore: Bool
    ) throws -> RecordPart {
        let place = "\(bytes.path), byte \(offset)"
        let magic = buffer.word32(at: index)
        guard magic == RecordFraming.magic else {
            throw AnnealError(
                place, "no record starts here: found 0x\(String(magic, radix: 16)), expected the magic 0xced7230a",
                suggestion: offset == 0 ? "is it a RecordIO file?" : nil)
        }
        let word = buffer.word32(at: index + 4)
        let flag = Int(word >> 29)
        let length = Int(word & 0x1FFF_FFFF)
        let fits = expectingMore ? flag == 2 || flag == 3 : flag == 0 || flag == 1
        guard fits else {
            throw AnnealError(
                place, "a part with flag \(flag) \(expectingMore ? "inside a record" : "where a record should start")")
        }
        // The zeros after the last payload must be there too: MXNet's reader wants them.
        let headerSize = RecordFraming.headerSize
        guard RecordFraming.framed(length) <= bytes.size - offset else {
            throw AnnealError(
                place,
                "truncated: a record of \(length) bytes, the file ends after \(bytes.size - offset - headerSize)"
            )
        }
        return RecordPart(flag: flag, length: length)
    }
}
