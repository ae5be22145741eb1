import AnnealCore
import AnnealGraph
import AnnealImport
import Foundation
import Testing

/// Readers of PyTorch's files, tested on bytes made by hand.
@Suite struct WeightsTests {
    private func failure(_ body: () throws -> Void) -> AnnealError? {
        do {
            try body()
            return nil
        } catch { return error as? AnnealError }
    }

    private func floats(_ values: [Float]) -> [UInt8] { values.withUnsafeBytes { [UInt8]($0) } }

    // MARK: safetensors

    private func safetensors(_ header: String, _ bytes: [UInt8], length: Int? = nil) -> Data {
        let text = Array(header.utf8)
        return Data(withUnsafeBytes(of: UInt64(length ?? text.count).littleEndian) { Array($0) } + text + bytes)
    }

    @Test func readsSafetensors() throws {
        let header = """
            {"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2],"data_offsets":[8,12]},\
            "a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}
            """
        let bytes = floats([1, -2]) + [0, 0x3c, 0, 0xc0]
        let file = try WeightsFile(safetensors: safetensors(header, bytes))
        #expect(file.arrays["a"]?.shape == [1, 2] && file.arrays["a"]?.floats == [1, -2])
        #expect(file.arrays["b"]?.floats == [1, -2])
    }

    @Test func refusesDamagedSafetensors() {
        func entry(_ begin: Int, _ end: Int, shape: String = "[2]") -> String {
            #"{"dtype":"F32","shape":\#(shape),"data_offsets":[\#(begin),\#(end)]}"#
        }
        let eight = [UInt8](repeating: 0, count: 8)
        let cases: [(String, Data)] = [
            ("short", Data([1, 2, 3])), ("length", safetensors("{}", [], length: 1 << 40)),
            ("json", safetensors("{\"a\":", eight)), ("outside", safetensors("{\"a\":\(entry(0, 16))}", eight)),
            ("backwards", safetensors("{\"a\":\(entry(8, 0))}", eight)),
            ("shape", safetensors("{\"a\":\(entry(0, 8, shape: "[3]"))}", eight)),
            ("huge", safetensors("{\"a\":\(entry(0, 8, shape: "[1000000000000,1000000000000]"))}", eight)),
            ("overlap", safetensors("{\"a\":\(entry(0, 8)),\"b\":\(entry(4, 12))}", eight + [0, 0, 0, 0])),
            ("hole", safetensors("{\"a\":\(entry(4, 12))}", eight + [0, 0, 0, 0])),
            ("rest", safetensors("{\"a\":\(entry(0, 8))}", eight + [0])),
        ]
        for (name, data) in cases {
            #expect(failure { _ = try WeightsFile(safetensors: data) }?.code == .damaged, "\(name)")
        }
    }

    // MARK: Pickles

    /// The five pickles of a file from before PyTorch 1.6, then its storages.
    private func legacy(_ value: [UInt8], keys: [UInt8] = [0x5d], storages: [UInt8] = []) -> Data {
        let proto: [UInt8] = [0x80, 2], stop = UInt8(ascii: ".")
        let number = proto + [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, stop]
        let version = proto + [UInt8(ascii: "M"), 0xe9, 3, stop]
        let system = proto + [UInt8(ascii: "}"), stop]
        return Data(number + version + system + proto + value + [stop] + proto + keys + [stop] + storages)
    }

    private func text(_ value: String) -> [UInt8] {
        [UInt8(ascii: "X"), UInt8(value.utf8.count), 0, 0, 0] + Array(value.utf8)
    }

    private func global(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }

    private func integer(_ value: UInt8) -> [UInt8] { [UInt8(ascii: "K"), value] }

    /// `_rebuild_tensor_v2` of a storage 'k' of four numbers.
    private func tensor(offset: UInt8, size: [UInt8], stride: [UInt8]) -> [UInt8] {
        let mark = UInt8(ascii: "("), tuple = UInt8(ascii: "t")
        let storage: [UInt8] =
            [mark] + text("storage") + global("torch", "FloatStorage") + text("k") + text("cpu") + integer(4)
            + [UInt8(ascii: "N"), tuple, UInt8(ascii: "Q")]
        return global("torch._utils", "_rebuild_tensor_v2") + [mark] + storage + integer(offset)
            + [mark] + size.flatMap(integer) + [tuple, mark] + stride.flatMap(integer) + [tuple]
            + [0x89] + global("collections", "OrderedDict") + [
                UInt8(ascii: ")"), UInt8(ascii: "R"), tuple, UInt8(ascii: "R"),
            ]
    }

