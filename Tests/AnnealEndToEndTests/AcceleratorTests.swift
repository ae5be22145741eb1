import Anneal
import Foundation
import Testing

/// Whether XLA's CPU plugin is here (`make plugin NAME=cpu`).
private let hasVirtualDevices = (try? Device(named: "xla-cpu")) != nil

/// Runs on four virtual devices, as a user starts them.
@Suite(.enabled(if: hasVirtualDevices, "no plugin for xla-cpu ('make plugin NAME=cpu' installs it)"))
struct AcceleratorTests {
    private func tool() throws -> Tool {
        let tool = try Tool()
        try tool.writeRecords("train", count: 320)
        try tool.writeRecords("val", count: 32)
        return tool
    }

    private func run(_ epochs: Int, folder: String, _ more: [String]) -> [String] {
        [
            "train", "--network", "mlp", "--image-shape", "1,12,12", "--num-classes", "3", "--data-train", "train.rec",
            "--data-val", "val.rec", "--rgb-mean", "100", "--rgb-std", "60", "--random-mirror", "1", "--batch-size",
            "32",
            "--num-epochs", "\(epochs)", "--lr", "0.05", "--run-folder", folder,
        ] + more
    }

    /// Compiled programs are kept in the test's own folder.
    private func environment(_ tool: Tool) -> [String: String] { ["XDG_CACHE_HOME": tool.path("cache")] }

    @Test func aKilledRunOnFourDevicesEndsInTheSameBitsOnTwo() throws {
        let tool = try tool()
        defer { tool.remove() }
        let four = ["--devices", "xla-cpu:0-3"], environment = environment(tool)
        let whole = try tool.run(run(12, folder: "whole", four), environment: environment)
        #expect(whole.status == 0, "\(whole.errors)")
        #expect(whole.errors.contains("Compiling the training step for xla-cpu:0,1,2,3"))
        let log = try String(decoding: tool.bytes("whole/log.txt"), as: UTF8.self)
        #expect(log.contains("Compiled the training step for xla-cpu:0,1,2,3 in"))
        #expect(log.contains("Compiled the exchange and update for"))
        // What a step takes is known before the first one.
        #expect(log.contains(" planned, batch 32") && !log.contains(" 0 KB planned"))

        let command = run(12, folder: "killed", four + ["--save-steps", "1"])
        let (process, _, errors) = try tool.start(command, environment: environment)
        let deadline = Date().addingTimeInterval(60)
        while !Files.exists(tool.path("killed/model-latest.resume")), Date() < deadline { usleep(1000) }
        usleep(100_000)
        kill(process.processIdentifier, SIGKILL)
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(text.contains("Loaded the compiled training step"))
        let rest = try tool.run(
            ["resume", "killed", "--devices", "xla-cpu:0-1"], environment: environment)
        #expect(rest.status == 0, "\(rest.errors)")
        #expect(try tool.bytes("whole/model-0012.params") == tool.bytes("killed/model-0012.params"))
        // What accelerators trained is scored wherever there is a processor. Two checkpoints are there, the best and the last.
        let score = try tool.run(["score", "--model", "killed", "--load-epoch", "last", "--data-val", "val.rec"])
        #expect(score.status == 0 && score.output.contains("32 images"), "\(score.errors)")
    }

    /// What a run is after an epoch with one device, two, or four, of which the last is killed and resumed.
    /// - Parameter command: without devices and folder.
    private func expectEqualRuns(_ tool: Tool, _ name: String, _ command: [String]) throws {
        let environment = environment(tool), weights = "model-0003.params"
        func start(_ devices: String) -> [String] {
            command + ["--num-epochs", "3", "--shards", "4", "--devices", devices, "--run-folder", name + devices]
        }
        for devices in ["xla-cpu:0", "xla-cpu:0-1"] {
            let result = try tool.run(start(devices), environment: environment)
            #expect(result.status == 0, "\(result.errors)")
        }
        let four = "xla-cpu:0-3", folder = name + four
        let (process, _, errors) = try tool.start(start(four) + ["--save-steps", "1"], environment: environment)
        let deadline = Date().addingTimeInterval(60)
        while !Files.exists(tool.path("\(folder)/model-latest.resume")), Date() < deadline { usleep(1000) }
        kill(process.processIdentifier, SIGKILL)
        _ = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(!Files.exists(tool.path("\(folder)/\(weights)")))
        let rest = try tool.run(["resume", folder], environment: environment)
        #expect(rest.status == 0, "\(rest.errors)")
        let one = try tool.bytes("\(name)xla-cpu:0/\(weights)")
        #expect(try tool.bytes("\(name)xla-cpu:0-1/\(weights)") == one)
        #expect(try tool.bytes("\(folder)/\(weights)") == one)
    }

