import AnnealCore
import Foundation

/// A file written by `torch.save`: a pickle whose arrays are views of storages, which are files of a zip archive or,
/// before PyTorch 1.6, follow the pickles one after another.
struct TorchFile {
    private let pickle: PickleReader
    private let root: PickleValue
    /// The bytes of storages by key.
    private let storage: (String) throws -> Data?

    private static let vocabulary = PickleVocabulary(
        makers: [
            "torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter",
            "torch Size", "torch device", "argparse Namespace",
        ],
        names: Set(Storage.types.keys.map { "torch \($0)Storage" })
            .union(["torch.storage UntypedStorage", "torch UntypedStorage"]),
        content: "weights", suggestion: "save the weights alone: torch.save(model.state_dict(), FILE)")

    static func load(_ data: Data) throws -> TorchFile {
        ZipArchive.isZip(data) ? try TorchFile(zip: data) : try TorchFile(legacy: data)
    }

    private init(zip data: Data) throws {
        let archive = try ZipArchive(data), ending = "/data.pkl"
        guard let name = archive.names.first(where: { $0.hasSuffix(ending) }), let bytes = try archive.bytes(name)
        else {
            throw AnnealError(
                "", "is a zip archive, but not one of PyTorch: it has no data.pkl",
                suggestion: "give what torch.save wrote", code: .unsupported)
        }
        let folder = name.dropLast(ending.count)
        if let order = try archive.bytes("\(folder)/byteorder"), !order.starts(with: "little".utf8) {
            throw AnnealError(
                "", "was written on a machine of the other byte order", suggestion: "save it again on a common one",
                code: .unsupported)
        }
        var reader = PickleReader(bytes, Self.vocabulary)
        do {
            root = try reader.next()
        } catch let error as AnnealError {
            throw error.within("data.pkl")
        }
        pickle = reader
        storage = { try archive.bytes("\(folder)/data/\($0)") }
    }

    /// Five pickles: a number, the version, the system, the value and the storages' keys.
    private init(legacy data: Data) throws {
        var reader = PickleReader(data, Self.vocabulary)
        guard case .integer = try reader.next(), case .integer(1001) = try reader.next() else {
            throw AnnealError(
                "", "is not a file of PyTorch weights", suggestion: "give what torch.save wrote", code: .damaged)
        }
        _ = try reader.next()
        root = try reader.next()
        guard case .list(let list) = try reader.next() else { throw reader.damaged("has no list of storages") }
        pickle = reader
        // Each is its number of elements followed by them; their type is in the value.
        var sizes: [String: Int] = [:]
        for object in reader.objects where object.maker == "persistent" {
            guard let storage = try? Storage(object, reader) else { continue }
            sizes[storage.key] = storage.type.size
        }
        var storages: [String: Data] = [:], offset = data.startIndex + reader.offset
        for case .text(let key) in reader.lists[list] {
            guard let size = sizes[key], data.endIndex - offset >= 8 else {
                throw reader.damaged("a storage is cut off")
            }
            let count = data[offset..<offset + 8].withUnsafeBytes {
                Int(Int64(littleEndian: $0.loadUnaligned(as: Int64.self)))
            }
            offset += 8
            guard count >= 0, count <= (data.endIndex - offset) / size else {
                throw reader.damaged("a storage is cut off")
            }
            storages[key] = data[offset..<offset + count * size]
            offset += count * size
        }
        storage = { storages[$0] }
    }

    /// A contiguous block of numbers, of which arrays are views.
    private struct Storage {
        var type: ModelElementType
        var key: String

        static let types: [String: ModelElementType] = [
            "Float": .float32, "Double": .float64, "Half": .float16, "BFloat16": .bfloat16, "Long": .int64,
            "Int": .int32, "Short": .int16, "Char": .int8, "Byte": .uint8, "Bool": .bool,
        ]

        /// From `('storage', TYPE, KEY, DEVICE, COUNT)`.
        init(_ object: PickleObject, _ pickle: PickleReader) throws {
            guard case .tuple(let index)? = object.arguments.first, pickle.tuples[index].count >= 5,
                case .text("storage") = pickle.tuples[index][0], case .global(let name) = pickle.tuples[index][1],
                case .text(let key) = pickle.tuples[index][2],
                let type = Self.types[
                    name.replacingOccurrences(of: "torch ", with: "").replacingOccurrences(of: "Storage", with: "")]
            else { throw pickle.damaged("a storage is described otherwise than PyTorch does") }
            (self.type, self.key) = (type, key)
        }
    }

