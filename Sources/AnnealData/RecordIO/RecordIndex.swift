import AnnealCore
import Foundation

/// `.idx` files: one `key<TAB>offset` line per record, in the order of the records.
public enum RecordIndex {
    /// - Parameter size: size of the record file, which offsets must be below.
    /// - Throws: `AnnealError` naming the line that is not two numbers, a duplicate key, or an offset that is not above
    ///   the previous one or lies outside the file.
    public static func read(_ path: String, size: Int = .max) throws -> [RecordFile.Entry] {
        try Files.read(path).withUnsafeBytes { bytes in
            var entries: [RecordFile.Entry] = []
            var keys = Set<Int>()
            try forEachLine(of: bytes) { number, line in
                let fields = line.split { isSpace($0) }
                if fields.isEmpty { return }
                let place = "\(path), line \(number)"
                guard fields.count == 2, let key = integer(fields[0]), let offset = integer(fields[1]) else {
                    let text = String(decoding: line, as: UTF8.self)
                    throw AnnealError(
                        place, "expected a key and an offset, found \"\(text.prefix(80))\"", code: .damaged)
                }
                guard keys.insert(key).inserted else {
                    throw AnnealError(place, "key \(key) occurs twice", code: .damaged)
                }
                guard offset >= 0, offset % 4 == 0 else {
                    throw AnnealError(
                        place, "key \(key) has offset \(offset), but records start at multiples of 4 from 0",
                        suggestion: "the file is damaged, or is not an index", code: .damaged)
                }
                guard offset < size else {
                    throw AnnealError(
                        place, "key \(key) has offset \(offset), but the record file has \(size) bytes",
                        suggestion: "the index belongs to another file, or the records are truncated: create it again",
                        code: .mismatch)
                }
                if let last = entries.last, offset <= last.offset {
                    throw AnnealError(
                        place, "key \(key) has offset \(offset), not above that of key \(last.key), \(last.offset)",
                        suggestion: offset == last.offset
                            ? "two keys for one record: create the index again"
                            : "sort the lines by offset: sort -n -k 2 \(path)",
                        code: .damaged)
                }
                entries.append(.init(key: key, offset: offset))
            }
            return entries
        }
    }

    private static func forEachLine(
        of bytes: UnsafeRawBufferPointer, _ body: (Int, Slice<UnsafeRawBufferPointer>) throws -> Void
    ) rethrows {
        var start = 0, number = 1
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            try body(number, bytes[start..<end])
            start = end + 1
            number += 1
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\t") || byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\r")
    }

    /// Without creating a String for each of a million lines.
    private static func integer(_ digits: Slice<UnsafeRawBufferPointer>) -> Int? {
        let isNegative = digits.first == UInt8(ascii: "-")
        let digits = isNegative ? digits.dropFirst() : digits
        guard !digits.isEmpty else { return nil }
        var value = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let (product, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, isTooLargeNow) = product.addingReportingOverflow(Int(digit - UInt8(ascii: "0")))
            guard !isTooLarge, !isTooLargeNow else { return nil }
            value = sum
        }
        return isNegative ? -value : value
    }
}
