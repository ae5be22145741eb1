import Foundation

/// A message of a protocol buffer: it writes its fields one by one.
package protocol ProtobufMessage {
    func write(to writer: inout ProtobufWriter)
}

/// Writes the wire format of protocol buffers: each field is its number and kind, then a varint, four or eight bytes,
/// or length-prefixed bytes.
///
/// A nested message is length-prefixed too: it is written twice, first to a writer that only counts, so that large
/// arrays are never copied from buffer to buffer.
package struct ProtobufWriter {
    private enum Kind: UInt64 {
        case varint = 0
        case fixed64 = 1
        case bytes = 2
        case fixed32 = 5
    }

    package private(set) var data = Data()
    package private(set) var count = 0
    private let onlyCounts: Bool

    /// The bytes of a message with the fields that `write` adds.
    package static func encode(_ write: (inout ProtobufWriter) -> Void) -> Data {
        withoutActuallyEscaping(write) { encode(Fields(writeFields: $0)) }
    }

    /// The bytes of a message.
    package static func encode(_ message: some ProtobufMessage) -> Data {
        let count = count(message)
        var writer = ProtobufWriter(onlyCounts: false)
        writer.data.reserveCapacity(count)
        message.write(to: &writer)
        return writer.data
    }

    package static func count(_ message: some ProtobufMessage) -> Int {
        var counter = ProtobufWriter(onlyCounts: true)
        message.write(to: &counter)
        return counter.count
    }

    private init(onlyCounts: Bool) { self.onlyCounts = onlyCounts }

    package mutating func integer(_ field: UInt64, _ value: Int) {
        tag(field, .varint)
        // A negative number is written with all 64 bits.
        varint(UInt64(bitPattern: Int64(value)))
    }

    package mutating func float(_ field: UInt64, _ value: Float) {
        tag(field, .fixed32)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { append($0) }
    }

    package mutating func double(_ field: UInt64, _ value: Double) {
        tag(field, .fixed64)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { append($0) }
    }

    /// A repeated field in packed form.
    package mutating func doubles(_ field: UInt64, _ values: [Double]) {
        tag(field, .bytes)
        varint(UInt64(8 * values.count))
        for value in values { withUnsafeBytes(of: value.bitPattern.littleEndian) { append($0) } }
    }

    package mutating func string(_ field: UInt64, _ value: String) {
        var value = value
        value.withUTF8 { bytes(field, UnsafeRawBufferPointer($0)) }
    }

    package mutating func bytes(_ field: UInt64, _ value: UnsafeRawBufferPointer) {
        tag(field, .bytes)
        varint(UInt64(value.count))
        append(value)
    }

    package mutating func message(_ field: UInt64, _ message: some ProtobufMessage) {
        tag(field, .bytes)
        varint(UInt64(ProtobufWriter.count(message)))
        message.write(to: &self)
    }

    /// A nested message with the fields that `write` adds.
    package mutating func message(_ field: UInt64, _ write: (inout ProtobufWriter) -> Void) {
        withoutActuallyEscaping(write) { message(field, Fields(writeFields: $0)) }
    }

    private struct Fields: ProtobufMessage {
        let writeFields: (inout ProtobufWriter) -> Void
        func write(to writer: inout ProtobufWriter) { writeFields(&writer) }
    }

    private mutating func tag(_ field: UInt64, _ kind: Kind) { varint(field << 3 | kind.rawValue) }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        repeat {
            let byte = UInt8(rest & 0x7f) | (rest > 0x7f ? 0x80 : 0)
            withUnsafeBytes(of: byte) { append($0) }
            rest >>= 7
        } while rest > 0
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer) {
        count += bytes.count
        if !onlyCounts { data.append(contentsOf: bytes) }
    }
}
