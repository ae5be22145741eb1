import Anneal
import Foundation
import Testing

@Suite struct ExportTests {
    /// A small trained network with its record, as `m-0001`.
    private func trained() throws -> Tool {
        let tool = try Tool()
        try tool.writeRecords("train", count: 64)
        try tool.writeRecords("val", count: 32)
        #expect(try tool.run(tool.training(1, prefix: "m")).status == 0)
        return tool
    }

    /// The tool writes what the library returns with the record's numbers, mean 100 and std 60.
    @Test func exportsWithTheRecordsPreprocessing() throws {
        let tool = try trained()
        defer { tool.remove() }
        let stored = try Checkpoint.load(prefix: tool.path("m"), epoch: 1)
        var options = ONNXModel.Options()
        options.name = "m"
        func bytes(_ shape: Shape) throws -> Data {
            try ONNXModel(stored.symbol, parameters: stored.arguments, inputs: ["data": shape], options: options)
                .encoded()
        }
        let plain = try tool.run(["export", "--model", "m", "--load-epoch", "1"])
        #expect(plain.status == 0, "\(plain.errors)")
        #expect(plain.output.contains("m-0001.onnx") && plain.output.contains("data  float32 (N, 1, 12, 12)"))
        #expect(plain.output.contains("fc3_output  float32 (N, 3)"))
        #expect(try tool.bytes("m-0001.onnx") == bytes([1, 1, 12, 12]))

        let whole = try tool.run([
            "export", "--model", "m", "--load-epoch", "1", "--to", "out/whole.onnx", "--softmax", "--preprocessing",
            "--batch-size", "2",
        ])
        #expect(whole.status == 0, "\(whole.errors)")
        #expect(whole.output.contains("data  uint8 (2, 1, 12, 12)"))
        #expect(whole.output.contains("softmax_output  float32 (2, 3)"))
        options.ending = .probabilities
        options.anyBatchSize = false
        options.preprocessing = .init(mean: [100], std: [60])
        #expect(try tool.bytes("out/whole.onnx") == bytes([2, 1, 12, 12]))
    }

    @Test func exportErrors() throws {
        let tool = try trained()
        defer { tool.remove() }
        func fails(_ arguments: [String], _ status: Int32, _ names: String...) throws {
            let result = try tool.run(["export", "--load-epoch", "1"] + arguments)
            #expect(result.status == status, "\(arguments): \(result.errors)")
            for name in names { #expect(result.errors.contains(name), "\(name) in: \(result.errors)") }
        }
        try fails(["--model", "none"], 1, "none-0001.params")
        try fails(["--model", "m", "--batch-size", "0"], 64, "--batch-size")
        try fails(["--model", "m", "--image-shape", "12x12"], 64, "--image-shape")
        try fails(["--model", "m", "--image-shape", "1,14,14"], 1, "m-0001.params", "fc1_weight")
        try fails(["--model", "m", "--image-shape", "3,12,12", "--preprocessing"], 64, "--image-shape")
        try fails(["--model", "m", "--pixels", "uint8"], 64, "--preprocessing")
        try fails(["--model", "m", "--to", "."], 1, ".: ")
        try FileManager.default.removeItem(atPath: tool.path("m-preprocessing.json"))
        try fails(["--model", "m"], 64, "--image-shape", "m-preprocessing.json")
        try fails(["--model", "m", "--image-shape", "1,12,12", "--preprocessing"], 1, "m-preprocessing.json")
        try Data(try tool.bytes("m-0001.params").dropLast(50)).write(
            to: URL(fileURLWithPath: tool.path("m-0001.params")))
        try fails(["--model", "m", "--image-shape", "1,12,12"], 1, "m-0001.params", "byte")
        #expect(!Files.exists(tool.path("m-0001.onnx")))
    }

    @Test func convertsToPlainFloat32() throws {
        let tool = try trained()
        defer { tool.remove() }
        // As an older program might have left it: half precision, bare names, an unused array.
        let stored = try Checkpoint.load(prefix: tool.path("m"), epoch: 1)
        var arrays = try stored.storedArrays().map { array in
            let halves = array.tensor().elements.map { Float16($0) }
            return StoredArray(
                name: String(array.name.dropFirst(4)), dtype: .float16, shape: array.shape,
                bytes: halves.withUnsafeBytes { Data($0) })
        }
        arrays.append(StoredArray(name: "stray", Tensor([2])))
        try ParamsFile.write(arrays, to: tool.path("old-0003.params"))
        try tool.bytes("m-symbol.json").write(to: URL(fileURLWithPath: tool.path("old-symbol.json")))

        let result = try tool.run([
            "convert", "--model", "old", "--load-epoch", "3", "--to", "new/n", "--to-epoch", "0",
        ])
        #expect(result.status == 0, "\(result.errors)")
        for part in ["6 arrays from float16", "6 got their arg:", "1 (stray)", "symbol: as it was"] {
            #expect(result.output.contains(part), "\(part) in: \(result.output)")
        }
        let written = try ParamsFile.read(tool.path("new/n-0000.params"))
        #expect(written.map(\.dtype) == Array(repeating: .float32, count: 6))
        #expect(written.first?.name == "arg:fc1_weight")
        let weight = try Checkpoint.load(prefix: tool.path("new/n"), epoch: 0).arguments["fc1_weight"]
        #expect(weight?.elements == stored.arguments["fc1_weight"]?.elements.map { Float(Float16($0)) })
    }

    @Test func convertLeavesTheOptimizerUnlessAsked() throws {
        let tool = try trained()
        defer { tool.remove() }
        try Data("cat\ndog\nbird\n".utf8).write(to: URL(fileURLWithPath: tool.path("names.txt")))
        let result = try tool.run([
            "convert", "--model", "m", "--load-epoch", "1", "--to", "plain", "--class-names", "names.txt",
        ])
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.contains("left out") && result.output.contains("cat, dog, bird"))
        #expect(try tool.bytes("plain-0001.params") == tool.bytes("m-0001.params"))
        #expect(!Files.exists(tool.path("plain-0001.resume")))
        #expect(try Preprocessing.load(prefix: tool.path("plain"))?.classNames == ["cat", "dog", "bird"])
        #expect(try tool.run(["score", "--model", "plain", "--load-epoch", "1", "--data-val", "val.rec"]).status == 0)

        let kept = try tool.run(["convert", "--model", "m", "--load-epoch", "1", "--to", "kept", "--keep-optimizer"])
        #expect(kept.status == 0, "\(kept.errors)")
        #expect(try tool.bytes("kept-0001.resume") == tool.bytes("m-0001.resume"))
    }

