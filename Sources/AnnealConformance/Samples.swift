import Anneal
import Foundation

/// Writes one of every kind of file that Anneal writes, with a description of its contents, to check other readers:
/// `scripts/check-mxnet.py --samples FOLDER` has MXNet read them.
///
/// - `networks/NAME/`: each network as a checkpoint; `io.params` has an input, Anneal's output, and under the name of
///   its layer the input of the softmax, since a softmax may saturate. Those named `import-…` come from other
///   frameworks.
/// - `arrays.params` and `arrays.json`: arrays of every type that MXNet 1.9.1 can load (it has a number for int16, but
///   fails).
/// - `packed.rec` as `im2rec` packs files, `joined.rec` and `repaired.rec` as `rec cat` and `rec repair` write records, with
///   `.idx`, `.lst` and `.json` as below.
/// - `images.rec`, `.idx`, `.lst` and `images.json`: image records with one label and with several, and a record that holds
///   the magic number; payloads and pixels as SHA-256.
///
/// - Parameter imports: folders of `ImportedCase`s; one of the same name in several counts once.
public func writeSamples(to folder: String, imports: [String] = []) throws {
    try Files.makeFolder(folder)
    for sample in sampleNetworks { try write(sample, to: "\(folder)/networks/\(sample.name)") }
    for imported in imports.flatMap(ImportedCase.all(below:)) {
        try write(imported, to: "\(folder)/networks/import-\(imported.name.replacing("/", with: "-"))")
    }
    try writeArrays(folder)
    try writeRecords(folder)
    try writePackedRecords(folder)
}

private struct SampleNetwork {
    let name: String
    let network: String
    let layers: Int?
    let side: Int
    var channels = 3
    var batchNorm = false
}

/// Every network, at the smallest depth of each of its kinds.
private let sampleNetworks = [
    SampleNetwork(name: "airbench", network: "airbench", layers: nil, side: 32),
    SampleNetwork(name: "alexnet", network: "alexnet", layers: nil, side: 224),
    SampleNetwork(name: "densenet-121", network: "densenet", layers: 121, side: 64),
    SampleNetwork(name: "googlenet", network: "googlenet", layers: nil, side: 224),
    SampleNetwork(name: "inception-bn", network: "inception-bn", layers: nil, side: 224),
    SampleNetwork(name: "inception-bn-28", network: "inception-bn", layers: nil, side: 28),
    SampleNetwork(name: "inception-resnet-v2", network: "inception-resnet-v2", layers: nil, side: 299),
    SampleNetwork(name: "inception-v3", network: "inception-v3", layers: nil, side: 299),
    SampleNetwork(name: "inception-v4", network: "inception-v4", layers: nil, side: 299),
    SampleNetwork(name: "lenet", network: "lenet", layers: nil, side: 28, channels: 1),
    SampleNetwork(name: "mlp", network: "mlp", layers: nil, side: 28, channels: 1),
    SampleNetwork(name: "mobilenet", network: "mobilenet", layers: nil, side: 224),
    SampleNetwork(name: "mobilenetv2", network: "mobilenetv2", layers: nil, side: 96),
    SampleNetwork(name: "resnet-18", network: "resnet", layers: 18, side: 64),
    SampleNetwork(name: "resnet-50", network: "resnet", layers: 50, side: 64),
    SampleNetwork(name: "resnet-20-28", network: "resnet", layers: 20, side: 28),
    SampleNetwork(name: "resnet-164-28", network: "resnet", layers: 164, side: 28),
    SampleNetwork(name: "resnet-v1-18", network: "resnet-v1", layers: 18, side: 64),
    SampleNetwork(name: "resnetv1-50", network: "resnetv1", layers: 50, side: 64),
    SampleNetwork(name: "resnext-50", network: "resnext", layers: 50, side: 64),
    SampleNetwork(name: "resnext-101", network: "resnext", layers: 101, side: 64),
    SampleNetwork(name: "resnext-20-28", network: "resnext", layers: 20, side: 28),
    SampleNetwork(name: "resnext-164-28", network: "resnext", layers: 164, side: 28),
    SampleNetwork(name: "squeezenet", network: "squeezenet", layers: nil, side: 96),
    SampleNetwork(name: "squeezenet1.0", network: "squeezenet1.0", layers: nil, side: 96),
    SampleNetwork(name: "vgg-11", network: "vgg", layers: 11, side: 32),
    SampleNetwork(name: "vgg-16-bn", network: "vgg", layers: 16, side: 32, batchNorm: true),
]

