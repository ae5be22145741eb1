import Anneal
import AnnealConfiguration
import Foundation
import Testing

/// Recipes, configuration files, and the configuration that a run writes.
@Suite struct ConfigurationTests {
    private func tool() throws -> Tool {
        let tool = try Tool()
        try tool.writeRecords("train", count: 90)
        try tool.writeRecords("val", count: 30)
        return tool
    }

    /// A small run's flags, except those of `file`.
    static func yaml(_ more: String = "") -> String {
        """
        command: train
        network: mlp
        image_shape: 1,12,12
        num-classes: 3
        data-train: train.rec
        data-val: val.rec
        rgb-mean: 100
        batch-size: 32
        num-epochs: 2
        lr: 0.05
        \(more)
        """
    }

    @Test func theFileOfARunStartsItAgain() throws {
        let tool = try tool()
        defer { tool.remove() }
        let flags = ["--lr-mult", "fc1=0.5", "--lr-mult", "fc2=2", "--recompute", "--seed", "5"]
        let typed = try tool.run(tool.training(2, prefix: "a/m", flags + ["--run-folder", "a"]))
        #expect(typed.status == 0, "\(typed.errors)")
        let again = try tool.run(["train", "--config", "a/config.yaml", "--run-folder", "b"])
        #expect(again.status == 0, "\(again.errors)")
        // It does not name the first run's folder, which is found all the same, below.
        #expect(try tool.bytes("a/m-0002.params") == tool.bytes("b/model-0002.params"))
        let (first, second) = try (
            RunRecord.read(tool.path("a/arguments.json")), RunRecord.read(tool.path("b/arguments.json"))
        )
        #expect(first.arguments["lr-mult"] == ["fc1=0.5", "fc2=2"])
        #expect(first.arguments["recompute"] == true && first.arguments["seed"] == 5)
        // The script's own defaults apply to flags that were not typed.
        #expect(first.arguments["wd"] == 0.0001 && first.arguments["mom"] == 0.9)
        for key in first.arguments.keys where !["model-prefix", "run-folder"].contains(key) {
            #expect(first.arguments[key] == second.arguments[key], "\(key)")
        }
        let resumed = try tool.run(["resume", "a", "--num-epochs", "3"])
        #expect(resumed.status == 0 && Files.exists(tool.path("a/m-0003.params")), "\(resumed.errors)")
    }

    @Test func aRateIsSoughtWithTheFlagsOfARun() throws {
        let tool = try tool()
        defer { tool.remove() }
        try Files.writeAtomically(Data(Self.yaml().utf8), to: tool.path("c.yaml"))
        let found = try tool.run(["find-lr", "--config", "c.yaml", "--steps", "20", "--run-folder", "f"])
        #expect(found.status == 0, "\(found.errors)")
        #expect(FileManager.default.fileExists(atPath: tool.path("f/find-lr.csv")))
    }

    /// An interrupted search, which would take hours, keeps what it has measured.
    @Test func aSignalEndsTheSearchWithItsCurve() throws {
        let tool = try tool()
        defer { tool.remove() }
        try Files.writeAtomically(Data(Self.yaml().utf8), to: tool.path("c.yaml"))
        let (process, output, errors) = try tool.start(
            ["find-lr", "--config", "c.yaml", "--steps", "1000000", "--run-folder", "f"])
        // The first line of progress.
        var text = String(decoding: errors.fileHandleForReading.availableData, as: UTF8.self)
        kill(process.processIdentifier, SIGINT)
        text += String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        _ = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 130, "\(text)")
        #expect(text.contains("of 1000000 updates"))
        for name in ["find-lr.csv", "find-lr.svg", "find-lr.png"] { #expect(Files.exists(tool.path("f/\(name)"))) }
    }

    /// oneDNN's products for AVX-512 keep the stack pointer in the heap, where a signal's handler would write its frame. It
    /// can fail only on processors that have AVX-512.
    @Test func signalsDoNotDisturbTheComputation() throws {
        let tool = try tool()
        defer { tool.remove() }
        try Files.writeAtomically(Data(Self.yaml().utf8), to: tool.path("c.yaml"))
        let search = ["find-lr", "--config", "c.yaml", "--steps", "10000", "--run-folder"]
        #expect(try tool.run(search + ["quiet"]).status == 0)
        let (process, output, errors) = try tool.start(search + ["disturbed"])
        let drained = DrainedPipe(errors)
        while process.isRunning {
            if catches(SIGUSR2, process) { kill(process.processIdentifier, SIGUSR2) }
            usleep(200)
        }
        _ = output.fileHandleForReading.readDataToEndOfFile()
        let text = String(decoding: drained.wait(), as: UTF8.self)
        #expect(process.terminationReason == .exit && process.terminationStatus == 0, "\(text.suffix(2000))")
        #expect(text.contains("SIGUSR2 is ignored"))
        #expect(try tool.bytes("disturbed/find-lr.csv") == tool.bytes("quiet/find-lr.csv"))
    }

