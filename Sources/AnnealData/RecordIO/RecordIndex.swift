import AnnealCore
import Foundation

/// `.idx` files: one `key<TAB>offset` line a record, in the order of writing.
public enum RecordIndex {
    /// - Throws: `AnnealError` naming the line that is not two numbers, or a key that comes twice.
    public static func read(_ path: String) throws -> [RecordFile.Entry] {
        let data = try Files.read(path)
        var entries: [RecordFile.Entry] = []
        var keys = Set<Int>()
        for (number, line) in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            let text = String(decoding: line, as: UTF8.self)
            let fields = text.split { $0 == "\t" || $0 == " " || $0 == "\r" }
            if fields.isEmpty { continue }
            guard fields.count == 2, let key = Int(fields[0]), let offset = Int(fields[1]) else {
                throw AnnealError(
                    "\(path), line \(number + 1)", "expected a key and an offset, found \"\(text.prefix(80))\"")
            }
            guard keys.insert(key).inserted else {
                throw AnnealError("\(path), line \(number + 1)", "key \(key) is there twice")
            }
            entries.append(.init(key: key, offset: offset))
        }
        return entries
    }
}