    // MARK: State dicts

    /// Keys under which training programs store the weights; averaged weights first.
    private static let wrappers = ["state_dict_ema", "model_ema", "state_dict", "model"]

    func stateDict(_ notes: inout [String]) throws -> [String: ModelArray] {
        var value = root, path: [String] = []
        // They may be nested.
        for _ in 0..<3 {
            guard case .dictionary(let index) = value else { break }
            let entries = pickle.dictionaries[index]
            let inner = Self.wrappers.lazy.compactMap { name in
                entries.first { if case .text(name) = $0.key, case .dictionary = $0.value { true } else { false } }
                    .map { (name, $0.value) }
            }.first
            guard let inner else { break }
            value = inner.1
            path.append(inner.0)
        }
        guard case .dictionary(let index) = value else {
            throw AnnealError(
                "", "holds no dictionary of weights", suggestion: "save them with torch.save(model.state_dict(), FILE)",
                code: .unsupported)
        }
        if let name = path.first { notes.append("The weights are those under '\(name)'") }
        var arrays: [String: ModelArray] = [:]
        for case (.text(let name), .object(let object)) in pickle.dictionaries[index] {
            do {
                if let array = try array(pickle.objects[object]) { arrays[name] = array }
            } catch let error as AnnealError {
                throw error.within("array \(name)")
            }
        }
        guard !arrays.isEmpty else {
            throw AnnealError(
                "", "holds no weights by name", suggestion: "save them with torch.save(model.state_dict(), FILE)",
                code: .unsupported)
        }
        return arrays
    }

    /// nil for an object that is not an array.
    private func array(_ object: PickleObject) throws -> ModelArray? {
        switch object.maker {
        case "torch._utils _rebuild_parameter":
            guard case .object(let inner)? = object.arguments.first, pickle.objects[inner].maker != object.maker else {
                throw pickle.damaged("a parameter without its array")
            }
            return try array(pickle.objects[inner])
        case "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor":
            guard object.arguments.count >= 4, case .object(let storage) = object.arguments[0],
                case .integer(let offset) = object.arguments[1], let shape = integers(object.arguments[2]),
                let strides = integers(object.arguments[3])
            else { throw pickle.damaged("an array is described otherwise than PyTorch does") }
            return try view(try Storage(pickle.objects[storage], pickle), offset, shape, strides)
        default: return nil
        }
    }

    private func integers(_ value: PickleValue) -> [Int]? {
        guard case .object(let index) = value, pickle.objects[index].maker == "torch Size" else {
            return pickle.integers(value)
        }
        return pickle.objects[index].arguments.first.flatMap(pickle.integers)
    }

    private func view(_ storage: Storage, _ offset: Int, _ shape: [Int], _ strides: [Int]) throws -> ModelArray {
        guard let bytes = try self.storage(storage.key) else {
            throw pickle.damaged("storage \(storage.key) is missing")
        }
        let size = storage.type.size, total = bytes.count / size
        guard let count = ModelArray.count(shape), shape.count == strides.count, (0...total).contains(offset),
            // An array has no more elements than its storage, unless some are repeated.
            count <= total, strides.allSatisfy({ (0...max(total, 1)).contains($0) })
        else { throw pickle.damaged("an array of \(Shape(shape)) from \(offset) on in a storage of \(total)") }
        let last = zip(shape, strides).reduce(Double(offset)) { $0 + Double(max($1.0 - 1, 0)) * Double($1.1) }
        guard count == 0 || last < Double(total) else {
            throw pickle.damaged("an array of \(Shape(shape)) ends outside its storage of \(total)")
        }
        let plain = zip(zip(shape, strides), ModelArray.strides(shape)).allSatisfy { $0.0 == 1 || $0.1 == $1 }
        if plain || count == 0 {
            let start = bytes.startIndex + offset * size
            return ModelArray(type: storage.type, shape: shape, raw: bytes[start..<start + count * size])
        }
        let whole = ModelArray(
            type: storage.type, shape: [total], raw: bytes[bytes.startIndex..<bytes.startIndex + total * size])
        return whole.strided(shape, offset: offset, strides: strides)
    }
}
