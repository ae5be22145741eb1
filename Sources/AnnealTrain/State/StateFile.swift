import AnnealCore
import AnnealGraph
import CZlib
import Foundation

/// The file of a run's state: a line of text that names the format, arrays as in `.params`, and the CRC-32 of
/// everything before it (little-endian). It is written atomically, and nothing in it is used before the checksum is
/// verified.
package enum StateFile {
    private static let header = Data("Anneal run state 3\n".utf8)
    private static let sumSize = MemoryLayout<UInt32>.size

    package static func encode(
        names: [String], array: (Int) throws -> StoredArray, _ write: (Data) throws -> Void
    ) throws {
        var sum = crc32(0, nil, 0)
        func put(_ piece: Data) throws {
            sum = add(piece, to: sum)
            try write(piece)
        }
        try put(header)
        try ParamsFile.encode(names, array: array, put)
        try write(withUnsafeBytes(of: UInt32(sum).littleEndian) { Data($0) })
    }

    package static func read(_ path: String) throws -> [StoredArray] {
        let data = try Files.read(path)
        guard data.starts(with: header) else {
            throw AnnealError(
                path, "is not the state of a run, or of another version of Anneal",
                suggestion: "delete it to start again with a new optimizer", code: .damaged)
        }
        let end = data.endIndex - sumSize
        guard end >= data.startIndex + header.count else { throw damaged(path, "is cut off") }
        let stored = data[end...].withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)) }
        let sum = UInt32(add(data[..<end], to: crc32(0, nil, 0)))
        guard stored == sum else {
            throw damaged(path, "is damaged: its checksum is \(hex(stored)), its contents have \(hex(sum))")
        }
        do {
            return try ParamsFile.decode(data[(data.startIndex + header.count)..<end])
        } catch let error as AnnealError {
            throw error.within(path)
        }
    }

    private static func damaged(_ path: String, _ problem: String) -> AnnealError {
        AnnealError(
            path, problem,
            suggestion: "copy it again from an intact source, or continue from another checkpoint with --load-epoch",
            code: .damaged)
    }

    private static func hex(_ sum: UInt32) -> String { "0x" + String(sum, radix: 16) }

    private static func add(_ data: Data, to sum: UInt) -> UInt {
        // Without bytes zlib would start again.
        data.isEmpty ? sum : data.withUnsafeBytes { crc32_z(sum, $0.bindMemory(to: UInt8.self).baseAddress, $0.count) }
    }
}
