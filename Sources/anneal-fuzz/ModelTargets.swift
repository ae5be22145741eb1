import Anneal
import AnnealImport
import Foundation

/// Models of other frameworks.
let modelTargets = [
    FuzzTarget(name: "protobuf", memoryFactor: 128) { work in
        FuzzReader(seeds: try work.fixtures(ending: "/model.onnx")) { bytes in
            _ = try ONNXImporter(Data(bytes), path: work.path("input.onnx")).model()
        }
    },
    FuzzTarget(name: "safetensors", memoryFactor: 128) { _ in
        let header = """
            {"__metadata__":{"format":"pt"},"conv1.weight":{"dtype":"F32","shape":[1,3,1,1],"data_offsets":[0,12]},\
            "bn1.weight":{"dtype":"F16","shape":[2],"data_offsets":[12,16]}}
            """
        let seed = littleEndian(header.utf8.count, size: 8) + Array(header.utf8) + Array(repeating: 1, count: 16)
        return FuzzReader(seeds: [seed]) { bytes in try build(try WeightsFile(safetensors: Data(bytes))) }
    },
    FuzzTarget(name: "zip", memoryFactor: 128) { _ in
        FuzzReader(seeds: [zip(["a/data.pkl": [0x80, 2] + TinyPickle.weights + stop, "a/data/k": TinyPickle.numbers])])
        {
            bytes in try build(try WeightsFile(torch: Data(bytes)))
        }
    },
    FuzzTarget(name: "pickle", memoryFactor: 128) { _ in
        let proto: [UInt8] = [0x80, 2]
        let magic: [UInt8] = [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]
        let version: [UInt8] = [UInt8(ascii: "M"), 0xe9, 3]
        let keys = [UInt8(ascii: "]")] + TinyPickle.text("k") + [UInt8(ascii: "a")]
        let seed =
            [magic, version, [UInt8(ascii: "}")], TinyPickle.weights, keys].flatMap { proto + $0 + stop }
            + littleEndian(4, size: 8) + TinyPickle.numbers
        return FuzzReader(seeds: [seed]) { bytes in try build(try WeightsFile(torch: Data(bytes))) }
    },
]

/// Steps after reading: none of these state dicts is a whole network.
private func build(_ file: WeightsFile) throws {
    try allowingErrors {
        _ = try WeightsNetwork.model(file, path: nil, options: ImportOptions(imageShape: [3, 32, 32]))
    }
}

private let stop: [UInt8] = [UInt8(ascii: ".")]

private func littleEndian(_ value: Int, size: Int) -> [UInt8] {
    (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
}

/// A state dict of one array as a pickle.
private enum TinyPickle {
    /// The storage's bytes.
    static let numbers: [UInt8] = [Float(1), 2, 3, 4].withUnsafeBytes { [UInt8]($0) }

    static func text(_ value: String) -> [UInt8] {
        [UInt8(ascii: "X")] + littleEndian(value.utf8.count, size: 4) + Array(value.utf8)
    }

    private static func global(_ name: String) -> [UInt8] { Array("c\(name.replacing(" ", with: "\n"))\n".utf8) }

    private static func tuple(_ parts: [[UInt8]]) -> [UInt8] {
        [UInt8(ascii: "(")] + parts.flatMap { $0 } + [UInt8(ascii: "t")]
    }

    private static func integer(_ value: UInt8) -> [UInt8] { [UInt8(ascii: "K"), value] }

    static let weights: [UInt8] = {
        let storage =
            tuple([text("storage"), global("torch FloatStorage"), text("k"), text("cpu"), integer(4)])
            + [UInt8(ascii: "Q")]
        let hooks = global("collections OrderedDict") + [UInt8(ascii: ")"), UInt8(ascii: "R")]
        let arguments = tuple([
            storage, integer(0), tuple([integer(2), integer(2)]), tuple([integer(1), integer(2)]), [0x89], hooks,
        ])
        let array = global("torch._utils _rebuild_tensor_v2") + arguments + [UInt8(ascii: "R")]
        let entry = [UInt8(ascii: "}")] + text("module.conv1.weight") + array + [UInt8(ascii: "s")]
        return [UInt8(ascii: "}")] + text("state_dict") + entry + [UInt8(ascii: "s")]
    }()
}

/// A zip archive of stored entries, without checksums, which are not read.
private func zip(_ files: [String: [UInt8]]) -> [UInt8] {
    var bytes: [UInt8] = [], directory: [UInt8] = []
    let entries = files.sorted { $0.key < $1.key }
    for (name, content) in entries {
        let sizes = littleEndian(content.count, size: 4) + littleEndian(content.count, size: 4)
        let common = littleEndian(0, size: 14) + sizes + littleEndian(name.utf8.count, size: 2) + [0, 0]
        directory += [0x50, 0x4b, 1, 2, 0, 0] + common + littleEndian(0, size: 10)
        directory += littleEndian(bytes.count, size: 4) + Array(name.utf8)
        bytes += [0x50, 0x4b, 3, 4] + common + Array(name.utf8) + content
    }
    return bytes + directory + [0x50, 0x4b, 5, 6, 0, 0, 0, 0] + littleEndian(entries.count, size: 2)
        + littleEndian(entries.count, size: 2) + littleEndian(directory.count, size: 4)
        + littleEndian(bytes.count, size: 4) + [0, 0]
}
