import Anneal
import Foundation
import Testing

/// A checkpoint as MXNet's scripts write it with `--dtype float16`: weights in float16, and Cast nodes around the layers.
@Suite struct HalfCheckpointTests {
    /// A small network that was trained for an epoch: `m` in float32 and `half` in float16.
    private func tool() throws -> Tool {
        let tool = try Tool(), net = SymbolBuilder()
        try tool.writeRecords("train", count: 96)
        try tool.writeRecords("val", count: 48)
        let half = try net.flatten(net.cast(.variable("data"), to: .float16))
        let hidden = try net.activation(net.fullyConnected(half, numHidden: 16, name: "fc1"), .relu)
        let scores = try net.fullyConnected(hidden, numHidden: 3, name: "fc2")
        let symbol = try net.softmaxOutput(net.cast(scores, to: .float32), name: "softmax")
        for name in ["n", "half"] {
            try Data(symbol.json().utf8).write(to: URL(fileURLWithPath: tool.path("\(name)-symbol.json")))
        }
        let trained = try tool.run(
            ["train", "--network", "n-symbol.json", "--num-epochs", "1", "--lr", "0.02", "--model-prefix", "m"]
                + Self.images + ["--data-train", "train.rec"])
        #expect(trained.status == 0, "\(trained.errors)")
        let arrays = try ParamsFile.read(tool.path("m-0001.params")).map { array in
            let values = array.tensor().elements.map { Float16($0).bitPattern.littleEndian }
            return StoredArray(
                name: array.name, dtype: .float16, shape: array.shape, bytes: values.withUnsafeBytes { Data($0) })
        }
        try ParamsFile.write(arrays, to: tool.path("half-0001.params"))
        return tool
    }

    private static let images = [
        "--image-shape", "1,12,12", "--rgb-mean", "100", "--rgb-std", "60", "--batch-size", "32",
    ]

    private func crossEntropy(_ tool: Tool, _ model: String, _ more: [String] = []) throws -> Double {
        let result = try tool.run(
            ["score", "--model", model, "--load-epoch", "1", "--data-val", "val.rec"] + Self.images + more)
        #expect(result.status == 0, "\(result.errors)")
        let line = result.output.split(separator: "\n").first { $0.contains("cross-entropy = ") }
        return try #require(line?.split(separator: " ").last.flatMap { Double($0) })
    }

    @Test(arguments: [[], ["--devices", "xla-cpu", "--dtype", "float16"]])
    func isScoredTunedAndContinued(_ device: [String]) throws {
        guard device.isEmpty || (try? Device(named: "xla-cpu")) != nil else { return }
        let tool = try tool()
        defer { tool.remove() }
        // A precision of 11 bits instead of 24.
        let expected = try crossEntropy(tool, "m")
        #expect(expected < 1.1)
        #expect(abs(try crossEntropy(tool, "half", Array(device.prefix(2))) - expected) < 2e-3)

        let training = Self.images + ["--data-train", "train.rec", "--data-val", "val.rec", "--lr", "0.02"] + device
        let tuned = try tool.run(
            ["fine-tune", "--pretrained-model", "half", "--load-epoch", "1", "--num-classes", "3", "--num-epochs", "1"]
                + training + ["--model-prefix", "t"])
        #expect(tuned.status == 0, "\(tuned.errors)")
        let continued = try tool.run(
            ["train", "--network", "half-symbol.json", "--load-epoch", "1", "--num-epochs", "3"] + training
                + ["--model-prefix", "half"])
        #expect(continued.status == 0, "\(continued.errors)")
        for file in ["t-0001.params", "half-0003.params"] {
            #expect(try ParamsFile.read(tool.path(file)).allSatisfy { $0.dtype == .float32 })
        }
        #expect(try crossEntropy(tool, "half", ["--load-epoch", "3"]) < expected)
    }
}
