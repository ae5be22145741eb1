import AnnealCore
import Foundation

/// The files of one packing: the records and their index and, if it can be continued after a kill, the journal.
struct PackingRun {
    let writer: RecordWriter
    /// The first item of the list that is not done.
    let start: Int
    /// Items that were left out.
    var skipped: [(item: Int, reason: AnnealError)]
    private let journal: PackingJournal?
    private let interval: Double
    private var marked = (items: 0, skipped: 0, time: ContinuousClock.now)

    init(_ list: ImageList, _ packer: RecordPacker, root: String, prefix: String) throws {
        let records = "\(prefix).rec", index = "\(prefix).idx"
        interval = packer.secondsBetweenMarks
        guard packer.isResumable else {
            writer = try RecordWriter(records, index: index)
            (journal, start, skipped) = (nil, 0, [])
            return
        }
        let temporary = "\(records).packing", fingerprint = packer.fingerprint(list, root: root)
        let journal = try PackingJournal("\(temporary).log", fingerprint: fingerprint)
        var progress = journal.progress
        var entries = Self.entries(list, progress, temporary)
        if entries == nil {
            try journal.restart(fingerprint: fingerprint)
            (progress, entries) = (.init(), [])
        }
        writer = try RecordWriter(
            records, index: index, continuing: temporary, entries: entries ?? [], length: progress.bytes)
        (self.journal, start, skipped) = (journal, progress.items, progress.skipped)
        marked = (progress.items, progress.skipped.count, .now)
    }

    /// The existing records with their keys; nil if they do not match the journal.
    private static func entries(
        _ list: ImageList, _ progress: PackingJournal.Progress, _ temporary: String
    ) -> [RecordFile.Entry]? {
        guard progress.items > 0 else { return [] }
        guard progress.items <= list.items.count, let bytes = try? FileBytes(temporary), bytes.size >= progress.bytes
        else { return nil }
        var scanner = RecordScanner(bytes, upTo: progress.bytes)
        guard let found = try? scanner.scan() else { return nil }
        let skipped = Set(progress.skipped.map(\.item))
        let keys = (0..<progress.items).filter { !skipped.contains($0) }.map { list.items[$0].id }
        guard keys.count == found.count else { return nil }
        return zip(keys, found).map { .init(key: $0, offset: $1.offset) }
    }

    mutating func markIfDue(items: Int) throws {
        if ContinuousClock.now - marked.time >= .seconds(interval) { try mark(items: items) }
    }

    /// - Parameter items: items of the list with all their records written.
    mutating func mark(items: Int) throws {
        guard let journal, items > marked.items else { return }
        let bytes = try writer.checkpoint()
        try journal.mark(items: items, bytes: bytes, skipped: Array(skipped[marked.skipped...]))
        marked = (items, skipped.count, .now)
    }

    func finish() throws {
        try writer.finish()
        journal?.remove()
    }
}