    @Test func convertErrors() throws {
        let tool = try trained()
        defer { tool.remove() }
        let before = try tool.bytes("m-0001.params")
        func fails(_ arguments: [String], _ status: Int32, _ names: String...) throws {
            let result = try tool.run(["convert", "--model", "m"] + arguments)
            #expect(result.status == status, "\(arguments): \(result.errors)")
            for name in names { #expect(result.errors.contains(name), "\(name) in: \(result.errors)") }
        }
        try fails(["--load-epoch", "1", "--to", "m"], 64, "--to m")
        try fails(["--load-epoch", "1", "--to", "./m", "--to-epoch", "2"], 64, "--to ./m")
        try fails(["--load-epoch", "1", "--to", "out/"], 64, "--to out/")
        try fails(["--load-epoch", "9", "--to", "n"], 1, "m-0009.params", "there is only checkpoint 1")
        try Data("cat\ndog\n".utf8).write(to: URL(fileURLWithPath: tool.path("names.txt")))
        try fails(
            ["--load-epoch", "1", "--to", "n", "--class-names", "names.txt"], 1, "names.txt", "2 names", "3 classes")
        try fails(["--load-epoch", "1", "--to", "n", "--class-names", "none.txt"], 1, "none.txt")
        // Another checkpoint is already where the new one would go.
        try Data("{}".utf8).write(to: URL(fileURLWithPath: tool.path("n-symbol.json")))
        try fails(["--load-epoch", "1", "--to", "n"], 1, "n-symbol.json", "already")
        #expect(!Files.exists(tool.path("n-0001.params")))
        try ParamsFile.write([StoredArray(name: "arg:fc1_weight", Tensor([2, 2]))], to: tool.path("m-0002.params"))
        try fails(["--load-epoch", "2", "--to", "k"], 1, "m-0002.params", "fc1_bias")
        #expect(try tool.bytes("m-0001.params") == before)
    }

    /// A symbol of MXNet 0.8 is upgraded.
    @Test func convertUpgradesOldSymbols() throws {
        let tool = try Tool()
        defer { tool.remove() }
        let old = """
            {"nodes": [
              {"op": "null", "param": {}, "name": "data", "inputs": []},
              {"op": "null", "param": {}, "name": "bn_gamma", "inputs": []},
              {"op": "null", "param": {}, "name": "bn_beta", "inputs": []},
              {"op": "BatchNorm", "param": {"eps": "0.001"}, "name": "bn", "inputs": [[0, 0], [1, 0], [2, 0]]}
            ], "heads": [[3, 0]]}
            """
        try Data(old.utf8).write(to: URL(fileURLWithPath: tool.path("old-symbol.json")))
        let names = ["arg:bn_gamma", "arg:bn_beta", "aux:bn_moving_mean", "aux:bn_moving_var"]
        try ParamsFile.write(names.map { StoredArray(name: $0, Tensor([3])) }, to: tool.path("old-0000.params"))
        let result = try tool.run(["convert", "--model", "old", "--to", "new"])
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.contains("rewritten in the form of MXNet 1.9.1"))
        let text = String(decoding: try tool.bytes("new-symbol.json"), as: UTF8.self)
        #expect(text.contains("\"mxnet_version\": [\"int\", 10901]") && text.contains("bn_moving_var"))
    }
}
