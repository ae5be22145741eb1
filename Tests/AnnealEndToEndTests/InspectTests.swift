import Anneal
import Foundation
import Testing

@Suite struct InspectTests {
    /// Fine-tuning with frozen layers changes only the others.
    @Test func fineTunesWithFrozenLayers() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 96)
        try tool.writeRecords("val", count: 32)
        let network = ["--network", "resnet", "--num-layers", "8", "--batch-size", "32"]
        let first = try tool.run(tool.training(1, prefix: "a/m", network))
        #expect(first.status == 0, "\(first.errors)")
        let arguments = [
            "fine-tune", "--pretrained-model", "a/m", "--load-epoch", "1", "--num-classes", "3", "--image-shape",
            "1,12,12", "--data-train", "train.rec", "--num-epochs", "2", "--batch-size", "32", "--wd", "0.01",
            "--model-prefix", "t/m", "--freeze", "conv0|bn_data|stage1", "--freeze", "stage2.*", "--lr-mult", "fc=10",
            "--run-folder", "tuned",
        ]
        let tuned = try tool.run(arguments)
        #expect(tuned.status == 0, "\(tuned.errors)")
        #expect(tuned.errors.contains("Frozen: "))
        let before = try Checkpoint.load(prefix: tool.path("a/m"), epoch: 1)
        let after = try Checkpoint.load(prefix: tool.path("t/m"), epoch: 2)
        func isFrozen(_ name: String) -> Bool {
            ["conv0", "bn_data", "stage1", "stage2"].contains { name.hasPrefix($0) }
        }
        for (name, value) in before.arguments where !name.hasPrefix("fc") {
            #expect((after.arguments[name] == value) == isFrozen(name), "\(name)")
        }
        for (name, value) in before.auxiliary {
            #expect((after.auxiliary[name] == value) == isFrozen(name), "\(name)")
        }
        let record = String(decoding: try tool.bytes("tuned/arguments.json"), as: UTF8.self)
        #expect(record.contains("stage2.*") && record.contains("fc=10"))

        // Half of it, continued by train: the same bits, and only with the same flags.
        let half = try tool.run(
            arguments.map { $0 == "t/m" ? "h/m" : $0 == "tuned" ? "half" : $0 } + ["--num-epochs", "1"])
        #expect(half.status == 0, "\(half.errors)")
        let rest = [
            "train", "--network", "h/m-symbol.json", "--model-prefix", "h/m", "--load-epoch", "1", "--run-folder",
            "half",
            "--num-classes", "3", "--image-shape", "1,12,12", "--data-train", "train.rec", "--num-epochs", "2",
            "--batch-size", "32", "--wd", "0.01", "--lr", "0.01", "--lr-step-epochs", "20", "--mom", "0", "--pad-size",
            "0", "--lr-mult", "fc=10", "--rgb-mean", "100", "--rgb-std", "60",
        ]
        let refused = try tool.run(rest)
        #expect(refused.status == 1 && refused.errors.contains("the same --freeze"), "\(refused.errors)")
        let resumed = try tool.run(rest + ["--freeze", "conv0|bn_data|stage1|stage2"])
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(try tool.bytes("h/m-0002.params") == tool.bytes("t/m-0002.params"))

        // A different image shape: this network pools globally.
        let other = arguments.map { $0 == "1,12,12" ? "1,16,16" : $0 == "t/m" ? "u/m" : $0 == "tuned" ? "u" : $0 }
        let wider = try tool.run(other)
        #expect(wider.status == 0, "\(wider.errors)")
        // Patterns must match something other than the new head, which would stay random.
        let nothing = try tool.run(arguments.map { $0 == "stage2.*" ? "fc_weight" : $0 == "tuned" ? "v" : $0 })
        #expect(nothing.status == 64)
        #expect(nothing.errors.contains("--freeze 'fc_weight'"))
    }

    @Test func aLayerThatDependsOnTheImage() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 64)
        try tool.writeRecords("val", count: 32)
        #expect(try tool.run(tool.training(1, prefix: "a/m")).status == 0)
        let tuned = try tool.run([
            "fine-tune", "--pretrained-model", "a/m", "--load-epoch", "1", "--num-classes", "3", "--image-shape",
            "1,16,16", "--data-train", "train.rec", "--layer-before-fullc", "relu1",
        ])
        #expect(tuned.status == 1)
        for part in ["fc1_weight", "1,12,12", "--layer-before-fullc"] {
            #expect(tuned.errors.contains(part), "\(tuned.errors)")
        }
    }

    /// Of lenet's weights, fc1's 400,000 and conv2's 25,000 are large enough for separate updates.
    @Test func planTellsWhatWaitingUpdatesCost() throws {
        let tool = try Tool()
        defer { tool.remove() }
        /// The plan, and the first number of the line that begins with the text.
        func plan(_ flags: [String], _ line: String) throws -> (text: String, number: Int) {
            let plan = try tool.run(
                ["summary", "--plan", "--network", "lenet", "--num-classes", "10", "--batch-size", "1"] + flags)
            #expect(plan.status == 0, "\(plan.errors)")
            let text = plan.output
            let rest = try #require(text.range(of: line), "\(text)").upperBound
            return (text, Int(text[rest...].prefix { $0 != " " }.filter { $0 != "," }) ?? -1)
        }
        let early = try plan([], "Arena: "), limited = try plan(["--clip-norm", "1"], "Arena: ")
        let cost = try plan(
            ["--clip-norm", "1"], "Updates: all wait for the last gradient (--clip-norm), which costs ")
        #expect(cost.number > 0 && cost.number == limited.number - early.number)
        let saved = try plan([], "Updates: 2 of 8 parameters within the backward pass, which saves ")
        // Apart from the number that gradients are multiplied by.
        #expect(abs(saved.number - cost.number) <= 128, "\(saved.number), \(cost.number)")
        // Sums of one batch and of two, with the layouts' padding.
        let sums = try plan(
            ["--clip-norm", "1", "--on-nan", "skip", "--accumulate", "4"], "Sums of gradients for --accumulate 4: ")
        let floats = 2 * 431_080
        #expect(sums.number >= 4 * floats && sums.number < 5 * floats)
        #expect(sums.text.contains("(--clip-norm, --on-nan skip), which costs"))
        #expect(try tool.run(["summary", "--network", "lenet", "--accumulate", "0"]).status == 64)
    }

    @Test func summaryAndPlot() throws {
        let tool = try Tool()
        defer { tool.remove() }
        let lenet = ["--network", "lenet", "--num-classes", "10"]
        let table = try tool.run(["summary"] + lenet)
        #expect(table.status == 0, "\(table.errors)")
        for part in ["Convolution 5x5/1, 20", "20x24x24", "431,080", "2.29 M for each image", "Training:"] {
            #expect(table.output.contains(part), "\(part)")
        }
        let json = try tool.run(["summary", "--format", "json"] + lenet)
        let lines = json.output.split(separator: "\n")
        let last = Data(try #require(lines.last).utf8)
        let total = try #require(try JSONSerialization.jsonObject(with: last) as? [String: Any])
        #expect(total["parameters"] as? Int == 431_080)
        #expect(lines.count == (total["layers"] as? Int ?? 0) + 1)
        let plan = try tool.run(["summary", "--plan", "--batch-size", "8"] + lenet)
        #expect(plan.output.contains("-- backward and update --") && plan.output.contains("Reorders inside a step: "))

        let plot = try tool.run(["plot-network", "--to", "net.png"] + lenet)
        #expect(plot.status == 0 && plot.output == "net.png\n", "\(plot.errors)")
        #expect(try tool.bytes("net.png").starts(with: [0x89, 0x50]))
        #expect(try tool.run(["plot-network"] + lenet).output == "lenet.svg\n")
        // Small images have ten classes, as in MXNet's train_mnist.py and train_cifar10.py.
        for (shape, classes) in [("1,28,28", 10), ("3,32,32", 10), ("3,64,64", 1000)] {
            let dot = ["plot-network", "--network", "mlp", "--image-shape", shape, "--to", "mlp.dot"]
            #expect(try tool.run(dot).status == 0)
            #expect(String(decoding: try tool.bytes("mlp.dot"), as: UTF8.self).contains("FullyConnected \(classes)\\n"))
        }

        for (arguments, status, words) in [
            (["summary"], 64, "--network"), (["summary", "--symbol", "none.json"], 1, "none.json"),
            (["summary", "--network", "resnet"], 64, "--num-layers"),
            (["summary", "--model", "none"], 1, "none-symbol.json"),
            (["summary"] + lenet + ["--batch-size", "0"], 64, "--batch-size"),
            (["plot-network"] + lenet + ["--to", "net.gif"], 64, "net.gif"),
            (["plot-curves", "none"], 1, "none/metrics.jsonl"),
        ] as [([String], Int32, String)] {
            let wrong = try tool.run(arguments)
            #expect(wrong.status == status, "\(arguments) \(wrong.errors)")
            #expect(wrong.errors.contains(words), "\(wrong.errors)")
        }
    }
}