    private let small = [
        "--image-shape", "1,12,12", "--num-classes", "3", "--data-train", "train.rec", "--data-val", "val.rec",
        "--batch-size", "32",
    ]

    /// The article's recipe on a small network, and fine-tuning from what it gave.
    @Test func theArticlesRunsHaveTheSameBitsOnOneTwoAndFourDevices() throws {
        let tool = try tool()
        defer { tool.remove() }
        let recipe = ["train", "--recipe", "mxnet-2017", "--num-layers", "8", "--lr-step-epochs", "1,2"] + small
        try expectEqualRuns(tool, "scratch", recipe)
        let tuning = [
            "fine-tune", "--pretrained-model", "scratchxla-cpu:0", "--load-epoch", "3", "--lr", "0.05", "--lr-factor",
            "0.9", "--lr-step-epochs", "1,2",
        ]
        try expectEqualRuns(tool, "tuned", tuning + small)
    }

    @Test func theArticlesAdaDeltaHasTheSameBitsOnOneTwoAndFourDevices() throws {
        let tool = try tool()
        defer { tool.remove() }
        try expectEqualRuns(tool, "r", ["train", "--recipe", "mxnet-2017-adadelta", "--num-layers", "8"] + small)
    }

    @Test func aRunMovesToTheProcessor() throws {
        let tool = try tool()
        defer { tool.remove() }
        let first = try tool.run(
            run(1, folder: "moved", ["--gpus", "", "--devices", "xla-cpu", "--dtype", "float16"]),
            environment: environment(tool))
        #expect(first.status == 0, "\(first.errors)")
        // Files are those of a network in float32.
        let arrays = try ParamsFile.read(tool.path("moved/model-0001.params"))
        #expect(!arrays.isEmpty && arrays.allSatisfy { $0.dtype == .float32 })
        #expect(try !String(decoding: tool.bytes("moved/model-symbol.json"), as: UTF8.self).contains("Cast"))
        let rest = try tool.run(
            ["resume", "moved", "--devices", "cpu", "--dtype", "float32", "--num-epochs", "2"])
        #expect(rest.status == 0, "\(rest.errors)")
        #expect(rest.errors.contains("The run was saved on xla-cpu"))
    }