private func write(_ sample: SampleNetwork, to folder: String) throws {
    try Files.makeFolder(folder)
    let image = [sample.channels, sample.side, sample.side]
    let options = NetworkOptions(
        numClasses: 10, imageShape: image, numLayers: sample.layers, batchNorm: sample.batchNorm)
    let symbol = try Networks.symbol(sample.network, options)
    let executor = try Executor(
        Symbol.group([symbol, symbol.endingInLogits()]), inputs: ["data": Shape([2] + image)], mode: .inference)
    let formula = Procedural(salt: sample.name, gammaRange: [0.5, 1.5], classes: 10)
    var arrays: [StoredArray] = []
    for name in executor.parameters.names {
        guard let shape = executor.parameters.shape(name) else { continue }
        let value = formula.tensor(name, shape)
        try executor.parameters.set(name, value)
        arrays.append(StoredArray(name: (executor.parameters.isAuxiliary(name) ? "aux:" : "arg:") + name, value))
    }
    try Files.writeAtomically(Data(try symbol.json().utf8), to: "\(folder)/net-symbol.json")
    try ParamsFile.write(arrays, to: "\(folder)/net-0000.params")
    try writeResults(symbol, executor, formula.tensor("data", Shape([2] + image)), to: folder)
}

/// As `anneal import` does.
private func write(_ imported: ImportedCase, to folder: String) throws {
    let content = try imported.content(), symbol = content.model.symbol
    try content.model.write(prefix: "\(folder)/net", preprocessing: nil)
    let executor = try Executor(
        Symbol.group([symbol, symbol.endingInLogits()]), inputs: ["data": content.input.shape], mode: .inference)
    try content.model.checkpoint().restore(executor.parameters, place: imported.path)
    try writeResults(symbol, executor, content.input, to: folder)
}

/// - Parameter executor: of the symbol and, as the second output, of what its softmax gets.
private func writeResults(_ symbol: Symbol, _ executor: Executor, _ data: Tensor, to folder: String) throws {
    try executor.setInput("data", data)
    try executor.forward()
    let results = try [
        StoredArray(name: "data", data), StoredArray(name: "infer:out0", executor.output()),
        StoredArray(name: "infer:\(symbol.endingInLogits().outputNames()[0])", executor.output(1)),
    ]
    try ParamsFile.write(results, to: "\(folder)/io.params")
}

private func writeArrays(_ folder: String) throws {
    let values = [0, 1, -2, 3.5, 100, -7]
    func bytes<T>(_ convert: (Double) -> T) -> Data {
        values.map(convert).withUnsafeBytes { Data($0) }
    }
    func whole<T: BinaryInteger>(_ value: Double) -> T { T(truncatingIfNeeded: Int(value)) }
    let types: [(StoredArray.DType, Data)] = [
        (.float32, bytes { Float($0) }), (.float64, bytes { $0 }), (.float16, bytes { halfBits($0) }),
        (.uint8, bytes { whole($0) as UInt8 }), (.int8, bytes { whole($0) as Int8 }),
        (.int32, bytes { whole($0) as Int32 }),
        (.int64, bytes { whole($0) as Int64 }), (.bool, bytes { $0 == 0 ? 0 as UInt8 : 1 }),
        (.bfloat16, bytes { UInt16(truncatingIfNeeded: Float($0).bitPattern >> 16) }),
    ]
    let arrays = types.map { StoredArray(name: "arg:\($0.0)", dtype: $0.0, shape: [2, 3], bytes: $0.1) }
    try ParamsFile.write(arrays, to: "\(folder)/arrays.params")
    let content = Dictionary(uniqueKeysWithValues: arrays.map { ($0.name, $0.tensor().elements.map { Double($0) }) })
    try writeJSON(["shape": [2, 3], "arrays": content], to: "\(folder)/arrays.json")
}

/// The bits of a float16, of values that it holds exactly and that are not tiny.
private func halfBits(_ value: Double) -> UInt16 {
    guard value != 0 else { return 0 }
    let sign: UInt16 = value < 0 ? 0x8000 : 0
    return sign | UInt16(value.exponent + 15) << 10 | UInt16((value.significand - 1) * 1024)
}

