import AnnealCore
import Foundation

/// The hashes of a record file, one per record, so that any later change is detected: lines of a text file.
///
/// ```
/// anneal-manifest 1 <bytes of the file> <records>
/// <number> <key> <offset> <bytes> <SHA-256 of the payload>
/// ```
public struct RecordManifest: Sendable, Equatable {
    /// The hash of one record's payload, and where the record is.
    public struct Line: Sendable, Equatable {
        public var key: Int
        public var offset: Int
        public var size: Int
        public var sha256: String
    }

    public var size: Int
    public var lines: [Line]

    /// Reads every record.
    /// - Throws: `AnnealError` for a record that cannot be read.
    public init(_ file: RecordFile, threads: Int = LoaderOptions.defaultThreads, progress: (Int) -> Void = { _ in })
        throws
    {
        size = file.size
        lines = []
        for start in stride(from: 0, to: file.count, by: 1024) {
            lines += try parallelMap(min(1024, file.count - start), threads: threads) { index in
                let number = start + index, entry = file.entries[number], payload = try file.read(number)
                return Line(
                    key: entry.key, offset: entry.offset, size: payload.count, sha256: SHA256.digits(of: payload))
            }
            progress(lines.count)
        }
    }

    /// `FILE.sha256`.
    public static func path(of records: String) -> String { "\(records).sha256" }

    /// Writes the manifest as text, atomically.
    public func write(to path: String) throws {
        var text = "anneal-manifest 1 \(size) \(lines.count)\n"
        for (number, line) in lines.enumerated() {
            text += "\(number)\t\(line.key)\t\(line.offset)\t\(line.size)\t\(line.sha256)\n"
        }
        try Files.writeAtomically(Data(text.utf8), to: path)
    }

    /// - Throws: `AnnealError` naming the line that does not belong in a manifest.
    public init(file path: String) throws {
        let text = try Files.readText(path).split(separator: "\n")
        let head = (text.first ?? "").split(separator: " ")
        guard head.count == 4, head[0] == "anneal-manifest", head[1] == "1", let size = Int(head[2]),
            let count = Int(head[3])
        else {
            throw AnnealError(
                path, "is not a manifest of records", suggestion: "create one with anneal rec verify --write",
                code: .damaged)
        }
        self.size = size
        lines = try text.dropFirst().enumerated().map { number, line in
            let fields = line.split(separator: "\t")
            guard fields.count == 5, Int(fields[0]) == number, let key = Int(fields[1]), let offset = Int(fields[2]),
                let size = Int(fields[3]), fields[4].count == 64
            else {
                throw AnnealError("\(path), line \(number + 2)", "is not a valid manifest line", code: .damaged)
            }
            return Line(key: key, offset: offset, size: size, sha256: String(fields[4]))
        }
        guard lines.count == count else {
            throw AnnealError(path, "has \(lines.count) of its \(count) lines: it is cut off", code: .damaged)
        }
    }
}