    /// Whether a process has a handler for a signal.
    private func catches(_ signal: Int32, _ process: Process) -> Bool {
        // It may have ended.
        let status = (try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)) ?? ""
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("SigCgt:") }),
            let mask = UInt64(line.dropFirst("SigCgt:".count).trimmingCharacters(in: .whitespaces), radix: 16)
        else { return false }
        return mask >> (UInt64(signal) - 1) & 1 == 1
    }

    /// Three updates per epoch.
    @Test(arguments: [("50%", 6, "2.0"), ("1", 3, "1.0"), ("25%", 3, "1.0")])
    func aWarmUpIsInEpochsOrAShareOfTheRun(span: String, update: Int, epoch: String) throws {
        let tool = try tool()
        defer { tool.remove() }
        try Files.writeAtomically(Data(Self.yaml("lr-schedule: cosine").utf8), to: tool.path("c.yaml"))
        let run = try tool.run([
            "train", "--config", "c.yaml", "--num-epochs", "4", "--warmup-epochs", span, "--run-folder", "r",
        ])
        #expect(run.status == 0, "\(run.errors)")
        let log = String(decoding: try tool.bytes("r/log.txt"), as: UTF8.self)
        #expect(log.contains("at most 0.05 in update \(update) (epoch \(epoch))"), "\(log)")
        #expect(String(decoding: try tool.bytes("r/config.yaml"), as: UTF8.self).contains("warmup-epochs: \(span)"))
    }

    @Test func aWarmUpLeavesSomeEpochs() throws {
        let tool = try tool()
        defer { tool.remove() }
        try Files.writeAtomically(Data(Self.yaml("lr-schedule: cosine").utf8), to: tool.path("c.yaml"))
        let none = try tool.run(["train", "--config", "c.yaml", "--warmup-epochs", "100%", "--run-folder", "n"])
        #expect(none.status != 0 && none.errors.contains("covers all"), "\(none.errors)")
    }

    /// A run continues with the flags that it started with, whatever has happened to the file that they were in.
    @Test func resumingDoesNotReadTheFileAgain() throws {
        let tool = try tool()
        defer { tool.remove() }
        func write(_ text: String) throws { try Files.writeAtomically(Data(text.utf8), to: tool.path("c.yaml")) }
        try write(Self.yaml())
        #expect(try tool.run(["train", "--config", "c.yaml", "--run-folder", "whole"]).status == 0)
        #expect(try tool.run(["train", "--config", "c.yaml", "--num-epochs", "1", "--run-folder", "r"]).status == 0)
        try write(Self.yaml("wd: 0.5").replacingOccurrences(of: "lr: 0.05", with: "lr: 0.5"))
        let resumed = try tool.run(["resume", "r", "--num-epochs", "2"])
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(try tool.bytes("r/model-0002.params") == tool.bytes("whole/model-0002.params"))
    }

    /// The --load-epoch of fine-tune names the model that it starts from.
    @Test func theFileOfAFineTuneRunNamesItsModel() throws {
        let tool = try tool()
        defer { tool.remove() }
        #expect(try tool.run(tool.training(2, prefix: "a/m")).status == 0)
        let tuned = [
            "fine-tune", "--pretrained-model", "a/m", "--load-epoch", "2", "--num-classes", "3", "--image-shape",
            "1,12,12", "--data-train", "train.rec", "--num-epochs", "1", "--rgb-mean", "100", "--layer-before-fullc",
            "relu2",
        ]
        let typed = try tool.run(tuned + ["--run-folder", "t"])
        #expect(typed.status == 0, "\(typed.errors)")
        let again = try tool.run(["fine-tune", "--config", "t/config.yaml", "--run-folder", "u"])
        #expect(again.status == 0, "\(again.errors)")
        #expect(try tool.bytes("t/model-0001.params") == tool.bytes("u/model-0001.params"))
        // How the model's images were prepared, unless a flag overrides it.
        #expect(
            typed.errors.contains("model's record says: shape 1,12,12, not resized, mean 100.0, std 60.0\n"),
            "\(typed.errors)")
        let other = try tool.run(tuned + ["--rgb-std", "50", "--run-folder", "v"])
        #expect(other.errors.contains("mean 100.0; otherwise: std 50.0 (there std 60.0)"), "\(other.errors)")
    }

    @Test func typedFlagsWinOverTheFileAndTheFileOverTheRecipe() throws {
        let tool = try tool()
        defer { tool.remove() }
        let text = Self.yaml("recipe: mxnet-2017\nnum-layers:\nlr-step-epochs: '1'\nfreeze: [fc1]")
        try Files.writeAtomically(Data(text.utf8), to: tool.path("c.yaml"))
        let run = try tool.run(["train", "--config", "c.yaml", "--lr", "0.25", "--num-epoch=1", "--run-folder", "r"])
        #expect(run.status == 0, "\(run.errors)")
        let arguments = try RunRecord.read(tool.path("r/arguments.json")).arguments
        #expect(arguments["lr"] == 0.25 && arguments["num-epochs"] == 1)
        #expect(arguments["lr-step-epochs"] == "1" && arguments["network"] == "mlp" && arguments["freeze"] == ["fc1"])
        #expect(arguments["lr-factor"] == 0.9 && arguments["num-layers"] == nil)
        #expect(run.errors.contains("mxnet-2017"))
    }

    /// Flags that a recipe sets and a user reverts.
    @Test func whatARecipeSetsCanBeLeftOut() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 90)
        let text = Self.yaml("nesterov: true\nwhiten: conv0\nwarmup-epochs: 1\nlr-end: 0.001\nlr-schedule: cosine")
            .replacing("data-val: val.rec\n", with: "")
        try Files.writeAtomically(Data(text.utf8), to: tool.path("c.yaml"))
        let back = [
            "--no-nesterov", "--whiten", "", "--warmup-epochs", "0", "--lr-end", "0", "--lr-schedule", "steps",
            "--lr-step-epochs", "1",
        ]
        let run = try tool.run(["train", "--config", "c.yaml", "--num-epochs", "1", "--run-folder", "r"] + back)
        #expect(run.status == 0, "\(run.errors)")
        #expect(try RunRecord.read(tool.path("r/arguments.json")).arguments["nesterov"] == false)
        let kept = try tool.run(["train", "--config", "c.yaml", "--run-folder", "s"])
        #expect(kept.status == 64 && kept.errors.contains("--whiten ''"), "\(kept.errors)")
    }

    @Test func recipesSetFlagsThatExist() throws {
        let tool = try Tool()
        defer { tool.remove() }
        let help = Tool.answer(["train", "--help-all"]).output
        let recipes = try tool.run(["recipes"])
        #expect(recipes.status == 0)
        let flags = recipes.output.split(separator: "\n").filter { $0.hasPrefix("    --") }.map {
            String($0.split(separator: " ")[0])
        }
        #expect(flags.count > 30)
        for flag in flags { #expect(help.contains(flag + " ") || help.contains(flag + "/--no-"), "\(flag)") }
    }

    /// Comma-separated lists are joined, for flags that accept them; repeated flags accept lists of values.
    @Test func listsAreKeptWhole() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 90)
        let text = Self.yaml(
            """
            rgb-std: [60, 61.5, 62]
            lr-step-epochs: [1, 2]
            freeze: [fc1, 'fc9|fc2']
            lr-mult: fc3=2
            random_crop: true
            random-mirror: no
            recompute: on
            num-layers: null
            """
        ).replacing("data-val: val.rec\n", with: "")
        try Files.writeAtomically(Data(text.utf8), to: tool.path("c.yaml"))
        let run = try tool.run(["train", "--config", "c.yaml", "--num-epochs", "1", "--run-folder", "r"])
        #expect(run.status == 0, "\(run.errors)")
        let arguments = try RunRecord.read(tool.path("r/arguments.json")).arguments
        #expect(arguments["rgb-std"] == "60,61.5,62" && arguments["lr-step-epochs"] == "1,2")
        #expect(arguments["freeze"] == ["fc1", "fc9|fc2"] && arguments["lr-mult"] == ["fc3=2"])
        #expect(arguments["random-crop"] == 1 && arguments["random-mirror"] == 0 && arguments["recompute"] == true)
        #expect(arguments["num-layers"] == nil)
        let again = try tool.run(["train", "--config", "r/config.yaml", "--run-folder", "s"])
        #expect(again.status == 0, "\(again.errors)")
        let second = try RunRecord.read(tool.path("s/arguments.json")).arguments
        for (key, value) in arguments where !["config", "run-folder"].contains(key) {
            #expect(second[key] == value, "\(key)")
        }
    }

    @Test func otherEncodingsAreRefused() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try Files.writeAtomically(Data("class-names: caf".utf8) + [0xE9, 0x0A], to: tool.path("latin1.yaml"))
        let run = Tool.answer(["train", "--config", tool.path("latin1.yaml")])
        #expect(run.status == 64 && run.errors.contains("latin1.yaml: is not UTF-8"), "\(run.errors)")
    }

    /// A seed is a 64-bit integer.
    @Test(arguments: [UInt64.max, UInt64(Int64.max) + 1, UInt64(Int64.max)] as [UInt64]) func seedsAreRecordedExactly(
        _ seed: UInt64
    ) throws {
        let json = try JSONEncoder().encode(["seed": JSONValue(seed)])
        #expect(String(decoding: json, as: UTF8.self) == #"{"seed":\#(seed)}"#)
        let flags = try JSONDecoder().decode([String: JSONValue].self, from: json)
        #expect(flags == ["seed": JSONValue(seed)])
        #expect(try ConfigurationFile.text(command: "train", flags).contains("\nseed: \(seed)\n"))
    }

    @Test func theLargestSeed() throws {
        let seed = "\(UInt64.max)"
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 60)
        try tool.writeRecords("val", count: 20)
        let run = try tool.run(tool.training(1, prefix: "m", ["--seed", seed, "--run-folder", "a"]))
        #expect(run.status == 0, "\(run.errors)")
        for file in ["a/arguments.json", "a/config.yaml"] {
            #expect(String(decoding: try tool.bytes(file), as: UTF8.self).contains(seed), "\(file)")
        }
        let again = try tool.run(["train", "--config", "a/config.yaml", "--run-folder", "b"])
        #expect(again.status == 0, "\(again.errors)")
        #expect(try tool.bytes("m-0001.params") == tool.bytes("b/model-0001.params"))
        let resumed = try tool.run(["resume", "b", "--num-epochs", "2"])
        #expect(resumed.status == 0, "\(resumed.errors)")
    }

    @Test(arguments: [
        ("lr: [1,", "bad.yaml, line", "YAML"), ("- lr", "bad.yaml", "list of flags"),
        ("lrr: 1", "bad.yaml, line 1", "lrr is not a flag of anneal train (did you mean lr?)"),
        ("network: mlp\nepochs: 3", "bad.yaml, line 2", "did you mean num-epochs?"),
        ("lr: {a: 1}", "bad.yaml, line 1", "contains nested flags"),
        ("recompute: 3", "bad.yaml, line 1", "true or false"),
        ("command: fine-tune", "bad.yaml", "fine-tune"), ("recipe: none", "recipe", "not known"),
        ("config: b.yaml", "bad.yaml, line 1", "not a flag"),
        ("network: mlp\n\nlr: [0.1, 0.2]", "bad.yaml, line 3", "lr is a list"),
        ("freeze: [a, [b]]", "bad.yaml, line 1", "not a value"),
        ("lr-step-epochs: [1, null]", "bad.yaml, line 1", "not a value"),
        ("lr: 1\nlr: 2", "bad.yaml, line", "more than once"),
        ("image-shape: 1,28,28\nimage_shape: 1,12,12", "bad.yaml, line 2", "also in line 1"),
        ("lr: true", "bad.yaml, line 1: --lr true", "not a number"),
        ("batch-size: 1_000", "bad.yaml, line 1: --batch-size 1_000", "not a number"),
        ("lr-schedule: cosinus", "bad.yaml, line 1: --lr-schedule cosinus", "did you mean cosine?"),
        ("command:\nlr: a\n", "bad.yaml, line 2: --lr a", "not a number"),
        ("lr: 1\n---\nmom: 1", "bad.yaml, line 2", "YAML"),
        ("lr: |\n  1\n  2", "bad.yaml, line 1: --lr 1 2", "not a number"),
        ("profile-worker-suffix: w", "bad.yaml, line 1", "not supported"),
        ("lr: -1", "bad.yaml, line 1: --lr", "negative"),
    ]) func badFilesAreRefused(_ text: String, _ place: String, _ problem: String) throws {
        let tool = try Tool()
        defer { tool.remove() }
        try Files.writeAtomically(Data(text.utf8), to: tool.path("bad.yaml"))
        let run = Tool.answer(["train", "--config", tool.path("bad.yaml")])
        #expect(run.status == 64)
        #expect(run.errors.hasPrefix("anneal: error: ") && run.errors.contains(place), "\(run.errors)")
        #expect(run.errors.contains(problem), "\(run.errors)")
        #expect(run.errors.split(separator: "\n").count == 1)
    }
}
