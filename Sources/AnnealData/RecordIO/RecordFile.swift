import AnnealCore

/// A RecordIO file (`.rec`), read at any record by any number of threads.
///
/// Nothing in the file is trusted: each magic, flag and length is checked against the file's size before it is used,
/// and errors name the file and the byte.
public final class RecordFile: Sendable {
    /// Where a record starts, and the key that the index has for it (the record's number when there is no index).
    public struct Entry: Sendable, Equatable {
        public var key: Int
        public var offset: Int

        public init(key: Int, offset: Int) {
            self.key = key
            self.offset = offset
        }
    }

    public let path: String
    /// The records in the order of the file.
    public let entries: [Entry]
    public var count: Int { entries.count }
    /// Bytes of the file.
    public var size: Int { bytes.size }

    private let bytes: FileBytes
    private let indexPath: String?

    /// - Parameter index: an `.idx` file (`key<TAB>offset` lines). Without one the headers of the whole file are read,
    ///   which also proves that the file is whole.
    /// - Throws: `AnnealError` for a missing, truncated or foreign file, and for an index that does not belong to it:
    ///   an offset outside the file, or no record at its first or last offset. Every other offset is checked when its
    ///   record is read.
    public init(_ path: String, index: String? = nil) throws {
        let bytes = try FileBytes(path)
        self.path = path
        self.bytes = bytes
        indexPath = index
        guard let index else {
            var scanner = RecordScanner(bytes)
            entries = try scanner.scan()
            return
        }
        let entries = try RecordIndex.read(index).sorted { $0.offset < $1.offset }
        self.entries = entries
        for entry in entries where entry.offset < 0 || entry.offset >= bytes.size || entry.offset % 4 != 0 {
            throw AnnealError(
                index, "key \(entry.key) has offset \(entry.offset), and \(path) has \(bytes.size) bytes",
                suggestion: "the index belongs to another file, or the records are truncated: make it anew")
        }
        for number in Set([0, entries.count - 1]) where entries.indices.contains(number) { _ = try parts(of: number) }
    }

    /// The payload of record `number` in the file's order, the magic put back between parts.
    public func read(_ number: Int) throws -> [UInt8] {
        var payload: [UInt8] = []
        try read(number, into: &payload)
        return payload
    }

    /// As `read(_:)`, into an array whose memory is used again.
    /// - Precondition: `number` is in 0 ..< count.
    public func read(_ number: Int, into payload: inout [UInt8]) throws {
        payload.removeAll(keepingCapacity: true)
        _ = try walk(number) { part, offset in
            if part.flag > 1 { payload.append(littleEndian: RecordFraming.magic) }
            try bytes.append(part.length, at: offset, to: &payload)
        }
    }

    /// The first bytes of a record's payload, or all if it has no more.
    func read(_ number: Int, atMost count: Int) throws -> [UInt8] {
        var payload: [UInt8] = []
        _ = try walk(number) { part, offset in
            if part.flag > 1 { payload.append(littleEndian: RecordFraming.magic) }
            try bytes.append(min(part.length, max(0, count - payload.count)), at: offset, to: &payload)
        }
        return Array(payload.prefix(count))
    }

    /// The parts of record `number`, by their headers alone.
    public func parts(of number: Int) throws -> [RecordPart] { try walk(number) { _, _ in } }

    /// `FILE, record NUMBER (key KEY), byte OFFSET`: how errors name a record.
    public func place(of number: Int) -> String {
        let entry = entries[number]
        let key = indexPath == nil ? "" : " (key \(entry.key))"
        return "\(path), record \(number)\(key), byte \(entry.offset)"
    }

    private func walk(_ number: Int, _ visit: (RecordPart, _ offset: Int) throws -> Void) throws -> [RecordPart] {
        var parts: [RecordPart] = []
        var offset = entries[number].offset
        var header: [UInt8] = []
        header.reserveCapacity(RecordFraming.headerSize)
        while true {
            header.removeAll(keepingCapacity: true)
            try RecordScanner.checkRoom(for: RecordFraming.headerSize, at: offset, in: bytes)
            try bytes.append(RecordFraming.headerSize, at: offset, to: &header)
            let part: RecordPart
            do {
                part = try RecordScanner.part(
                    header, at: 0, offset: offset, in: bytes, expectingMore: !parts.isEmpty)
            } catch let error as AnnealError where parts.isEmpty && indexPath != nil {
                throw AnnealError(
                    error.place, "\(error.problem); key \(entries[number].key) of \(indexPath ?? "") points here")
            }
            parts.append(part)
            try visit(part, offset + RecordFraming.headerSize)
            offset += RecordFraming.framed(part.length)
            if part.flag == 0 || part.flag == 3 { return parts }
        }
    }
}
