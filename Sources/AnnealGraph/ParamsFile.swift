import AnnealCore
import Foundation

/// An array of a `.params` file.
public struct StoredArray: Sendable, Equatable {
    /// MXNet's element types with their numbers in files.
    public enum DType: Int32, Sendable {
        case float32 = 0, float64, float16, uint8, int32, int8, int64, bool, int16
        case bfloat16 = 12

        public var size: Int {
            switch self {
            case .float64, .int64: 8
            case .float32, .int32: 4
            case .float16, .int16, .bfloat16: 2
            case .uint8, .int8, .bool: 1
            }
        }
    }

    public var name: String
    public var dtype: DType
    public var shape: Shape
    /// Row-major, little-endian.
    public var bytes: Data

    public init(name: String, dtype: DType, shape: Shape, bytes: Data) {
        self.name = name
        self.dtype = dtype
        self.shape = shape
        self.bytes = bytes
    }

    /// An array of float32 values.
    public init(name: String, _ tensor: Tensor) {
        self.init(
            name: name, dtype: .float32, shape: tensor.shape, bytes: tensor.elements.withUnsafeBytes { Data($0) })
    }

    /// The values as float32; every other type is converted.
    public func tensor() -> Tensor {
        let count = shape.count
        let elements: [Float] = bytes.withUnsafeBytes { raw in
            func convert<T>(_ type: T.Type, _ value: (T) -> Float) -> [Float] {
                (0..<count).map { value(raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self)) }
            }
            switch dtype {
            case .float32:
                return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
                    UnsafeMutableRawBufferPointer(buffer).copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: raw[..<(count * 4)]))
                    initialized = count
                }
            case .float64: return convert(Double.self) { Float($0) }
            case .float16: return convert(UInt16.self, StoredArray.float16)
            case .bfloat16: return convert(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
            case .uint8, .bool: return convert(UInt8.self) { Float($0) }
            case .int8: return convert(Int8.self) { Float($0) }
            case .int16: return convert(Int16.self) { Float($0) }
            case .int32: return convert(Int32.self) { Float($0) }
            case .int64: return convert(Int64.self) { Float($0) }
            }
        }
        return Tensor(shape, elements)
    }

    /// IEEE half precision to single; exact. (`Float16` is not available on every platform.)
    static func float16(_ bits: UInt16) -> Float {
        let sign: Float = bits & 0x8000 == 0 ? 1 : -1
        let exponent = Int(bits >> 10 & 0x1f), fraction = Float(bits & 0x3ff)
        switch exponent {
        case 0: return sign * fraction * 0x1p-24
        case 31: return fraction == 0 ? sign * .infinity : .nan
        default: return sign * Float(sign: .plus, exponent: exponent - 15, significand: 1 + fraction * 0x1p-10)
        }
    }
}

/// MXNet's `.params`: a list of arrays, named or not. Reads the layouts V0 to V2 (and scalar-free V3), writes V2.
public enum ParamsFile {
    private static let listMagic: UInt64 = 0x112
    private static let v1: UInt32 = 0xF993_FAC8, v2: UInt32 = 0xF993_FAC9, v3: UInt32 = 0xF993_FACA

    /// Reads all arrays of a file, in file order.
    /// - Throws: `AnnealError` naming the file and the byte where it is damaged.
    public static func read(_ path: String) throws -> [StoredArray] {
        do {
            return try decode(try Files.read(path))
        } catch let error as AnnealError where error.place != path {
            throw error.within(path)
        }
    }

    /// Writes arrays that are produced one after another, so that no more than one of them is in memory.
    /// - Parameter array: returns the array of a name; the array's own name is ignored.
    public static func write(names: [String], to path: String, array: (Int) throws -> StoredArray) throws {
        try Files.writeAtomically(to: path) { write in try encode(names, array: array, write) }
    }

    /// Writes arrays to a file, atomically.
    public static func write(_ arrays: [StoredArray], to path: String) throws {
        try write(names: arrays.map(\.name), to: path) { arrays[$0] }
    }

    /// As `read`, from a file's bytes.
    public static func decode(_ data: Data) throws -> [StoredArray] {
        var reader = ByteReader(data)
        guard try reader.integer(UInt64.self) == listMagic else {
            throw AnnealError(
                "byte 0", "is not an MXNet .params file", suggestion: "it must begin with the number 0x112",
                code: .damaged)
        }
        _ = try reader.integer(UInt64.self)
        let count = try reader.integer(UInt64.self)
        // The smallest array takes 4 bytes: a count that the file cannot hold is rejected.
        guard count <= UInt64(reader.remaining / 4) else {
            throw AnnealError(
                "byte 16", "claims \(count) arrays, more than the file can hold", suggestion: "the file is damaged",
                code: .damaged)
        }
        var arrays: [StoredArray] = []
        arrays.reserveCapacity(Int(count))
        for _ in 0..<count { arrays.append(try array(&reader)) }
        let names = try reader.integer(UInt64.self)
        guard names == 0 || names == count else {
            throw AnnealError("byte \(reader.offset - 8)", "has \(names) names for \(count) arrays", code: .damaged)
        }
        for index in 0..<Int(names) {
            let start = reader.offset
            let length = try reader.integer(UInt64.self)
            guard length <= UInt64(reader.remaining),
                let name = String(data: try reader.bytes(Int(length)), encoding: .utf8)
            else {
                throw AnnealError(
                    "byte \(start)", "a name is cut off or is not text", suggestion: "the file is damaged",
                    code: .damaged)
            }
            arrays[index].name = name
        }
        return arrays
    }