    private func dictionary(_ name: String, _ value: [UInt8]) -> [UInt8] {
        [UInt8(ascii: "}")] + text(name) + value + [UInt8(ascii: "s")]
    }

    private var storage: [UInt8] {
        [4, 0, 0, 0, 0, 0, 0, 0] + floats([1, 2, 3, 4])
    }

    private var keys: [UInt8] { [UInt8(ascii: "]")] + text("k") + [UInt8(ascii: "a")] }

    @Test func readsViewsOfStorages() throws {
        func array(offset: UInt8, size: [UInt8], stride: [UInt8]) throws -> ModelArray? {
            let value = dictionary("module.w", tensor(offset: offset, size: size, stride: stride))
            return try WeightsFile(torch: legacy(value, keys: keys, storages: storage)).arrays["w"]
        }
        let plain = try array(offset: 0, size: [2, 2], stride: [2, 1])
        #expect(plain?.shape == [2, 2] && plain?.floats == [1, 2, 3, 4])
        let transposed = try array(offset: 0, size: [2, 2], stride: [1, 2])
        #expect(transposed?.floats == [1, 3, 2, 4])
        let part = try array(offset: 1, size: [2], stride: [2])
        #expect(part?.floats == [2, 4])
        for (offset, size, stride) in [(2, [2, 2], [2, 1]), (0, [5], [1]), (5, [1], [1]), (0, [2], [9])]
            as [(UInt8, [UInt8], [UInt8])]
        {
            let error = failure { _ = try array(offset: offset, size: size, stride: stride) }
            #expect(error?.code == .damaged, "\(offset) \(size) \(stride)")
        }
    }

    @Test func unwrapsWhatTrainingProgramsSave() throws {
        let weights = dictionary("w", tensor(offset: 0, size: [4], stride: [1]))
        let file = try WeightsFile(torch: legacy(dictionary("state_dict", weights), keys: keys, storages: storage))
        #expect(file.arrays["w"]?.floats == [1, 2, 3, 4])
        #expect(file.notes.contains { $0.contains("state_dict") })
    }

