import AnnealCore
import Foundation

/// A Protocol Buffers message read without a schema: the values of each field, in order.
struct WireMessage {
    enum Value {
        case varint(UInt64)
        case fixed32(UInt32)
        case bytes(Data)
    }

    private var fields: [Int: [Value]] = [:]

    init(_ data: Data) throws {
        var rest = [UInt8](data)[...]
        func varint() throws -> UInt64 {
            var value: UInt64 = 0, shift: UInt64 = 0
            while let byte = rest.popFirst() {
                value |= UInt64(byte & 0x7f) << shift
                if byte & 0x80 == 0 { return value }
                shift += 7
            }
            throw AnnealError("message", "ends in a varint")
        }
        func take(_ count: Int) throws -> Data {
            guard count <= rest.count else { throw AnnealError("message", "ends in a field") }
            defer { rest = rest.dropFirst(count) }
            return Data(rest.prefix(count))
        }
        while !rest.isEmpty {
            let tag = try varint()
            let value: Value
            switch tag & 7 {
            case 0: value = .varint(try varint())
            case 2: value = .bytes(try take(Int(varint())))
            case 5: value = .fixed32(try take(4).withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) })
            default: throw AnnealError("message", "has a field of kind \(tag & 7)")
            }
            fields[Int(tag >> 3), default: []].append(value)
        }
    }

    func integers(_ field: Int) -> [Int] {
        (fields[field] ?? []).compactMap {
            if case .varint(let value) = $0 { Int(Int64(bitPattern: value)) } else { nil }
        }
    }

    func float(_ field: Int) -> Float? {
        if case .fixed32(let bits)? = fields[field]?.first { Float(bitPattern: bits) } else { nil }
    }

    func bytes(_ field: Int) -> [Data] {
        (fields[field] ?? []).compactMap { if case .bytes(let data) = $0 { data } else { nil } }
    }

    func strings(_ field: Int) -> [String] { bytes(field).map { String(decoding: $0, as: UTF8.self) } }
    func messages(_ field: Int) throws -> [WireMessage] { try bytes(field).map { try WireMessage($0) } }
    func message(_ field: Int) throws -> WireMessage { try messages(field).first ?? WireMessage(Data()) }
}
