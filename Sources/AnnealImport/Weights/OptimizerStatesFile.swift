import AnnealCore
import AnnealGraph
import Foundation

/// MXNet's optimizer states, as returned by `Updater.get_states` and stored in `PREFIX-NNNN.states`: a pickled
/// dictionary from a parameter's number to its state, an array, a tuple of arrays, or None.
package enum OptimizerStatesFile {
    private static let arrayMaker = "mxnet.ndarray.ndarray NDArray"
    private static let vocabulary = PickleVocabulary(
        makers: [arrayMaker], content: "optimizer states",
        suggestion: "save them with dump_optimizer=False, as Module does")

    /// - Returns: arrays by the parameter's number; empty for rules without state.
    package static func decode(_ data: Data) throws -> [Int: [StoredArray]] {
        var reader = PickleReader(data, vocabulary)
        guard case .dictionary(let index) = try reader.next() else {
            throw AnnealError(
                "", "is not a dictionary of optimizer states", suggestion: vocabulary.suggestion, code: .unsupported)
        }
        var states: [Int: [StoredArray]] = [:]
        for entry in reader.dictionaries[index] {
            guard case .integer(let number) = entry.key, number >= 0 else {
                throw AnnealError("", "has a state of a parameter without a number", code: .unsupported)
            }
            do {
                states[number] = try arrays(entry.value, reader, depth: 0)
            } catch let error as AnnealError {
                throw error.within("state \(number)")
            }
        }
        return states
    }

    /// Rules have tuples of arrays; those with a float32 copy of narrower weights have nested tuples.
    private static func arrays(_ value: PickleValue, _ reader: PickleReader, depth: Int) throws -> [StoredArray] {
        switch value {
        case .none: return []
        case .tuple where depth < 3, .list where depth < 3:
            return try (reader.elements(value) ?? []).flatMap { try arrays($0, reader, depth: depth + 1) }
        case .object(let index) where reader.objects[index].maker == arrayMaker:
            return [try array(reader.objects[index], reader)]
        default: throw AnnealError("", "is neither an array nor None", code: .unsupported)
        }
    }

    /// The state of an NDArray is `{'handle': bytearray}`, the array as stored in `.params` files.
    private static func array(_ object: PickleObject, _ reader: PickleReader) throws -> StoredArray {
        guard let handle = object.state.flatMap({ reader.value("handle", of: $0) }) else {
            throw reader.damaged("an array without its contents")
        }
        switch handle {
        case .bytes(let bytes): return try ParamsFile.decodeArray(bytes)
        case .object(let index):
            guard case .bytes(let bytes)? = reader.objects[index].arguments.first else {
                throw reader.damaged("an array with contents that are not bytes")
            }
            return try ParamsFile.decodeArray(bytes)
        default: throw reader.damaged("an array with contents that are not bytes")
        }
    }

    /// A pickle of protocol 3, which every Python 3 can read.
    package static func encode(_ states: [Int: [StoredArray]]) -> Data {
        var data = Data([0x80, 3, UInt8(ascii: "}"), UInt8(ascii: "(")])
        func put(_ value: Int) {
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: value).littleEndian) { data.append(contentsOf: $0) }
        }
        func global(_ module: String, _ name: String) { data.append(contentsOf: "c\(module)\n\(name)\n".utf8) }
        func array(_ array: StoredArray) {
            global("mxnet.ndarray.ndarray", "NDArray")
            // Created from None, then given its contents.
            data.append(contentsOf: [UInt8(ascii: "N"), 0x85, UInt8(ascii: "R"), UInt8(ascii: "}")])
            data.append(UInt8(ascii: "X"))
            put("handle".utf8.count)
            data.append(contentsOf: "handle".utf8)
            global("builtins", "bytearray")
            let bytes = ParamsFile.encodeArray(array)
            data.append(UInt8(ascii: "B"))
            put(bytes.count)
            data.append(bytes)
            data.append(contentsOf: [0x85, UInt8(ascii: "R"), UInt8(ascii: "s"), UInt8(ascii: "b")])
        }
        for (number, arrays) in states.sorted(by: { $0.key < $1.key }) {
            data.append(UInt8(ascii: "J"))
            put(number)
            switch arrays.count {
            case 0: data.append(UInt8(ascii: "N"))
            case 1: array(arrays[0])
            default:
                data.append(UInt8(ascii: "("))
                for item in arrays { array(item) }
                data.append(UInt8(ascii: "t"))
            }
        }
        data.append(contentsOf: [UInt8(ascii: "u"), UInt8(ascii: ".")])
        return data
    }
}