    /// Names that would run code are refused, whatever their arguments.
    @Test func runsNothing() {
        for (module, name) in [("os", "system"), ("builtins", "eval"), ("torchvision.models.resnet", "ResNet")] {
            let call =
                global(module, name) + [UInt8(ascii: "(")] + text("true") + [UInt8(ascii: "t"), UInt8(ascii: "R")]
            let error = failure { _ = try WeightsFile(torch: legacy(call)) }
            #expect(
                error?.code == .unsupported && error?.problem.contains("\(module).\(name)") == true,
                "\(String(describing: error))")
            #expect(error?.suggestion?.contains("state_dict") == true)
        }
    }

    @Test func refusesDamagedPickles() {
        let open = UInt8(ascii: "("),
            all: [(String, [UInt8])] = [
                ("empty stack", [UInt8(ascii: "a")]), ("no mark", [UInt8(ascii: "t")]),
                ("text", [UInt8(ascii: "X"), 255, 255, 255, 255]),
                ("memo", [UInt8(ascii: "h"), 9]), ("odd", [UInt8(ascii: "}"), open] + text("a") + [UInt8(ascii: "u")]),
                ("opcode", [UInt8(ascii: "i")]), ("number", integer(1)),
            ]
        for (name, bytes) in all {
            #expect(failure { _ = try WeightsFile(torch: legacy(bytes)) } != nil, "\(name)")
        }
        // A hundred thousand nested tuples, and a list that contains itself.
        let deep = integer(1) + [UInt8](repeating: 0x85, count: 100_000)
        #expect(failure { _ = try WeightsFile(torch: legacy(deep)) }?.code == .unsupported)
        let cycle: [UInt8] = [UInt8(ascii: "]"), UInt8(ascii: "q"), 0, UInt8(ascii: "h"), 0, UInt8(ascii: "a")]
        #expect(failure { _ = try WeightsFile(torch: legacy(cycle)) }?.code == .unsupported)
    }

    // MARK: Networks

    @Test func otherNamesAreRefusedWithTheFamily() {
        var file: WeightsFile?
        #expect(
            failure {
                file = try WeightsFile(
                    torch: legacy(
                        dictionary("features.0.weight", tensor(offset: 0, size: [4], stride: [1])), keys: keys,
                        storages: storage))
            } == nil)
        guard let file else { return }
        let error = failure { _ = try WeightsNetwork.model(file, path: nil, options: ImportOptions()) }
        #expect(error?.code == .unsupported && error?.suggestion?.contains("ResNet") == true)
        #expect(error?.problem.contains("features.0.weight") == true)
    }

    /// timm's record next to weights: means of 0.485 are 123.675 of 255; 224 / 0.95 = 235.8.
    @Test func readsTimmsConfiguration() throws {
        let folder = NSTemporaryDirectory() + "anneal-timm-" + UUID().uuidString
        try Files.makeFolder(folder)
        defer { Files.removeFolder(folder) }
        let text = """
            {"architecture": "resnext17_4x16d", "num_classes": 10, "label_names": ["n01", "n02"],
             "label_descriptions": {"n01": "cat"},
             "pretrained_cfg": {"input_size": [3, 224, 224], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
             "crop_pct": 0.95}}
            """
        try Files.writeAtomically(Data(text.utf8), to: folder + "/config.json")
        let weights = try WeightsFile(
            safetensors: Files.read("Tests/Fixtures/onnx/weights_resnext/model-f16.safetensors"))
        let model = try WeightsNetwork.model(weights, path: folder + "/model.safetensors", options: ImportOptions())
        #expect(model.imageShape == [3, 224, 224] && model.images.resize == 235)
        #expect(model.images.mean == [123.675, 116.28, 103.53])
        #expect(model.images.classNames == ["cat", "n02"])
    }

    // MARK: Properties that arrays do not show

    private static let tiny = "Tests/Fixtures/onnx/weights_resnext/model-f16.safetensors"

    /// The fixture's network (17 layers) as in files with this name and a config.json.
    private func imported(file: String = "model.safetensors", config: String? = nil, flag: String? = nil) throws
        -> ImportedModel
    {
        let folder = NSTemporaryDirectory() + "anneal-names-" + UUID().uuidString
        try Files.makeFolder(folder)
        defer { Files.removeFolder(folder) }
        if let config { try Files.writeAtomically(Data(config.utf8), to: folder + "/config.json") }
        return try WeightsNetwork.model(
            WeightsFile(safetensors: Files.read(Self.tiny)), path: folder + "/" + file,
            options: ImportOptions(imageShape: [3, 64, 64], architecture: flag))
    }

    private func operations(_ model: ImportedModel, _ name: String) -> Int {
        model.symbol.nodes.count { $0.operation == name }
    }

    /// timm's blurring networks have the same arrays as others: their names distinguish them.
    @Test func namesTellAntialiasing() throws {
        let plain = try imported(), stages = 3
        #expect(operations(plain, "Pad") == 0 && operations(plain, "Pooling") == 2)
        let models = [
            try imported(flag: "resnextblur17"), try imported(config: #"{"architecture": "resnextblur17"}"#),
            try imported(file: "resnextblur17-84f4748f.pth"),
            try imported(file: "resnextaa17.pth", flag: "resnextblur17_4x16d"),
        ]
        for blurred in models {
            // After the stem's pooling and the first layers of three stages; two means each.
            #expect(operations(blurred, "Pad") == 1 + stages && operations(blurred, "Pooling") == 2 + 2 * (1 + stages))
            let second = blurred.symbol.nodes.first { $0.name == "layer2_0_conv2" }
            #expect(second?.attributes["stride"] == "(1, 1)")
        }
        #expect(models[2].notes.contains { $0.contains("as the file's name says") })
        // In place of the stem's pooling, and after the first layers of three stages.
        let averaged = try imported(flag: "resnextaa17")
        #expect(operations(averaged, "Pad") == 0 && operations(averaged, "Pooling") == 2 + stages)
        #expect(averaged.symbol.nodes.contains { $0.name == "avgpool" })
    }

    @Test func contradictionsAreErrors() {
        func problem(_ file: String = "m.pth", _ config: String? = nil, flag: String? = nil) -> AnnealError? {
            failure { _ = try imported(file: file, config: config, flag: flag) }
        }
        let depth = problem(flag: "resnet50")
        #expect(depth?.code == .mismatch && depth?.problem.contains("17 layers") == true)
        #expect(problem(flag: "vit_base_patch16_224")?.code == .unsupported)
        #expect(problem("m.pth", #"{"architecture": "vit_base_patch16_224"}"#)?.place == "config.json")
        #expect(problem("resnextaa17.pth", #"{"architecture": "resnext17"}"#)?.code == .mismatch)
        let built = problem("m.pth", #"{"architecture": "resnext17", "model_args": {"act_layer": "silu"}}"#)
        #expect(built?.code == .unsupported && built?.problem.contains("act_layer") == true)
        #expect(problem("m.pth", #"{"architecture": "resnext17", "global_pool": "max"}"#)?.code == .unsupported)
        #expect(problem("m.pth", #"{"architecture": "resnext17", "global_pool": "avg"}"#) == nil)
    }

    /// The first stage has resnet18's arrays, the others are narrow.
    @Test func sharedArraysAreTold() throws {
        var file = try WeightsFile(safetensors: Files.read(Self.tiny))
        var shapes: [String: [Int]] = ["conv1": [64, 3, 7, 7], "fc": [2, 4]]
        var norms = ["bn1": 64]
        for (stage, width) in [64, 4, 4, 4].enumerated() {
            for unit in 0..<2 {
                let layer = "layer\(stage + 1).\(unit)", input = stage == 1 && unit == 0 ? 64 : width
                shapes["\(layer).conv1"] = [width, input, 3, 3]
                shapes["\(layer).conv2"] = [width, width, 3, 3]
                (norms["\(layer).bn1"], norms["\(layer).bn2"]) = (width, width)
                if stage > 0, unit == 0 {
                    shapes["\(layer).downsample.0"] = [width, input, 1, 1]
                    norms["\(layer).downsample.1"] = width
                }
            }
        }
        file.arrays = [:]
        func put(_ name: String, _ shape: [Int]) {
            file.arrays[name] = ModelArray(shape, Array(repeating: 1, count: shape.reduce(1, *)))
        }
        for (name, shape) in shapes { put("\(name).weight", shape) }
        for (name, width) in norms {
            for part in ["weight", "bias", "running_mean", "running_var"] { put("\(name).\(part)", [width]) }
        }
        put("fc.bias", [2])
        func notes(_ path: String, _ architecture: String? = nil) throws -> String {
            let options = ImportOptions(imageShape: [3, 64, 64], architecture: architecture)
            return try WeightsNetwork.model(file, path: path, options: options).notes.joined(separator: "\n")
        }
        #expect(try notes("weights.pth").contains("Taken as resnet18: resnetblur18 has the same arrays"))
        // A file can have any name; an explicit name counts.
        #expect(try notes("resnet18.pth").contains("--architecture resnetblur18"))
        #expect(try !notes("weights.pth", "resnet18").contains("Taken as"))
    }

    /// Strides are in the 3x3 convolution, not in the 1x1 before it as in MXNet's network with the same names.
    @Test func stridesAreWhereTorchHasThem() throws {
        let weights = try WeightsFile(torch: Files.read("Tests/Fixtures/onnx/weights_resnext/model.pth"))
        let model = try WeightsNetwork.model(weights, path: nil, options: ImportOptions(imageShape: [3, 64, 64]))
        func stride(_ name: String) -> String? {
            model.symbol.nodes.first { $0.name == name }?.attributes["stride"]
        }
        #expect(stride("layer2_0_conv1") == "(1, 1)" && stride("layer2_0_conv2") == "(2, 2)")
        #expect(model.symbol.nodes.first { $0.name == "layer2_0_conv2" }?.attributes["num_group"] == "4")
        #expect(model.images.mean == [123.675, 116.28, 103.53])
    }
}
