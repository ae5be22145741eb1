import AnnealCore
import Foundation

/// Reads the Protocol Buffers wire format: each field is its number and kind, then a varint, four or eight bytes, or a
/// length followed by bytes. Nothing is read beyond the message, whatever its lengths say.
struct ProtobufReader {
    struct Field {
        enum Value {
            case varint(UInt64)
            case fixed64(UInt64)
            case fixed32(UInt32)
            case bytes(Data)
        }

        let number: UInt64
        let value: Value
        /// The field's offset in the file.
        let offset: Int
    }

    private let data: Data
    private var position: Data.Index
    /// The index in `data` where the file begins: a slice shares the indices of the whole.
    private let origin: Data.Index

    /// - Parameter data: a file.
    init(file data: Data) {
        self.init(data, origin: data.startIndex)
    }

    private init(_ data: Data, origin: Data.Index) {
        self.data = data
        self.origin = origin
        position = data.startIndex
    }

    /// A reader of a message inside this one.
    func message(_ bytes: Data) -> ProtobufReader { ProtobufReader(bytes, origin: origin) }

    private var offset: Int { position - origin }

    /// The next field; nil at the end.
    mutating func next() throws -> Field? {
        guard position < data.endIndex else { return nil }
        let start = offset, tag = try varint(), number = tag >> 3
        guard number > 0 else { throw damaged(start, "a field has the number 0") }
        switch tag & 7 {
        case 0: return Field(number: number, value: .varint(try varint()), offset: start)
        case 1: return Field(number: number, value: .fixed64(try fixed(UInt64.self)), offset: start)
        case 2:
            let length = try varint()
            guard length <= UInt64(data.endIndex - position) else {
                throw damaged(start, "a field of \(length) bytes has \(data.endIndex - position)")
            }
            let end = position + Int(length)
            defer { position = end }
            return Field(number: number, value: .bytes(data[position..<end]), offset: start)
        case 5: return Field(number: number, value: .fixed32(try fixed(UInt32.self)), offset: start)
        case let kind: throw damaged(start, "a field is of the kind \(kind), which ONNX does not use")
        }
    }

    /// All varints of a packed field.
    static func varints(_ bytes: Data) throws -> [UInt64] {
        var reader = ProtobufReader(bytes, origin: bytes.startIndex), values: [UInt64] = []
        while reader.position < bytes.endIndex { values.append(try reader.varint()) }
        return values
    }

    private mutating func varint() throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard position < data.endIndex else { throw damaged(offset, "a number is cut off") }
            let byte = data[position]
            position += 1
            value |= shift < 64 ? UInt64(byte & 0x7f) << shift : 0
            if byte & 0x80 == 0 { return value }
        }
        throw damaged(offset, "a number has more than ten bytes")
    }

    private mutating func fixed<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        let size = MemoryLayout<T>.size
        guard data.endIndex - position >= size else { throw damaged(offset, "a number is cut off") }
        defer { position += size }
        return data[position..<position + size].withUnsafeBytes { T(littleEndian: $0.loadUnaligned(as: T.self)) }
    }

    private func damaged(_ offset: Int, _ problem: String) -> AnnealError {
        AnnealError(
            "byte \(offset)", problem, suggestion: "it is not an ONNX model, or it is damaged or cut off",
            code: .damaged)
    }
}

extension ProtobufReader.Field {
    private func wrong(_ expected: String) -> AnnealError {
        AnnealError(
            "byte \(offset)", "field \(number) is not \(expected)",
            suggestion: "it is not an ONNX model, or it is damaged", code: .damaged)
    }

    func integer() throws -> Int {
        guard case .varint(let value) = value else { throw wrong("a whole number") }
        return Int(Int64(bitPattern: value))
    }

    func bytes() throws -> Data {
        guard case .bytes(let bytes) = value else { throw wrong("a string or message") }
        return bytes
    }

    func string() throws -> String {
        guard let text = String(data: try bytes(), encoding: .utf8) else { throw wrong("UTF-8 text") }
        return text
    }

    func float() throws -> Float {
        guard case .fixed32(let bits) = value else { throw wrong("a number of 32 bits") }
        return Float(bitPattern: bits)
    }

    /// The values of a repeated field, which may hold one number or many packed ones.
    func integers() throws -> [Int] {
        switch value {
        case .varint(let value): [Int(Int64(bitPattern: value))]
        case .bytes(let bytes): try ProtobufReader.varints(bytes).map { Int(Int64(bitPattern: $0)) }
        default: throw wrong("a list of whole numbers")
        }
    }

    /// The bytes of a repeated field of float or double numbers, little endian.
    func packed(size: Int) throws -> Data {
        switch value {
        case .fixed32(let bits) where size == 4: return withUnsafeBytes(of: bits.littleEndian) { Data($0) }
        case .fixed64(let bits) where size == 8: return withUnsafeBytes(of: bits.littleEndian) { Data($0) }
        case .bytes(let bytes) where bytes.count % size == 0: return bytes
        default: throw wrong("a list of numbers of \(size) bytes")
        }
    }
}