private func writeRecords(_ folder: String) throws {
    let writer = try RecordWriter("\(folder)/images.rec", index: "\(folder)/images.idx")
    var records: [[String: Any]] = []
    var list = ImageList([])
    for id in 0..<12 {
        var random = Random(seed: 1, purpose: .test, index: id)
        let channels = id % 3 == 2 ? 1 : 3, width = 20 + id, height = 16
        let image = Image(
            width: width, height: height, channels: channels,
            pixels: (0..<width * height * channels).map { _ in UInt8(random.below(256)) })
        let isPNG = id % 2 == 0
        let labels = id % 4 == 3 ? [Float(id), 0.5, -1] : [Float(id % 5)]
        let header =
            labels.count > 1 ? IRHeader(labels: labels, id: UInt64(id)) : IRHeader(label: labels[0], id: UInt64(id))
        let payload = header.packed(try image.encoded(as: isPNG ? .png(level: 6) : .jpeg(quality: 95)))
        try writer.write(payload, key: id)
        list.items.append(.init(id: id, labels: [Float(id % 5)], path: "class/\(id).png"))
        var record: [String: Any] = [
            "id": id, "labels": labels.map { Double($0) }, "payload": SHA256.digits(of: payload),
        ]
        // JPEG decoders may differ in a bit; PNG ones may not.
        if isPNG, channels == 3 { record["pixels"] = SHA256.digits(of: image.pixels) }
        records.append(record)
    }
    // The magic number at multiples of four splits a record into parts.
    let magic: [UInt8] = [0x0a, 0x23, 0xd7, 0xce]
    let payload = IRHeader(label: 3, id: 12).packed(magic + [1, 2, 3, 4] + magic + magic + [5])
    try writer.write(payload, key: 12)
    records.append(["id": 12, "labels": [3.0], "payload": SHA256.digits(of: payload)])
    try writer.finish()
    try list.write(to: "\(folder)/images.lst")
    try writeJSON(
        ["records": records, "list": list.items.map { [$0.id, Int($0.labels[0]), $0.path] as [Any] }],
        to: "\(folder)/images.json")
}

private func writeJSON(_ value: Any, to path: String) throws {
    try Files.writeAtomically(try JSONSerialization.data(withJSONObject: value, options: [.sortedKeys]), to: path)
}

/// Records by the commands that pack, join and repair.
private func writePackedRecords(_ folder: String) throws {
    let root = "\(folder)/files"
    for id in 0..<9 {
        var random = Random(seed: 2, purpose: .test, index: id)
        let image = Image(
            width: 24 + id, height: 20, channels: 3, pixels: (0..<(24 + id) * 60).map { _ in UInt8(random.below(256)) })
        let name = "\(root)/\(["b", "a", "c"][id % 3])"
        try Files.makeFolder(name)
        try Files.writeAtomically(Data(try image.encoded(as: .png(level: 3))), to: "\(name)/\(id).png")
    }
    let list = try ImageList.scan(root).list.shuffledAsIm2rec()
    var packer = RecordPacker()
    packer.resize = 16
    packer.encoding = .png(level: 9)
    _ = try packer.pack(list, root: root, to: "\(folder)/packed")
    try describe("packed", list, folder)

    let packed = try RecordFile("\(folder)/packed.rec")
    let arranging = RecordArranging([packed, packed])
    try arranging.write(arranging.all, to: "\(folder)/joined.rec", renumbers: true)
    try describe("joined", nil, folder)

    // One record is damaged, and the end is cut off.
    var bytes = [UInt8](try Files.read("\(folder)/packed.rec"))
    bytes[packed.entries[4].offset + 80] ^= 1
    bytes.removeLast(9)
    try Files.writeAtomically(Data(bytes), to: "\(folder)/damaged.rec")
    let found = try RecordVerification(
        RecordSalvage("\(folder)/damaged.rec", index: "\(folder)/packed.idx"), RecordVerification.Options())
    _ = try found.repair(to: "\(folder)/repaired.rec", quarantine: nil)
    try describe("repaired", nil, folder)
}

/// What is in the records, for another reader.
private func describe(_ name: String, _ list: ImageList?, _ folder: String) throws {
    let file = try RecordFile("\(folder)/\(name).rec", index: "\(folder)/\(name).idx")
    var records: [[String: Any]] = []
    var items: [ImageList.Item] = list?.items ?? []
    for number in 0..<file.count {
        let payload = try file.read(number)
        var start = 0
        let header = try IRHeader(payload, imageStart: &start)
        let image = try ImageDecoder().decode(payload, from: start)
        records.append([
            "id": file.entries[number].key, "labels": header.labels.map { Double($0) },
            "payload": SHA256.digits(of: payload), "pixels": SHA256.digits(of: image.pixels),
        ])
        if list == nil { items.append(.init(id: file.entries[number].key, labels: header.labels, path: "x")) }
    }
    try ImageList(items).write(to: "\(folder)/\(name).lst")
    try writeJSON(
        ["records": records, "list": items.map { [$0.id, Int($0.labels[0]), $0.path] as [Any] }],
        to: "\(folder)/\(name).json")
}
