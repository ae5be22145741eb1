import AnnealCore

/// A RecordIO file (`.rec`) with random access to records from any number of threads.
///
/// Nothing in the file is trusted: each magic, flag and length is checked against the file's size before it is used,
/// and errors name the file and the byte.
public final class RecordFile: Sendable {
    /// The offset of a record, and its key in the index (the record's number when there is no index).
    public struct Entry: Sendable, Equatable {
        public var key: Int
        public var offset: Int

        public init(key: Int, offset: Int) {
            self.key = key
            self.offset = offset
        }
    }

    public let path: String
    /// The records in file order.
    public let entries: [Entry]
    public var count: Int { entries.count }
    /// Size of the file in bytes.
    public var size: Int { bytes.size }

    /// The index that gives the records' offsets; nil: the file was scanned.
    public let indexPath: String?
    /// Why the `.idx` next to the file is not used.
    public let ignoredIndex: AnnealError?

    let bytes: FileBytes
    /// The caller has not chosen this index, so it must be complete.
    let indexIsComplete: Bool

    /// - Parameter index: an `.idx` file (`key<TAB>offset` lines), which may leave records out. nil: the one next to
    ///   the file is used if it has every record; otherwise the headers of the whole file are read, which also proves
    ///   that the file is complete.
    /// - Throws: `AnnealError` for a missing, truncated or foreign file, and for an index that does not belong to it:
    ///   offsets that do not increase or lie outside the file, or no record where a sample of them points. Every other
    ///   offset is checked when its record is read.
    public init(_ path: String, index: String? = nil) throws {
        let bytes = try FileBytes(path)
        self.path = path
        self.bytes = bytes
        if let index {
            bytes.expectRandomReads(true)
            entries = try IndexCheck(index, of: bytes).entries(complete: false)
            (indexPath, ignoredIndex, indexIsComplete) = (index, nil, false)
            return
        }
        var problem: AnnealError?
        if let neighbour = IndexCheck.neighbour(of: path) {
            do {
                bytes.expectRandomReads(true)
                entries = try IndexCheck(neighbour, of: bytes).entries(complete: true)
                (indexPath, ignoredIndex, indexIsComplete) = (neighbour, nil, true)
                return
            } catch let error as AnnealError {
                problem = error
            }
        }
        bytes.expectRandomReads(false)
        var scanner = RecordScanner(bytes)
        entries = try scanner.scan()
        (indexPath, ignoredIndex, indexIsComplete) = (nil, problem, false)
    }

    /// A file of this size is not scanned before a run if an index gives its contents: a few records, spread evenly,
    /// must suffice.
    static let largeSize = 64 << 20
    static let fewRecords = 32
    package var isLarge: Bool { indexPath != nil && size > Self.largeSize && count > Self.fewRecords }

    /// Indices of records, spread evenly from the first to the last: the same ones for each caller with this count, so
    /// that little is read.
    static func spread(_ looked: Int, of count: Int) -> [Int] { (0..<looked).map { $0 * count / looked } }

    /// Reads the headers of the whole file and ignores any index next to it.
    /// - Throws: `AnnealError` for a missing, truncated or foreign file.
    public convenience init(scanning path: String) throws {
        let bytes = try FileBytes(path)
        var scanner = RecordScanner(bytes)
        self.init(path, bytes: bytes, entries: try scanner.scan(), indexPath: nil)
    }

    /// A file with known records.
    init(_ path: String, bytes: FileBytes, entries: [Entry], indexPath: String?) {
        self.path = path
        self.bytes = bytes
        self.entries = entries
        self.indexPath = indexPath
        (ignoredIndex, indexIsComplete) = (nil, false)
    }

    /// The payload of record `number` in file order, with the magic restored between parts.
    public func read(_ number: Int) throws -> [UInt8] {
        var payload: [UInt8] = []
        try read(number, into: &payload)
        return payload
    }

    /// As `read(_:)`, into a reused array.
    /// - Precondition: `number` is in 0 ..< count.
    public func read(_ number: Int, into payload: inout [UInt8]) throws {
        if try readWhole(number, into: &payload) { return }
        payload.removeAll(keepingCapacity: true)
        _ = try walk(number) { part, offset in
            if part.flag > 1 { payload.append(littleEndian: RecordFraming.magic) }
            try bytes.append(part.length, at: offset, to: &payload)
        }
    }

    /// A small record of one part, with header and payload in one read.
    /// - Returns: false if it is not such a record.
    private func readWhole(_ number: Int, into payload: inout [UInt8]) throws -> Bool {
        let offset = entries[number].offset, headerSize = RecordFraming.headerSize
        let room = (number + 1 < count ? entries[number + 1].offset : size) - offset
        guard (headerSize...Self.smallRecord).contains(room) else { return false }
        payload.removeAll(keepingCapacity: true)
        try bytes.append(room, at: offset, to: &payload)
        let word = payload.word32(at: 4), length = Int(word & 0x1FFF_FFFF)
        guard payload.word32(at: 0) == RecordFraming.magic, word >> 29 == RecordFraming.Flag.whole.rawValue,
            RecordFraming.framed(length) <= room
        else { return false }
        payload.removeFirst(headerSize)
        payload.removeLast(payload.count - length)
        return true
    }

    private static let smallRecord = 1 << 16

    /// The first bytes of a record's payload, or all of a shorter one.
    func read(_ number: Int, atMost count: Int) throws -> [UInt8] {
        var payload: [UInt8] = []
        _ = try walk(number) { part, offset in
            if part.flag > 1 { payload.append(littleEndian: RecordFraming.magic) }
            try bytes.append(min(part.length, max(0, count - payload.count)), at: offset, to: &payload)
        }
        return Array(payload.prefix(count))
    }

    /// The parts of record `number`, from their headers alone.
    public func parts(of number: Int) throws -> [RecordPart] { try walk(number) { _, _ in }.parts }

    /// `FILE, record NUMBER (key KEY), byte OFFSET`: how errors name a record.
    public func place(of number: Int) -> String {
        let entry = entries[number]
        let key = indexPath == nil ? "" : " (key \(entry.key))"
        return "\(path), record \(number)\(key), byte \(entry.offset)"
    }

    private func walk(
        _ number: Int, _ visit: (RecordPart, _ offset: Int) throws -> Void
    ) throws -> (parts: [RecordPart], end: Int) {
        do {
            return try RecordScanner.walk(from: entries[number].offset, in: bytes, visit)
        } catch let error as AnnealError where indexPath != nil {
            throw IndexCheck.pointing(error, entries[number], indexPath ?? "")
        }
    }
}
