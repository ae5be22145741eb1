import Anneal
import Foundation
import Testing

/// Networks that no script of MXNet made: Gluon's exports, and ends other than a softmax.
@Suite struct ForeignNetworkTests {
    private static let shape = [1, 12, 12]
    private static let flags = ["--image-shape", "1,12,12", "--rgb-mean", "100", "--rgb-std", "60"]

    /// A network with one hidden layer, its values and some images; `end` computes its outputs from the scores of three
    /// classes.
    private func tool(_ input: String = "data0", _ end: (SymbolBuilder, Symbol) throws -> Symbol) throws -> Tool {
        let tool = try Tool(), net = SymbolBuilder()
        let hidden = try net.activation(
            net.fullyConnected(.variable(input), numHidden: 8, name: "dense0"), .relu, name: "relu0")
        let symbol = try end(net, net.fullyConnected(hidden, numHidden: 3, name: "dense1"))
        let executor = try Executor(symbol, inputs: [input: Shape([1] + Self.shape)], mode: .inference)
        try executor.parameters.initialize(Xavier(), symbol: symbol, seed: 1)
        var values: [String: Tensor] = [:]
        for name in executor.parameters.names { values[name] = try executor.parameters.tensor(name) }
        let arrays = try Checkpoint(symbol: symbol, arguments: values, auxiliary: [:]).storedArrays()
        try ParamsFile.write(arrays, to: tool.path("m-0000.params"))
        try Data(symbol.json().utf8).write(to: URL(fileURLWithPath: tool.path("m-symbol.json")))
        try tool.writeRecords("train", count: 60)
        try tool.writeFolder("images", count: 3, classes: ["a"])
        return tool
    }

    private func run(_ tool: Tool, _ arguments: [String], _ status: Int32 = 0) throws -> Tool.Result {
        let result = try tool.run(arguments + (arguments[0] == "export" ? Array(Self.flags.prefix(2)) : Self.flags))
        #expect(result.status == status, "\(arguments): \(result.errors)")
        return result
    }

    private func numbers(_ text: String, _ key: String) throws -> [Double] {
        let json = try JSONSerialization.jsonObject(with: Data(text.split(separator: "\n")[0].utf8)) as? [String: Any]
        return (json?["predictions"] as? [[String: Any]] ?? []).compactMap { $0[key] as? Double }
    }

    @Test(arguments: ["data0", "input"]) func gluonsDense(_ input: String) throws {
        let tool = try tool(input) { $1 }
        defer { tool.remove() }
        let table = try run(tool, ["predict", "--model", "m", "images"])
        #expect(table.output.contains("score  class") && !table.output.contains("probability"))
        #expect(table.errors.contains("dense1 (FullyConnected)"))
        let json = try run(tool, ["predict", "--model", "m", "--format", "json", "images"]).output
        #expect(try numbers(json, "score").count == 3 && numbers(json, "probability").isEmpty)
        let score = try run(tool, ["score", "--model", "m", "--data-val", "train.rec", "--output", "out"]).output
        #expect(score.contains("accuracy = ") && !score.contains("cross-entropy = ") && !score.contains("nan"))
        _ = try run(tool, ["export", "--model", "m", "--to", "l.onnx"])
        let exported = try run(tool, ["export", "--model", "m", "--to", "p.onnx", "--softmax"]).output
        #expect(exported.contains("softmax_output"))

        let training = ["--data-train", "train.rec", "--batch-size", "20", "--num-epochs", "1", "--model-prefix"]
        let trained = try run(
            tool, ["train", "--network", "m-symbol.json", "--run-folder", "r", "--lr", "0.1"] + training + ["t"])
        #expect(trained.errors.contains("SoftmaxOutput 'softmax' is added"))
        let after = try run(tool, ["predict", "--model", "t", "--load-epoch", "1", "--format", "json", "images"]).output
        #expect(try abs(numbers(after, "probability").reduce(0, +) - 1) < 1e-5)
        let flags = ["--model", "t", "--load-epoch", "1", "--data-val", "train.rec", "--output", "o"]
        #expect(try run(tool, ["score"] + flags).output.contains("cross-entropy = "))
        let tuning = ["fine-tune", "--pretrained-model", "m", "--num-classes", "3", "--run-folder", "f"]
        _ = try run(tool, tuning + training + ["f1"])
    }

    @Test func severalOutputsAndLabels() throws {
        let tool = try tool { net, scores in
            let boxes = try net.fullyConnected(scores, numHidden: 2, name: "box")
            return .group([boxes, try net.softmaxOutput(scores, label: .variable("target"), name: "out")])
        }
        defer { tool.remove() }
        let json = try run(tool, ["predict", "--model", "m", "--format", "json", "images"]).output
        #expect(try abs(numbers(json, "probability").reduce(0, +) - 1) < 1e-5)
        #expect(
            try run(tool, ["score", "--model", "m", "--data-val", "train.rec", "--output", "out"])
                .output.contains("cross-entropy = "))
    }

    @Test func svmTrainsWithoutCrossEntropy() throws {
        let tool = try tool { net, scores in try net.apply("SVMOutput", name: "svm", inputs: [scores]) }
        defer { tool.remove() }
        let flags = [
            "train", "--network", "m-symbol.json", "--data-train", "train.rec", "--batch-size", "20", "--num-epochs",
            "1", "--model-prefix", "t", "--run-folder", "r",
        ]
        let log = try run(tool, flags).errors
        #expect(log.contains("Train-accuracy=") && !log.contains("Train-cross-entropy"))
        #expect(try run(tool, ["predict", "--model", "m", "images"]).output.contains("score  class"))
        #expect(try run(tool, ["export", "--model", "m", "--softmax"], 1).errors.contains("svm (SVMOutput)"))
    }

    @Test func lossesAreRefusedByName() throws {
        let tool = try tool { net, scores in
            try net.apply("softmax_cross_entropy", name: "loss", inputs: [scores, .variable("label")])
        }
        defer { tool.remove() }
        for command in [
            ["predict", "--model", "m", "images"], ["score", "--model", "m", "--data-val", "train.rec"],
            ["train", "--network", "m-symbol.json", "--data-train", "train.rec", "--run-folder", "r"],
        ] { #expect(try run(tool, command, 1).errors.contains("loss (softmax_cross_entropy)")) }
    }

    @Test func groupAdaGradTrains() throws {
        let tool = try tool { net, scores in try net.softmaxOutput(scores, name: "softmax") }
        defer { tool.remove() }
        let flags = [
            "train", "--network", "m-symbol.json", "--data-train", "train.rec", "--batch-size", "20", "--num-epochs",
            "2", "--optimizer", "groupadagrad", "--model-prefix", "t", "--run-folder", "r",
        ]
        #expect(try run(tool, flags).errors.contains("Epoch[1] Train-accuracy="))
        #expect(try run(tool, flags.dropLast() + ["q", "--wd", "0.1"], 1).errors.contains("--wd 0"))
    }
}
