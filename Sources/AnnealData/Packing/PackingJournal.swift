import AnnealCore
import Foundation

/// The progress of a packing, so that one that was killed can be continued: lines of a text file next to the records.
///
/// ```
/// anneal-packing 1 <hash of the list and the options>
/// skipped <item> <place> <tab> <problem>
/// mark <items done> <bytes of records>
/// ```
/// Anything after the last mark is ignored: it may not have reached the disk.
final class PackingJournal {
    /// The state of a packing.
    struct Progress: Equatable {
        /// Items done, from the start of the list.
        var items = 0
        /// Bytes of their records.
        var bytes = 0
        /// Items that were left out, by index.
        var skipped: [(item: Int, reason: AnnealError)] = []

        static func == (a: Progress, b: Progress) -> Bool {
            a.items == b.items && a.bytes == b.bytes && a.skipped.elementsEqual(b.skipped, by: ==)
        }
    }

    let path: String
    private let lock: FileLock
    private let descriptor: Int32

    /// Opens the journal, or starts a new one if there is none for this list and these options.
    /// - Throws: `AnnealError` when another process is packing to the same file.
    init(_ path: String, fingerprint: String) throws {
        self.path = path
        lock = try FileLock(path, suggestion: "another process is packing to this file: wait for its end, or stop it")
        let text = try Files.readText(path)
        let read = Self.read(text, fingerprint: fingerprint)
        progress = read?.progress ?? Progress()
        descriptor = Files.withPath(path) { open($0, O_WRONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw AnnealError(path, "cannot be written", code: .init(errno: errno)) }
        let length = read?.length ?? 0
        guard ftruncate(descriptor, off_t(length)) == 0, lseek(descriptor, 0, SEEK_END) == off_t(length) else {
            throw AnnealError(path, "cannot be continued", code: .ioFailure)
        }
        if read == nil { try append("\(Self.head) \(fingerprint)\n") }
    }

    deinit { close(descriptor) }

    private(set) var progress: Progress

    /// Starts again from the beginning of the list.
    func restart(fingerprint: String) throws {
        progress = Progress()
        guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else {
            throw AnnealError(path, "cannot be written", code: .ioFailure)
        }
        try append("\(Self.head) \(fingerprint)\n")
    }

    /// - Precondition: the records' bytes are synced.
    func mark(items: Int, bytes: Int, skipped: [(item: Int, reason: AnnealError)]) throws {
        let lines = skipped.map { item, reason in
            "skipped \(item) \(Self.oneLine(reason.place))\t\(Self.oneLine(reason.problem))\n"
        }
        try append(lines.joined() + "mark \(items) \(bytes)\n")
        progress.items = items
        progress.bytes = bytes
        progress.skipped += skipped
    }

    func remove() { Files.remove(path) }

    private static let head = "anneal-packing 1"

    private static func oneLine(_ text: String) -> String {
        text.map { $0.isNewline || $0 == "\t" ? " " : String($0) }.joined()
    }

    private func append(_ text: String) throws {
        var bytes = FilePath(text).bytes
        let code = bytes.withUnsafeMutableBytes { Files.write(UnsafeRawBufferPointer($0), to: descriptor) }
        if let code {
            throw AnnealError(path, "cannot be written: \(String(cString: strerror(code)))", code: .ioFailure)
        }
        try Files.sync(descriptor, path)
    }

    /// - Returns: nil unless the text is a journal of this list and these options.
    static func read(_ text: String, fingerprint: String) -> (progress: Progress, length: Int)? {
        let head = "\(head) \(fingerprint)\n"
        guard text.hasPrefix(head) else { return nil }
        var sure = Progress(), progress = Progress(), length = head.utf8.count, at = length
        for line in text.dropFirst(head.count).split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            at += line.utf8.count + 1
            let fields = line.split(separator: " ", maxSplits: 2)
            switch fields.first {
            case "mark" where fields.count == 3:
                guard let items = Int(fields[1]), let bytes = Int(fields[2]), items >= sure.items, bytes >= sure.bytes
                else { return (sure, length) }
                progress.items = items
                progress.bytes = bytes
                sure = progress
                length = at
            case "skipped" where fields.count == 3:
                let parts = fields[2].split(separator: "\t", maxSplits: 1)
                guard let item = Int(fields[1]), parts.count == 2 else { return (sure, length) }
                progress.skipped.append((item, AnnealError(String(parts[0]), String(parts[1]), code: .damaged)))
            default: return (sure, length)
            }
        }
        return (sure, length)
    }
}
