import AnnealCore

/// Whether an `.idx` file belongs to a `.rec` file, checked on a sample of its offsets: reading all would amount to a
/// scan.
struct IndexCheck {
    private let path: String
    private let bytes: FileBytes
    private static let sampled = 256

    init(_ path: String, of bytes: FileBytes) {
        self.path = path
        self.bytes = bytes
    }

    /// `a.idx` next to `a.rec`; nil if there is none.
    static func neighbour(of records: String) -> String? {
        guard records.hasSuffix(".rec") else { return nil }
        let path = String(records.dropLast(3)) + "idx"
        return Files.exists(path) ? path : nil
    }

    /// - Parameter complete: every record must be in the index, as far as the sample shows.
    func entries(complete: Bool) throws -> [RecordFile.Entry] {
        let entries = try RecordIndex.read(path, size: bytes.size)
        guard let first = entries.first else {
            guard bytes.size > 0 else { return [] }
            throw AnnealError(
                path, "is empty, and \(bytes.path) has \(bytes.size) bytes",
                suggestion: "create the index again, or remove it: then the records are scanned", code: .mismatch)
        }
        if complete, first.offset != 0 { throw incomplete(before: first, from: 0) }
        let isLarge = bytes.size > RecordFile.largeSize
        let looked = min(entries.count, isLarge ? RecordFile.fewRecords : Self.sampled)
        for number in Set(RecordFile.spread(looked, of: entries.count) + [entries.count - 1]).sorted() {
            let end = try end(of: entries[number])
            let next = number + 1 < entries.count ? entries[number + 1] : nil
            if let next, end > next.offset {
                _ = try self.end(of: next)
                throw AnnealError(
                    path, "key \(next.key) has offset \(next.offset), inside the record of key \(entries[number].key)",
                    suggestion: "the index belongs to another file: create it again", code: .mismatch)
            }
            if complete, end != next?.offset ?? bytes.size { throw incomplete(before: next, from: end) }
        }
        return entries
    }

    private func end(of entry: RecordFile.Entry) throws -> Int {
        do {
            return try RecordScanner.walk(from: entry.offset, in: bytes).end
        } catch let error as AnnealError {
            throw Self.pointing(error, entry, path)
        }
    }

    private func incomplete(before next: RecordFile.Entry?, from offset: Int) -> AnnealError {
        Self.gap(path, from: offset, to: next?.offset ?? bytes.size, of: bytes.path)
    }

    private static func gap(_ index: String, from start: Int, to end: Int, of records: String) -> AnnealError {
        AnnealError(
            index, "leaves out the records from byte \(start) to \(end) of \(records)",
            suggestion:
                "create the index again or remove it; to leave them out on purpose, give it as --data-train-idx or --data-val-idx",
            code: .mismatch)
    }

    /// - Throws: `AnnealError` unless record `number`, which ends at `end`, is followed by the next one of the index.
    static func checkNoGap(after number: Int, end: Int, in file: RecordFile) throws {
        let next = number + 1 < file.count ? file.entries[number + 1].offset : file.size
        guard end != next else { return }
        throw gap(file.indexPath ?? "", from: end, to: next, of: file.path)
    }

    /// An error of the records, at an offset from the index.
    static func pointing(_ error: AnnealError, _ entry: RecordFile.Entry, _ index: String) -> AnnealError {
        guard error.place.hasSuffix("byte \(entry.offset)") else { return error }
        var error = error
        error.problem += "; key \(entry.key) of \(index) points here"
        return error
    }
}