    /// One array without a name, as MXNet's optimizer states hold it.
    package static func decodeArray(_ data: Data) throws -> StoredArray {
        var reader = ByteReader(data)
        let array = try array(&reader)
        guard reader.remaining == 0 else {
            throw AnnealError("byte \(reader.offset)", "bytes follow an array", code: .damaged)
        }
        return array
    }

    private static func array(_ reader: inout ByteReader) throws -> StoredArray {
        let start = reader.offset
        func damaged(_ what: String) -> AnnealError {
            AnnealError("byte \(start)", what, suggestion: "the file is damaged", code: .damaged)
        }
        let magic = try reader.integer(UInt32.self)
        var dims: [Int] = []
        func rank(_ value: Int) throws -> Int {
            guard (0...32).contains(value) else { throw damaged("an array claims \(value) axes") }
            return value
        }
        switch magic {
        case v2, v3:
            let storage = try reader.integer(Int32.self)
            guard storage == 0 else {
                let kinds = [1: "row_sparse", 2: "csr"]
                throw AnnealError(
                    "byte \(start)", "an array is stored as \(kinds[Int(storage)] ?? "type \(storage)")",
                    suggestion: "sparse arrays are not read; save it dense with MXNet's tostype('default')",
                    code: .unsupported)
            }
            let axes = try rank(Int(try reader.integer(Int32.self)))
            for _ in 0..<axes { dims.append(Int(try reader.integer(Int64.self))) }
            // Under V2 no axes means no array; under V3 it is a scalar.
            if axes == 0 && magic == v2 { return StoredArray(name: "", dtype: .float32, shape: [0], bytes: Data()) }
        case v1:
            let axes = try rank(Int(try reader.integer(UInt32.self)))
            for _ in 0..<axes { dims.append(Int(try reader.integer(Int64.self))) }
            if axes == 0 { return StoredArray(name: "", dtype: .float32, shape: [0], bytes: Data()) }
        default:
            // V0 has no magic: the first word is the number of axes.
            let axes = try rank(Int(magic))
            for _ in 0..<axes { dims.append(Int(try reader.integer(UInt32.self))) }
            if axes == 0 { return StoredArray(name: "", dtype: .float32, shape: [0], bytes: Data()) }
        }
        _ = try reader.integer(Int32.self)
        _ = try reader.integer(Int32.self)
        let code = try reader.integer(Int32.self)
        guard let dtype = StoredArray.DType(rawValue: code) else {
            throw damaged("an array has the unknown type \(code)")
        }
        guard dims.allSatisfy({ $0 >= 0 }), !Shape(dims).isTooLarge else {
            throw damaged("an array has the shape \(Shape(dims))")
        }
        let shape = Shape(dims)
        let length = shape.count * dtype.size
        guard length <= reader.remaining else {
            throw damaged("an array \(shape) needs \(length) bytes, but the file ends after \(reader.remaining)")
        }
        return StoredArray(name: "", dtype: dtype, shape: shape, bytes: try reader.bytes(length))
    }

    /// One array without a name.
    package static func encodeArray(_ array: StoredArray) -> Data {
        var data = Data()
        encode(array, &data)
        data.append(array.shape.count > 0 ? array.bytes : Data())
        return data
    }

    /// The header before an array's elements.
    private static func encode(_ array: StoredArray, _ data: inout Data) {
        func put<T: FixedWidthInteger>(_ value: T) {
            withUnsafeBytes(of: value.littleEndian) { data.append(contentsOf: $0) }
        }
        put(v2)
        put(Int32(0))
        // Under V2 no axes means no array at all: an empty array is written that way, and a scalar as an array of one
        // element.
        guard array.shape.count > 0 else { return put(Int32(0)) }
        let dims = array.shape.isEmpty ? [1] : array.shape.dims
        put(Int32(dims.count))
        for extent in dims { put(Int64(extent)) }
        put(Int32(1))  // CPU
        put(Int32(0))
        put(array.dtype.rawValue)
    }

    public static func encode(_ arrays: [StoredArray]) -> Data {
        var data = Data(capacity: arrays.reduce(64) { $0 + $1.bytes.count + $1.name.utf8.count + 64 })
        encode(arrays.map(\.name), array: { arrays[$0] }) { data.append($0) }
        return data
    }

    /// Encodes arrays that are produced one after another, and passes the file's bytes on piece by piece.
    package static func encode(
        _ names: [String], array: (Int) throws -> StoredArray, _ write: (Data) throws -> Void
    ) rethrows {
        var data = Data()
        func put<T: FixedWidthInteger>(_ value: T) {
            withUnsafeBytes(of: value.littleEndian) { data.append(contentsOf: $0) }
        }
        put(listMagic)
        put(UInt64(0))
        put(UInt64(names.count))
        for index in names.indices {
            let array = try array(index)
            encode(array, &data)
            guard array.shape.count > 0 else { continue }
            try write(data)
            try write(array.bytes)
            data.removeAll(keepingCapacity: true)
        }
        let named = names.contains { !$0.isEmpty }
        put(UInt64(named ? names.count : 0))
        for name in names where named {
            put(UInt64(name.utf8.count))
            data.append(contentsOf: name.utf8)
        }
        try write(data)
    }
}

/// Reads integers and bytes from the front of data, never past its end.
struct ByteReader {
    private let data: Data
    private(set) var offset = 0

    init(_ data: Data) { self.data = data }

    var remaining: Int { data.count - offset }

    mutating func integer<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        let bytes = try self.bytes(MemoryLayout<T>.size)
        return bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(as: T.self)) }
    }

    mutating func bytes(_ count: Int) throws -> Data {
        guard count <= remaining else {
            throw AnnealError(
                "byte \(data.count)", "the file ends in the middle", suggestion: "it is cut off; copy or save it again",
                code: .damaged)
        }
        defer { offset += count }
        return data[data.startIndex + offset..<data.startIndex + offset + count]
    }
}
