import AnnealCore
import Foundation

/// `TensorProto`: a constant of the model, or a reference to another file that holds it.
struct ONNXTensorRecord {
    var name = ""
    private var dims: [Int] = []
    private var type = 0
    private var raw: Data?
    private var floats = Data()
    private var doubles = Data()
    /// All types with at most 32 bits, and the bits of 16-bit floating point.
    private var integers32: [Int] = []
    private var integers64: [Int] = []
    /// `location`, `offset` and `length` of data in another file.
    private var external: [String: String] = [:]
    private var isExternal = false

    init(_ message: ProtobufReader) throws {
        var reader = message
        while let field = try reader.next() {
            switch field.number {
            case 1: dims += try field.integers()
            case 2: type = try field.integer()
            case 4: Self.append(try field.packed(size: 4), to: &floats)
            case 5: integers32 += try field.integers()
            case 7, 11: integers64 += try field.integers()
            case 8: name = try field.string()
            case 9: raw = try field.bytes()
            case 10: Self.append(try field.packed(size: 8), to: &doubles)
            case 13:
                var entry = reader.message(try field.bytes()), key = "", value = ""
                while let field = try entry.next() {
                    if field.number == 1 { key = try field.string() }
                    if field.number == 2 { value = try field.string() }
                }
                external[key] = value
            case 14: isExternal = try field.integer() == 1
            default: break
            }
        }
    }

    /// A single packed field is not copied.
    private static func append(_ bytes: Data, to data: inout Data) {
        if data.isEmpty { data = bytes } else { data.append(bytes) }
    }

    /// The types' names by their numbers; those that can be read are `ModelElementType`s.
    static let typeNames: [Int: String] = [
        1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
        10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16",
        17: "float8e4m3fn", 18: "float8e4m3fnuz", 19: "float8e5m2", 20: "float8e5m2fnuz", 21: "uint4", 22: "int4",
        23: "float4e2m1",
    ]

    static func elementType(_ number: Int) -> ModelElementType? { typeNames[number].flatMap(ModelElementType.init) }

    /// - Parameter files: for data in other files.
    func array(_ files: ExternalData?) throws -> ModelArray {
        func refused(_ problem: String, _ code: AnnealError.Code) -> AnnealError {
            AnnealError(
                "constant \(name)", problem, suggestion: code == .damaged ? "the file is damaged" : nil, code: code)
        }
        guard let type = Self.elementType(type) else {
            throw refused(
                "has the type \(Self.typeNames[type] ?? "\(type)"), which is not read", .unsupported)
        }
        guard let count = ModelArray.count(dims) else { throw refused("has the shape \(Shape(dims))", .damaged) }
        let bytes: Data
        if isExternal {
            guard let files else { throw refused("is in another file, which is not read here", .unsupported) }
            do {
                bytes = try files.bytes(external)
            } catch let error as AnnealError {
                throw error.within("constant \(name)")
            }
        } else if let raw {
            bytes = raw
        } else {
            guard let values = typed(type, count: count) else {
                throw refused("has the shape \(Shape(dims)) and other elements", .damaged)
            }
            return values
        }
        guard bytes.count == count * type.size else {
            throw refused(
                "has \(bytes.count) bytes, the shape \(Shape(dims)) of \(type) wants \(count * type.size)", .damaged)
        }
        return ModelArray(type: type, shape: dims, raw: bytes)
    }

    /// From the fields of typed numbers; nil if their count does not match the shape.
    private func typed(_ type: ModelElementType, count: Int) -> ModelArray? {
        switch type {
        case .float32: floats.count == 4 * count ? ModelArray(type: type, shape: dims, raw: floats) : nil
        case .float64: doubles.count == 8 * count ? ModelArray(type: type, shape: dims, raw: doubles) : nil
        case .float16, .bfloat16:
            integers32.count == count
                ? ModelArray(
                    type: type, shape: dims,
                    raw: integers32.map { UInt16(truncatingIfNeeded: $0).littleEndian }.withUnsafeBytes { Data($0) })
                : nil
        case .int64, .uint64, .uint32:
            integers64.count == count ? ModelArray(type: type, shape: dims, integers: integers64) : nil
        case .bool, .int8, .int16, .int32, .uint8, .uint16:
            integers32.count == count ? ModelArray(type: type, shape: dims, integers: integers32) : nil
        }
    }
}

/// Files that hold a model's data: in its folder or below, never elsewhere.
final class ExternalData {
    private let folder: String
    private var files: [String: Data] = [:]

    /// - Parameter model: the model's path.
    init(besides model: String) { folder = Files.folder(of: model) }

    /// - Parameter entry: `location`, and `offset` and `length` unless they cover the whole file.
    func bytes(_ entry: [String: String]) throws -> Data {
        guard let location = entry["location"], !location.isEmpty else {
            throw AnnealError("", "does not say in which file its data is", code: .damaged)
        }
        let file = try read(location)
        let offset = try number(entry["offset"]) ?? 0, length = try number(entry["length"])
        guard offset <= file.count, length ?? 0 <= file.count - offset else {
            throw AnnealError(
                Files.path(folder, location),
                "has \(file.count) bytes, \(length ?? 0) from \(offset) on are asked for",
                suggestion: "it is of another model, or cut off", code: .damaged)
        }
        let start = file.startIndex + offset
        return file[start..<(length.map { start + $0 } ?? file.endIndex)]
    }

    private func number(_ text: String?) throws -> Int? {
        guard let text else { return nil }
        guard let number = Int(text), number >= 0 else {
            throw AnnealError("", "its data begins or ends at '\(text)'", code: .damaged)
        }
        return number
    }

    private func read(_ location: String) throws -> Data {
        if let file = files[location] { return file }
        let parts = location.split(separator: "/", omittingEmptySubsequences: false)
        guard !location.hasPrefix("/"), !parts.contains("..") else { throw outside(location) }
        let path = Files.path(folder, location)
        // A symbolic link may lead out of the folder too.
        if let real = Files.realPath(path), let root = Files.realPath(folder) {
            guard real.hasPrefix(root == "/" ? root : root + "/") else { throw outside(location) }
        }
        guard Files.exists(path) else {
            throw AnnealError(
                path, "holds its data, and does not exist", suggestion: "copy it to where the model is",
                code: .notFound)
        }
        let file = try Files.read(path)
        files[location] = file
        return file
    }

    private func outside(_ location: String) -> AnnealError {
        AnnealError(
            "", "its data is in '\(location)', outside the model's folder",
            suggestion: "files are read from the model's own folder only", code: .unsupported)
    }
}
