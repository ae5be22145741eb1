import Anneal
import Foundation
import Testing

/// Whether XLA's CPU plugin is available (`make plugin NAME=cpu`).
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

    /// Compiled programs are cached in the test's own folder.
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
        #expect(log.contains("Compiled the sum of 4 shards for") && log.contains("Compiled the update for"))
        // The memory of a step is known before the first one.
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
        // A model trained on accelerators can be scored on any processor. There are two checkpoints, the best and the
        // last.
        let score = try tool.run(["score", "--model", "killed", "--load-epoch", "last", "--data-val", "val.rec"])
        #expect(score.status == 0 && score.output.contains("32 images"), "\(score.errors)")
    }

    /// The state of a run after an epoch with one device, two, or four, of which the last is killed and resumed.
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

    /// The article's recipe on a small network, and fine-tuning from its result.
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
        // Files are those of a float32 network.
        let arrays = try ParamsFile.read(tool.path("moved/model-0001.params"))
        #expect(!arrays.isEmpty && arrays.allSatisfy { $0.dtype == .float32 })
        #expect(try !String(decoding: tool.bytes("moved/model-symbol.json"), as: UTF8.self).contains("Cast"))
        let rest = try tool.run(
            ["resume", "moved", "--devices", "cpu", "--dtype", "float32", "--num-epochs", "2"])
        #expect(rest.status == 0, "\(rest.errors)")
        #expect(rest.errors.contains("The run was saved on xla-cpu"))
    }

    /// All other commands that run networks, on two devices.
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

    /// Each process has its own devices, and exchanges through its host.
    @Test(.enabled(if: hasMPI, "no mpirun ('apt-get install openmpi-bin' installs it)"))
    func processesHaveTheSameBitsAsOne() throws {
        let tool = try tool()
        defer { tool.remove() }
        let common = """
            train --network resnet --num-layers 8 --image-shape 1,12,12 --num-classes 3 --data-train train.rec \
            --data-val val.rec --rgb-mean 100 --rgb-std 60 --random-mirror 1 --lr 0.05 --shards 4 \
            --global-batch-size 32 --num-epochs 1 --on-nan skip
            """
        func run(_ processes: Int, _ folder: String, _ more: String) throws -> String {
            let launcher = processes == 1 ? "" : JobTests.mpirun(processes),
                store = processes == 1 ? "" : JobTests.shared
            let result = try tool.shell(
                "export XDG_CACHE_HOME=$PWD/cache; \(launcher) $anneal \(common) \(store) --run-folder \(folder) \(more)"
            )
            #expect(result.status == 0, "\(result.output)")
            return result.output
        }
        func expectEqual(_ folder: String, _ other: String) throws {
            #expect(try tool.bytes("\(folder)/model-0001.params") == tool.bytes("\(other)/model-0001.params"))
            #expect(try tool.bytes("\(folder)/predictions.csv") == tool.bytes("\(other)/predictions.csv"))
        }
        _ = try run(1, "one", "--batch-size 32 --devices xla-cpu:0-1")
        // One device for each of two processes; three processes, one of which has two shards.
        let two = try run(2, "two", "--devices xla-cpu:0-1")
        #expect(two.contains("rank 0 on ") && two.contains(": xla-cpu:0; ") && two.contains(": xla-cpu:1"), "\(two)")
        try expectEqual("two", "one")
        _ = try run(3, "three", "--devices xla-cpu:0")
        try expectEqual("three", "one")

        // Blended images are floats, and gradients in float16 are scaled.
        let half = "--dtype float16 --mixup 0.2 --accumulate 2"
        _ = try run(1, "half", "--batch-size 32 --devices xla-cpu:0 \(half)")
        _ = try run(2, "halves", "--devices xla-cpu:0 \(half)")
        try expectEqual("halves", "half")
        _ = try run(2, "rounded", "--devices xla-cpu:0 --gc-type bfloat16")
        #expect(try tool.bytes("rounded/model-0001.params") != tool.bytes("one/model-0001.params"))
    }

    /// A process that is killed is named, whatever device it computes on.
    @Test(.enabled(if: hasMPI, "no mpirun ('apt-get install openmpi-bin' installs it)"))
    func aProcessThatHangsIsNamed() throws {
        let tool = try tool()
        defer { tool.remove() }
        let command = run(
            500, folder: "hung", ["--devices", "xla-cpu:0", "--kv-store", "dist_sync", "--rank-timeout", "3"])
        let result = try tool.shell(
            """
            export XDG_CACHE_HOME=$PWD/cache
            \(JobTests.mpirun(2)) $anneal \(command.joined(separator: " ")) &
            for i in $(seq 300); do [ -f hung/log-rank1.txt ] && break; sleep 0.1; done; sleep 2
            \(JobTests.processes)
            for p in $(processes); do rank $p 1 && kill -STOP $p; done
            wait $!; echo "status $?"
            """)
        #expect(
            result.output.contains("rank 1 on ") && result.output.contains("has not answered for 3 s"),
            "\(result.output)")
        #expect(result.output.contains("status 1"), "\(result.output)")
    }

    @Test(.enabled(if: hasMPI, "no mpirun ('apt-get install openmpi-bin' installs it)"))
    func devicesThatDoNotDivideAmongProcessesAreRefused() throws {
        let tool = try tool()
        defer { tool.remove() }
        for (devices, problem) in [
            ("xla-cpu:0-2", "do not divide among the 2 processes of this host"),
            ("xla-cpu:0-1 --exchange all-reduce", "is for the devices of one process"),
        ] {
            let command = run(1, folder: "refused", ["--kv-store", "dist_sync", "--devices"])
            let result = try tool.shell("\(JobTests.mpirun(2)) $anneal \(command.joined(separator: " ")) \(devices)")
            #expect(result.status != 0 && result.output.contains(problem), "\(result.output)")
        }
    }

    /// An interrupted and an uninterrupted run from the same state, bit for bit.
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

    @Test func devicesAreListedWithTheirPlugins() throws {
        let tool = try Tool()
        defer { tool.remove() }
        let there = try tool.run(["devices"])
        #expect(there.status == 0 && there.output.contains("cpu:0 ") && there.output.contains("xla-cpu:0 "))
        #expect(there.output.contains("xla-cpu:0: plugin /") && there.output.contains("(PJRT 0."))
        // A missing plugin is reported, and the rest is listed.
        let missing = try tool.run(["devices"], environment: ["ANNEAL_PJRT_PLUGIN": tool.path("none.so")])
        #expect(missing.status == 0 && missing.output.contains("cpu:0 "))
        #expect((missing.output + missing.errors).contains("none.so: there is no such file"))
    }

    @Test func whatCannotBeDoneIsSaidAtOnce() throws {
        let tool = try tool()
        defer { tool.remove() }
        for (more, problem) in [
            (["--devices", "xla-cpu:0-2"], "does not divide into 3 shards"),
            (["--devices", "xla-cpu:0-1", "--shards", "1"], "are fewer than the 2 devices"),
            (["--devices", "xla-cpu:0-1", "--shards", "3"], "use 30 or 33"),
            (
                ["--devices", "xla-cpu:0-2", "--shards", "4", "--exchange", "all-reduce"],
                "not a multiple of the 3 devices"
            ),
            (["--devices", "xla-cpu", "--gc-type", "2bit"], "2-bit compression is not available"),
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
