import AnnealCore

/// Reads the headers of a whole `.rec` file in order: where each record starts, and whether the file is complete.
struct RecordScanner {
    private let bytes: FileBytes
    /// Where the records end; anything after it is ignored.
    private let end: Int
    private var window: [UInt8] = []
    private var windowStart = 0
    /// Bytes of the previous part.
    private var lastSize = 0
    /// Small records are read many at a time; for large ones only their headers.
    private static let windowSize = 1 << 14
    private static let recordsInWindow = 4

    init(_ bytes: FileBytes, upTo end: Int? = nil) {
        self.bytes = bytes
        self.end = min(end ?? bytes.size, bytes.size)
    }

    mutating func scan() throws -> [RecordFile.Entry] {
        var entries: [RecordFile.Entry] = []
        var offset = 0
        var insideRecord = false
        while offset < end {
            try RecordScanner.checkRoom(for: RecordFraming.headerSize, at: offset, in: bytes)
            try load(offset)
            let part = try RecordScanner.part(
                window, at: offset - windowStart, offset: offset, in: bytes, expectingMore: insideRecord)
            if part.flag < 2 { entries.append(.init(key: entries.count, offset: offset)) }
            insideRecord = part.flag == 1 || part.flag == 2
            lastSize = RecordFraming.framed(part.length)
            offset += lastSize
        }
        if insideRecord {
            throw AnnealError(
                "\(bytes.path), byte \(bytes.size)", "truncated: the last part of a record is missing", code: .damaged)
        }
        return entries
    }

    /// The parts of the record at `offset`, and where it ends.
    static func walk(
        from offset: Int, in bytes: FileBytes, _ visit: (RecordPart, _ offset: Int) throws -> Void = { _, _ in }
    ) throws -> (parts: [RecordPart], end: Int) {
        var parts: [RecordPart] = []
        var offset = offset
        var header: [UInt8] = []
        header.reserveCapacity(RecordFraming.headerSize)
        while true {
            header.removeAll(keepingCapacity: true)
            try checkRoom(for: RecordFraming.headerSize, at: offset, in: bytes)
            try bytes.append(RecordFraming.headerSize, at: offset, to: &header)
            let part = try part(header, at: 0, offset: offset, in: bytes, expectingMore: !parts.isEmpty)
            parts.append(part)
            try visit(part, offset + RecordFraming.headerSize)
            offset += RecordFraming.framed(part.length)
            if part.flag == 0 || part.flag == 3 { return (parts, offset) }
        }
    }

    private mutating func load(_ offset: Int) throws {
        if offset >= windowStart, offset + RecordFraming.headerSize <= windowStart + window.count { return }
        window.removeAll(keepingCapacity: true)
        windowStart = offset
        let isDense = lastSize * Self.recordsInWindow <= Self.windowSize
        let count = isDense ? Self.windowSize : RecordFraming.headerSize
        try bytes.append(min(count, bytes.size - offset), at: offset, to: &window)
    }

    /// - Throws: `AnnealError` when the file ends before `count` bytes from `offset`.
    static func checkRoom(for count: Int, at offset: Int, in bytes: FileBytes) throws {
        guard count <= bytes.size - offset else {
            throw AnnealError(
                "\(bytes.path), byte \(offset)",
                "truncated: \(count) more bytes of a record are needed, the file ends after \(max(0, bytes.size - offset))",
                code: .damaged
            )
        }
    }

    /// The part with its header at `index` of `buffer`, checked against the file.
    static func part(
        _ buffer: [UInt8], at index: Int, offset: Int, in bytes: FileBytes, expectingMore: Bool
    ) throws -> RecordPart {
        let place = "\(bytes.path), byte \(offset)"
        let magic = buffer.word32(at: index)
        guard magic == RecordFraming.magic else {
            throw AnnealError(
                place, "no record starts here: found 0x\(String(magic, radix: 16)), expected the magic 0xced7230a",
                suggestion: offset == 0 ? "is it a RecordIO file?" : nil, code: .damaged)
        }
        let word = buffer.word32(at: index + 4)
        let flag = Int(word >> 29)
        let length = Int(word & 0x1FFF_FFFF)
        let fits = expectingMore ? flag == 2 || flag == 3 : flag == 0 || flag == 1
        guard fits else {
            throw AnnealError(
                place, "a part with flag \(flag) \(expectingMore ? "inside a record" : "where a record should start")",
                code: .damaged)
        }
        // The zero padding after the last payload must be present too: MXNet's reader needs it.
        let headerSize = RecordFraming.headerSize
        guard RecordFraming.framed(length) <= bytes.size - offset else {
            throw AnnealError(
                place,
                "truncated: a record of \(length) bytes, the file ends after \(bytes.size - offset - headerSize)",
                code: .damaged
            )
        }
        return RecordPart(flag: flag, length: length)
    }
}
