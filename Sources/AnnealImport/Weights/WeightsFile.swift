import AnnealCore
import Foundation

/// Named arrays of a network without its graph: PyTorch's state dict.
package struct WeightsFile {
    package var arrays: [String: ModelArray]
    /// Notes for the user about how they were found.
    package var notes: [String] = []

    /// - Parameter data: a safetensors file.
    package init(safetensors data: Data) throws {
        arrays = try SafetensorsFile.arrays(data)
        stripModulePrefix()
    }

    /// - Parameter data: the file that `torch.save` wrote: a zip archive, or before PyTorch 1.6 pickles one after
    ///   another.
    package init(torch data: Data) throws {
        let saved = try TorchFile.load(data)
        arrays = try saved.stateDict(&notes)
        stripModulePrefix()
    }

    /// `DataParallel` puts `module.` before every name.
    private mutating func stripModulePrefix() {
        let prefix = "module."
        guard !arrays.isEmpty, arrays.keys.allSatisfy({ $0.hasPrefix(prefix) }) else { return }
        arrays = Dictionary(arrays.map { (String($0.key.dropFirst(prefix.count)), $0.value) }) { first, _ in first }
    }
}

/// A safetensors file: the header's length in eight bytes, the header in JSON, then the arrays' bytes without gaps.
enum SafetensorsFile {
    private static let largestHeader = 100_000_000

    private static let types: [String: ModelElementType] = [
        "F32": .float32, "F64": .float64, "F16": .float16, "BF16": .bfloat16, "I8": .int8, "I16": .int16, "I32": .int32,
        "I64": .int64, "U8": .uint8, "U16": .uint16, "U32": .uint32, "U64": .uint64, "BOOL": .bool,
    ]

    static func arrays(_ data: Data) throws -> [String: ModelArray] {
        func damaged(_ place: String, _ problem: String) -> AnnealError {
            AnnealError(
                place, problem, suggestion: "it is not a safetensors file, or it is damaged or cut off", code: .damaged)
        }
        guard data.count >= 8 else { throw damaged("byte 0", "it has \(data.count) bytes") }
        let length = data.prefix(8).withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
        guard length <= UInt64(min(data.count - 8, largestHeader)) else {
            throw damaged("byte 0", "claims a header of \(length) bytes")
        }
        let begin = data.startIndex + 8 + Int(length), bytes = data[begin...]
        guard
            let header = try? JSONSerialization.jsonObject(with: data[(data.startIndex + 8)..<begin]) as? [String: Any]
        else { throw damaged("byte 8", "its header is not a JSON object") }
        var arrays: [String: ModelArray] = [:], parts: [(range: Range<Int>, name: String)] = []
        for (name, entry) in header where name != "__metadata__" {
            guard let entry = entry as? [String: Any], let type = entry["dtype"] as? String,
                let shape = entry["shape"] as? [Int], let offsets = entry["data_offsets"] as? [Int], offsets.count == 2,
                offsets[0] >= 0, offsets[0] <= offsets[1], offsets[1] <= bytes.count
            else { throw damaged("array \(name)", "its entry in the header cannot be read, or is outside the file") }
            parts.append((offsets[0]..<offsets[1], name))
            guard let count = ModelArray.count(shape) else { throw damaged("array \(name)", "has the shape \(shape)") }
            // Arrays of unknown types are omitted; an error is reported when one is needed.
            guard let element = types[type] else { continue }
            guard offsets[1] - offsets[0] == count * element.size else {
                throw damaged(
                    "array \(name)",
                    "has \(offsets[1] - offsets[0]) bytes, the shape \(Shape(shape)) of \(type) wants \(count * element.size)"
                )
            }
            arrays[name] = ModelArray(
                type: element, shape: shape, raw: data[(begin + offsets[0])..<(begin + offsets[1])])
        }
        var end = 0
        for part in parts.sorted(by: {
            ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
        }) {
            guard part.range.lowerBound == end else {
                throw damaged("array \(part.name)", "begins at \(part.range.lowerBound), the one before ends at \(end)")
            }
            end = part.range.upperBound
        }
        guard end == bytes.count else { throw damaged("byte \(8 + Int(length) + end)", "bytes belong to no array") }
        return arrays
    }
}
