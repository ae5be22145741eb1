import AnnealCore
import AnnealGraph
import Foundation

/// The types of elements in model files.
package enum ModelElementType: String, Sendable {
    case float32, float64, float16, bfloat16
    case int8, int16, int32, int64, uint8, uint16, uint32, uint64, bool

    package var size: Int {
        switch self {
        case .float64, .int64, .uint64: 8
        case .float32, .int32, .uint32: 4
        case .float16, .bfloat16, .int16, .uint16: 2
        case .int8, .uint8, .bool: 1
        }
    }

    package var isFloat: Bool {
        switch self {
        case .float32, .float64, .float16, .bfloat16: true
        default: false
        }
    }
}

/// An array of a model file, or one that was computed from such arrays: the constants that graphs are rebuilt with.
///
/// Contents of a file stay a slice of the file's bytes, whatever their type, until somebody reads the elements.
package struct ModelArray: Sendable {
    enum Storage {
        /// Row-major, little endian, of the array's type.
        case raw(Data)
        case floats([Float])
        case integers([Int])
    }

    package private(set) var shape: [Int]
    package let type: ModelElementType
    let storage: Storage

    /// - Precondition: the number of bytes matches shape and type.
    package init(type: ModelElementType, shape: [Int], raw: Data) {
        precondition(raw.count == shape.reduce(1, *) * type.size)
        (self.type, self.shape, storage) = (type, shape, .raw(raw))
    }

    package init(_ shape: [Int], _ floats: [Float]) { self.init(type: .float32, shape: shape, floats: floats) }

    init(type: ModelElementType, shape: [Int], floats: [Float]) {
        precondition(floats.count == shape.reduce(1, *) && type.isFloat)
        (self.type, self.shape, storage) = (type, shape, .floats(floats))
    }

    init(type: ModelElementType = .int64, shape: [Int], integers: [Int]) {
        precondition(integers.count == shape.reduce(1, *) && !type.isFloat)
        (self.type, self.shape, storage) = (type, shape, .integers(integers))
    }

    package var count: Int { shape.reduce(1, *) }
    package var rank: Int { shape.count }

    /// The number of elements of a shape from a file; nil for negative extents or more elements than fit into memory.
    package static func count(_ dims: [Int]) -> Int? {
        guard dims.allSatisfy({ $0 >= 0 }), dims.count <= 32 else { return nil }
        var count = 1
        for extent in dims {
            let (next, overflow) = count.multipliedReportingOverflow(by: max(extent, 1))
            if overflow || next > 1 << 40 { return nil }
            count = next
        }
        return dims.contains(0) ? 0 : count
    }

    /// The elements as float32.
    package var floats: [Float] {
        switch storage {
        case .floats(let values): return values
        case .integers(let values): return values.map { Float($0) }
        case .raw(let bytes):
            if let type = StoredArray.DType(type) {
                return StoredArray(name: "", dtype: type, shape: Shape(shape), bytes: bytes).tensor().elements
            }
            return rawIntegers(bytes).map { Float($0) }
        }
    }

    /// The elements as integers: floating point is truncated towards zero, and values out of range become 0.
    package var integers: [Int] {
        switch storage {
        case .integers(let values): values
        case .floats(let values): values.map { Int(exactly: $0.rounded(.towardZero)) ?? 0 }
        case .raw(let bytes):
            type.isFloat ? floats.map { Int(exactly: $0.rounded(.towardZero)) ?? 0 } : rawIntegers(bytes)
        }
    }

    private func rawIntegers(_ bytes: Data) -> [Int] {
        let count = count
        return bytes.withUnsafeBytes { raw in
            func read<T: FixedWidthInteger>(_ type: T.Type) -> [Int] {
                (0..<count).map {
                    Int(truncatingIfNeeded: raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self))
                }
            }
            switch type {
            case .int8: return read(Int8.self)
            case .int16: return read(Int16.self)
            case .int32: return read(Int32.self)
            case .int64: return read(Int64.self)
            case .uint16: return read(UInt16.self)
            case .uint32: return read(UInt32.self)
            case .uint64: return read(UInt64.self)
            default: return read(UInt8.self)
            }
        }
    }

    /// In float32, as `.params` files hold parameters. Arrays that are float32 already are not copied.
    package func stored(_ name: String) -> StoredArray {
        if type == .float32, case .raw(let bytes) = storage {
            return StoredArray(name: name, dtype: .float32, shape: Shape(shape), bytes: bytes)
        }
        return StoredArray(name: name, Tensor(Shape(shape), floats))
    }

    package var tensor: Tensor { stored("").tensor() }

    /// The same elements under another shape with as many elements.
    func reshaped(_ shape: [Int]) -> ModelArray {
        precondition(shape.reduce(1, *) == count)
        var result = self
        result.shape = shape
        return result
    }

    /// Elements at `offset` + Σ index · stride, for all indices of a shape.
    func strided(_ shape: [Int], offset: Int = 0, strides: [Int]) -> ModelArray {
        if type.isFloat {
            return ModelArray(type: type, shape: shape, floats: Self.picked(floats, shape, offset, strides))
        }
        return ModelArray(type: type, shape: shape, integers: Self.picked(integers, shape, offset, strides))
    }

    private static func picked<T>(_ values: [T], _ shape: [Int], _ offset: Int, _ strides: [Int]) -> [T] {
        let count = shape.reduce(1, *)
        guard count > 0 else { return [] }
        guard let inner = shape.last, let step = strides.last else { return [values[offset]] }
        var result: [T] = []
        result.reserveCapacity(count)
        var index = shape.map { _ in 0 }, start = offset
        while result.count < count {
            var place = start
            for _ in 0..<inner {
                result.append(values[place])
                place += step
            }
            for axis in shape.indices.dropLast().reversed() {
                index[axis] += 1
                start += strides[axis]
                if index[axis] < shape[axis] { break }
                start -= strides[axis] * shape[axis]
                index[axis] = 0
            }
        }
        return result
    }

    static func strides(_ shape: [Int]) -> [Int] {
        var strides = shape.map { _ in 1 }
        for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
        return strides
    }

    /// Output axis i is axis `order[i]`.
    func transposed(_ order: [Int]) -> ModelArray {
        if order == Array(shape.indices) { return self }
        let strides = Self.strides(shape)
        return strided(order.map { shape[$0] }, strides: order.map { strides[$0] })
    }

    /// Broadcast along axes of extent 1 and new leading ones; nil if extents do not fit.
    func broadcast(_ target: [Int]) -> ModelArray? {
        guard target.count >= rank else { return nil }
        let dims = Array(repeating: 1, count: target.count - rank) + shape
        guard zip(dims, target).allSatisfy({ $0 == $1 || $0 == 1 }) else { return nil }
        if dims == target { return reshaped(target) }
        let strides = zip(Self.strides(dims), dims).map { $1 == 1 ? 0 : $0 }
        return strided(target, strides: strides)
    }

    /// Whether both hold the same elements in the same shape.
    func isEqual(_ other: ModelArray) -> Bool {
        guard shape == other.shape, type == other.type else { return false }
        return type.isFloat
            ? floats.elementsEqual(other.floats, by: { $0 == $1 || ($0.isNaN && $1.isNaN) })
            : integers == other.integers
    }

    func map(_ function: (Float) -> Float) -> ModelArray {
        ModelArray(type: .float32, shape: shape, floats: floats.map(function))
    }
}

extension StoredArray.DType {
    init?(_ type: ModelElementType) {
        switch type {
        case .float32: self = .float32
        case .float64: self = .float64
        case .float16: self = .float16
        case .bfloat16: self = .bfloat16
        case .int8: self = .int8
        case .int16: self = .int16
        case .int32: self = .int32
        case .int64: self = .int64
        case .uint8: self = .uint8
        case .bool: self = .bool
        case .uint16, .uint32, .uint64: return nil
        }
    }
}
