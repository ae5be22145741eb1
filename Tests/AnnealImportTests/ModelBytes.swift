import Foundation

/// ONNX models as bytes, written field by field.
struct ModelBytes {
    static func varint(_ value: Int) -> [UInt8] {
        var rest = UInt64(bitPattern: Int64(value)), bytes: [UInt8] = []
        repeat {
            bytes.append(UInt8(rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return bytes
    }

    static func integer(_ field: Int, _ value: Int) -> [UInt8] { varint(field << 3) + varint(value) }
    static func bytes(_ field: Int, _ value: [UInt8]) -> [UInt8] {
        varint(field << 3 | 2) + varint(value.count) + value
    }
    static func text(_ field: Int, _ value: String) -> [UInt8] { bytes(field, Array(value.utf8)) }

    /// `TensorProto` of float32 numbers.
    static func tensor(_ name: String, _ dims: [Int], _ values: [Float]) -> [UInt8] {
        dims.flatMap { integer(1, $0) } + integer(2, 1) + text(8, name)
            + bytes(9, values.flatMap { value in withUnsafeBytes(of: value) { Array($0) } })
    }

    /// A `TensorProto` with its data in another file.
    static func external(_ name: String, _ dims: [Int], _ entries: [(String, String)]) -> [UInt8] {
        dims.flatMap { integer(1, $0) } + integer(2, 1) + text(8, name)
            + entries.flatMap { bytes(13, text(1, $0.0) + text(2, $0.1)) } + integer(14, 1)
    }

    /// An `AttributeProto` of integers.
    static func ints(_ name: String, _ values: [Int]) -> [UInt8] {
        text(1, name) + values.flatMap { integer(8, $0) } + integer(20, 7)
    }

    static func node(
        _ type: String, _ inputs: [String], _ output: String, name: String = "", domain: String = "",
        attributes: [[UInt8]] = []
    ) -> [UInt8] {
        inputs.flatMap { text(1, $0) } + text(2, output) + text(3, name) + text(4, type)
            + attributes.flatMap { bytes(5, $0) } + (domain.isEmpty ? [] : text(7, domain))
    }

    /// A `ValueInfoProto` of a float32 tensor; nil is a dynamic extent.
    static func port(_ name: String, _ extents: [Int?]) -> [UInt8] {
        let dims = extents.flatMap { bytes(1, $0.map { integer(1, $0) } ?? text(2, "N")) }
        return text(1, name) + bytes(2, bytes(1, integer(1, 1) + bytes(2, dims)))
    }

    static func model(
        nodes: [[UInt8]], constants: [[UInt8]] = [], input: [UInt8] = port("x", [nil, 3, 4, 4]), output: String = "y",
        opset: Int = 17, metadata: [(String, String)] = []
    ) -> Data {
        let graph =
            nodes.flatMap { bytes(1, $0) } + constants.flatMap { bytes(5, $0) } + bytes(11, input)
            + bytes(12, text(1, output))
        return Data(
            integer(1, 8) + bytes(7, graph) + bytes(8, integer(2, opset))
                + metadata.flatMap { bytes(14, text(1, $0.0) + text(2, $0.1)) })
    }
}
