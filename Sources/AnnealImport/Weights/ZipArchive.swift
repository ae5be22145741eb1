import AnnealCore
import Foundation

/// A zip archive of stored entries, as PyTorch writes it. Sizes in a directory are checked against the file's length.
struct ZipArchive {
    private let data: Data
    private var entries: [String: (offset: Int, count: Int, method: Int)] = [:]

    static func isZip(_ data: Data) -> Bool { data.prefix(4).elementsEqual([0x50, 0x4b, 3, 4]) }

    var names: [String] { entries.keys.sorted() }

    init(_ data: Data) throws {
        self.data = data
        let end = try Self.endOfDirectory(data)
        var reader = ZipReader(data, at: end.offset)
        for _ in 0..<end.count {
            guard try reader.integer(4) == 0x0201_4b50 else {
                throw Self.damaged(reader.offset, "no entry of the directory")
            }
            try reader.skip(6)
            let method = try reader.integer(2)
            try reader.skip(8)
            var packed = try reader.integer(4), plain = try reader.integer(4)
            let nameLength = try reader.integer(2), extraLength = try reader.integer(2)
            let commentLength = try reader.integer(2)
            try reader.skip(8)
            var offset = try reader.integer(4)
            let name = String(decoding: try reader.bytes(nameLength), as: UTF8.self)
            var extra = ZipReader(try reader.bytes(extraLength), at: 0)
            while extra.remaining >= 4 {
                let kind = try extra.integer(2)
                var field = ZipReader(try extra.bytes(try extra.integer(2)), at: 0)
                // Sizes and offsets that do not fit in 32 bits, in this order; those that fit are omitted.
                guard kind == 1 else { continue }
                if plain == 0xffff_ffff { plain = try field.integer(8) }
                if packed == 0xffff_ffff { packed = try field.integer(8) }
                if offset == 0xffff_ffff { offset = try field.integer(8) }
            }
            try reader.skip(commentLength)
            guard method != 0 || packed == plain else {
                throw Self.damaged(reader.offset, "a stored entry of two sizes")
            }
            entries[name] = (offset, packed, method)
        }
    }

    /// The bytes of an entry; nil if there is none with this name.
    func bytes(_ name: String) throws -> Data? {
        guard let entry = entries[name] else { return nil }
        guard entry.method == 0 else {
            throw AnnealError(
                name, "is compressed", suggestion: "PyTorch stores its entries; save the model with torch.save",
                code: .unsupported)
        }
        var reader = ZipReader(data, at: entry.offset)
        guard try reader.integer(4) == 0x0403_4b50 else { throw Self.damaged(entry.offset, "no entry begins here") }
        try reader.skip(22)
        let nameLength = try reader.integer(2), extraLength = try reader.integer(2)
        try reader.skip(nameLength + extraLength)
        return try reader.bytes(entry.count)
    }

    /// The directory's offset and its number of entries.
    private static func endOfDirectory(_ data: Data) throws -> (offset: Int, count: Int) {
        // It is followed by a comment of up to 65535 bytes.
        let earliest = max(0, data.count - 22 - 65_535)
        var place = data.count - 22
        while place >= earliest {
            var reader = ZipReader(data, at: place)
            if try reader.integer(4) == 0x0605_4b50 {
                try reader.skip(6)
                var count = try reader.integer(2)
                try reader.skip(4)
                var offset = try reader.integer(4)
                if place >= 20, count == 0xffff || offset == 0xffff_ffff {
                    (offset, count) = try largeDirectory(data, locator: place - 20) ?? (offset, count)
                }
                guard offset <= place, count <= data.count / 46 else {
                    throw damaged(place, "a directory of \(count) entries")
                }
                return (offset, count)
            }
            place -= 1
        }
        throw damaged(data.count, "a zip archive without its directory")
    }

    private static func largeDirectory(_ data: Data, locator: Int) throws -> (Int, Int)? {
        var reader = ZipReader(data, at: locator)
        guard try reader.integer(4) == 0x0706_4b50 else { return nil }
        try reader.skip(4)
        let place = try reader.integer(8)
        var record = ZipReader(data, at: place)
        guard try record.integer(4) == 0x0606_4b50 else { throw damaged(place, "no directory of a large archive") }
        try record.skip(28)
        let count = try record.integer(8)
        try record.skip(8)
        return (try record.integer(8), count)
    }

    static func damaged(_ offset: Int, _ problem: String) -> AnnealError {
        AnnealError("byte \(offset)", problem, suggestion: "the file is damaged or cut off", code: .damaged)
    }
}

/// Reads numbers and bytes, never past the end.
private struct ZipReader {
    private let data: Data
    private(set) var offset: Int

    init(_ data: Data, at offset: Int) { (self.data, self.offset) = (data, offset) }

    var remaining: Int { data.count - offset }

    mutating func skip(_ count: Int) throws { _ = try bytes(count) }

    mutating func bytes(_ count: Int) throws -> Data {
        guard offset >= 0, count >= 0, offset <= data.count, count <= data.count - offset else {
            throw ZipArchive.damaged(offset, "the archive ends in the middle")
        }
        defer { offset += count }
        let start = data.startIndex + offset
        return data[start..<start + count]
    }

    /// Little endian; an overflowing value is an error later, since it lies outside any file.
    mutating func integer(_ size: Int) throws -> Int {
        let value = try bytes(size).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Int(clamping: value)
    }
}
