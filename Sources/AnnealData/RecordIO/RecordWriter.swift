import AnnealCore
import Foundation

/// Writes a `.rec` file and its `.idx`, byte for byte as MXNet's `MXIndexedRecordIO` does.
///
/// Both are renamed in `finish()`, so a reader never sees a half-written file; without `finish()` nothing remains.
public final class RecordWriter {
    public let path: String
    public let indexPath: String?
    /// Records written.
    public private(set) var count = 0

    private let file: AtomicFile
    private var buffer: [UInt8] = []
    private var written = 0
    private var index = ""
    private static let bufferSize = 1 << 20

    /// - Parameter index: the path of the index; nil writes none.
    /// - Throws: `AnnealError` when the file cannot be created.
    public init(_ path: String, index: String?) throws {
        self.path = path
        indexPath = index
        file = try AtomicFile(path)
        buffer.reserveCapacity(RecordWriter.bufferSize + 4096)
    }

    /// Continues a file that was started under a temporary name, which stays until `finish()`.
    /// - Parameters:
    ///   - temporary: in the folder of `path`; it may not exist yet.
    ///   - entries: of the records that are kept.
    ///   - length: the bytes of these records in the file.
    init(_ path: String, index: String?, continuing temporary: String, entries: [RecordFile.Entry], length: Int) throws
    {
        self.path = path
        indexPath = index
        file = try AtomicFile(path, continuing: temporary, from: length)
        written = length
        count = entries.count
        for entry in entries { self.index += "\(entry.key)\t\(entry.offset)\n" }
        buffer.reserveCapacity(RecordWriter.bufferSize + 4096)
    }

    /// Syncs the records so far to disk.
    /// - Returns: the bytes of these records.
    func checkpoint() throws -> Int {
        try flush()
        try file.sync()
        return written
    }

    /// Removes a file that was to be continued.
    func discard() { file.discard() }

    /// Appends a record.
    /// - Parameter key: its key in the index; the record's number when nil.
    public func write(_ payload: [UInt8], key: Int? = nil) throws {
        guard payload.count <= RecordFraming.maximumLength else {
            throw AnnealError(path, "a record of \(payload.count) bytes: at most \(RecordFraming.maximumLength) fit")
        }
        index += "\(key ?? count)\t\(written + buffer.count)\n"
        let splits = RecordWriter.splits(payload)
        var start = 0
        for (number, split) in splits.enumerated() {
            appendPart(payload[start..<split], number == 0 ? .first : .middle)
            start = split + 4
        }
        appendPart(payload[start...], splits.isEmpty ? .whole : .last)
        count += 1
        if buffer.count >= RecordWriter.bufferSize { try flush() }
    }

    /// Renames both files to their final names, synced; the records come last, so that a new record file always has its
    /// new index.
    public func finish() throws {
        try flush()
        try file.sync()
        if let indexPath { try Files.writeAtomically(Data(index.utf8), to: indexPath) }
        try file.finish()
    }

    private func appendPart(_ bytes: ArraySlice<UInt8>, _ flag: RecordFraming.Flag) {
        buffer.append(littleEndian: RecordFraming.magic)
        buffer.append(littleEndian: flag.rawValue << 29 | UInt32(bytes.count))
        buffer.append(contentsOf: bytes)
        while buffer.count % 4 != 0 { buffer.append(0) }
    }

    /// Offsets of the magic at multiples of 4.
    private static func splits(_ payload: [UInt8]) -> [Int] {
        var splits: [Int] = []
        payload.withUnsafeBytes { bytes in
            for offset in stride(from: 0, to: bytes.count - 3, by: 4)
            where UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
                == RecordFraming.magic
            {
                splits.append(offset)
            }
        }
        return splits
    }

    private func flush() throws {
        try buffer.withUnsafeBytes { try file.write($0) }
        written += buffer.count
        buffer.removeAll(keepingCapacity: true)
    }
}