    /// Everything else that runs networks, on two devices.
    @Test func scoringPredictionAndSearchRunOnThemToo() throws {
        let tool = try tool()
        defer { tool.remove() }
        let two = ["--devices", "xla-cpu:0-1"], environment = environment(tool)
        let trained = try tool.run(
            run(1, folder: "trained", two + ["--tta", "mirror-shift", "--recompute"]), environment: environment)
        #expect(trained.status == 0 && trained.errors.contains("by 6 views of each image"), "\(trained.errors)")

        func numbers(_ devices: [String]) throws -> [Double] {
            let result = try tool.run(
                ["score", "--model", "trained", "--data-val", "val.rec", "--batch-size", "16"] + devices,
                environment: environment)
            #expect(result.status == 0, "\(result.errors)")
            let lines = result.output.split(separator: "\n").filter { $0.contains(" = ") }
            return lines.compactMap { Double($0.split(separator: " ").last ?? "") }
        }
        let there = try numbers(two), here = try numbers([])
        #expect(there.count == here.count && there.count >= 2)
        for (a, b) in zip(there, here) { #expect(abs(a - b) < 1e-4) }

        try tool.writeFolder("images", count: 6, classes: ["a"])
        func probabilities(_ devices: [String]) throws -> [Double] {
            let command = ["predict", "--model", "trained", "--format", "csv", "--batch-size", "4", "images"]
            let result = try tool.run(command + devices, environment: environment)
            #expect(result.status == 0, "\(result.errors)")
            return result.output.split(separator: "\n").compactMap { Double($0.split(separator: ",").last ?? "") }
        }
        let seen = try probabilities(two), expected = try probabilities([])
        #expect(seen.count == 6 * 3 && expected.count == seen.count)
        for (a, b) in zip(seen, expected) { #expect(abs(a - b) < 1e-4) }

        let search = try tool.run(
            ["find-lr", "--steps", "12"] + run(1, folder: "search", two).dropFirst(), environment: environment)
        #expect(search.status == 0, "\(search.errors)")
        let profile = try tool.run(["profile"] + ProfileTests.network + two, environment: environment)
        #expect(profile.status == 0 && profile.output.contains("A step took"), "\(profile.errors)")
        let bench = try tool.run(
            ["bench-step", "--inference", "--dtype", "bfloat16"] + ProfileTests.network + two, environment: environment)
        #expect(bench.status == 0 && bench.output.contains("\"median\""), "\(bench.errors)")
    }

    /// An interrupted run and an unbroken one, from one state and bit for bit.
    @Test func resumingIsVerified() throws {
        let tool = try tool()
        defer { tool.remove() }
        let environment = environment(tool)
        let first = try tool.run(run(1, folder: "r", ["--devices", "xla-cpu:0-1"]), environment: environment)
        #expect(first.status == 0, "\(first.errors)")
        // The last ones cross the end of an epoch of 10 steps.
        for steps in ["6", "13", "20"] {
            let verified = try tool.run(["verify-resume", "r", "--steps", steps], environment: environment)
            #expect(verified.status == 0 && verified.output.contains("Equal: "), "\(verified.errors)")
        }
    }

    @Test func programsThatAreDamagedOrOfOthersAreCompiledAgain() throws {
        let tool = try tool()
        defer { tool.remove() }
        func train(_ folder: String) throws -> String {
            let result = try tool.run(
                run(1, folder: folder, ["--devices", "xla-cpu"]), environment: environment(tool))
            #expect(result.status == 0, "\(result.errors)")
            return result.errors
        }
        _ = try train("a")
        let folder = tool.path("cache/anneal"), names = try Files.names(in: folder)
        #expect(names.count >= 2)
        for name in names {
            var program = try tool.bytes("cache/anneal/\(name)")
            program[program.count / 2] ^= 1
            try program.write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        let damaged = try train("b")
        #expect(damaged.contains("is damaged: it is compiled again"))
        #expect(damaged.contains("Compiled the training step") && !damaged.contains("Loaded"))
        for name in names { #expect(chmod("\(folder)/\(name)", 0o666) == 0) }
        let others = try train("c")
        #expect(others.contains("others may write it") && !others.contains("Loaded"))
        let weights = "model-0001.params"
        #expect(try tool.bytes("a/\(weights)") == tool.bytes("c/\(weights)"))
    }

    @Test func whatCannotBeDoneIsSaidAtOnce() throws {
        let tool = try tool()
        defer { tool.remove() }
        for (more, problem) in [
            (["--devices", "xla-cpu:0-2"], "does not divide into 3 shards"),
            (["--devices", "xla-cpu:0-1", "--shards", "3"], "no multiple of the 2 devices"),
            (["--devices", "cpu", "--dtype", "bfloat16"], "supports float32 only"),
            (["--devices", "xla-cpu", "--gpus", "0"], "say the same thing twice"),
            (["--devices", "xla-cpu", "--loss-scale", "128"], "goes with --dtype float16"),
            (["--devices", "xla-cpu", "--dtype", "float16", "--loss-scale", "100"], "a power of two"),
            (["--devices", "xla-cpu", "--tf32", "2"], "it is 0 or 1"),
        ] {
            let result = try tool.run(run(1, folder: "refused", more), environment: environment(tool))
            #expect(result.status != 0 && result.errors.contains(problem), "\(result.errors)")
        }
    }
}
