import Anneal
import Foundation
import Testing

/// How a model's checkpoints are named on the command line, and how a run goes back to one.
@Suite struct CheckpointTests {
    /// A run with 20 updates per epoch in the folder `r`.
    private func tool(_ epochs: Int, _ more: [String] = []) throws -> Tool {
        let tool = try Tool()
        try tool.writeRecords("train", count: 640)
        try tool.writeRecords("val", count: 32)
        let result = try tool.run(train(epochs, "r", more))
        #expect(result.status == 0, "\(result.errors)")
        return tool
    }

    private func train(_ epochs: Int, _ folder: String, _ more: [String] = []) -> [String] {
        [
            "train", "--network", "mlp", "--image-shape", "1,12,12", "--num-classes", "3", "--data-train", "train.rec",
            "--data-val", "val.rec", "--rgb-mean", "100", "--rgb-std", "60", "--pad-size", "1", "--random-crop", "1",
            "--batch-size", "32", "--num-epochs", "\(epochs)", "--run-folder", folder,
        ] + more
    }

    private func bytes(_ tool: Tool, _ name: String) throws -> String { SHA256.digits(of: try tool.bytes(name)) }

    @Test func modelsAreFoundByFolderFileOrPrefix() throws {
        // Without a rate the first checkpoint is the best.
        let tool = try tool(3, ["--lr", "0"])
        defer { tool.remove() }
        let ways: [(String, CheckpointChoice?, Int)] = [
            ("r", .best, 1), ("r/", .number(3), 3), ("r/model", .last, 3), ("r/model-0001.params", nil, 1),
            ("r/model-symbol.json", .number(1), 1), ("r/model-0001.params", .number(1), 1),
        ]
        for (model, choice, number) in ways {
            let found = try SavedModel(tool.path(model), choice)
            #expect(found.number == number && Files.absolute(found.prefix) == tool.path("r/model"), "\(model)")
        }
        let scored = try tool.run([
            "score", "--data-val", "val.rec", "--output", "out", "--model", "r", "--load-epoch", "0001",
        ])
        #expect(scored.status == 0 && scored.output.contains("accuracy = "), "\(scored.errors)")
        #expect(String(decoding: try tool.bytes("out/score.json"), as: UTF8.self).contains("r/model-0001.params"))
        let wrong: [(String, CheckpointChoice?, String)] = [
            ("r", nil, "r/model: has the checkpoints 1, 3"), ("r/model", .number(2), "there are the checkpoints 1, 3"),
            ("r/model-0001.params", .number(3), "is checkpoint 1, not 3"), (".", nil, ".: holds no model"),
            ("none", nil, "none-NNNN.params: does not exist"),
            ("r/model.params", nil, "is not a checkpoint's file name"), ("q/model", .best, "did you mean "),
        ]
        for (model, choice, text) in wrong {
            let error = #expect(throws: AnnealError.self) { try SavedModel(tool.path(model), choice) }
            #expect(error?.description.contains(text) == true, "\(model) \(error?.description ?? "")")
        }
        // The other commands accept the same.
        try tool.writeFolder("images", count: 3, classes: ["a"])
        let tune = [
            "fine-tune", "--data-train", "train.rec", "--num-classes", "3", "--num-epochs", "1", "--batch-size", "32",
            "--run-folder", "tuned", "--pretrained-model", "r", "--load-epoch", "best",
            "--layer-before-fullc", "relu2",
        ]
        for arguments in [
            ["export", "--model", "r", "--load-epoch", "best", "--to", "r.onnx"],
            ["convert", "--model", "r/model-0003.params", "--to", "new"],
            ["summary", "--model", "r", "--load-epoch", "last"],
            ["plot-network", "--model", "r/model-0003.params", "--to", "n.dot"],
            ["bench-step", "--model", "r", "--load-epoch", "3", "--steps", "1", "--batch-size", "1"],
            ["predict", "--model", "new", "images"], tune,
        ] {
            let result = try tool.run(arguments)
            #expect(result.status == 0, "\(arguments) \(result.errors)")
        }
        #expect(String(decoding: try tool.bytes("tuned/config.yaml"), as: UTF8.self).contains("load-epoch: 1\n"))
        // By the record of the model, which the run's folder holds.
        #expect(try RunRecord.read(tool.path("tuned/arguments.json")).arguments["image-shape"] == "1,12,12")
        // By the record of a run whose model is elsewhere, from any folder.
        #expect(try tool.run(train(1, "s", ["--model-prefix", "away/m"])).status == 0)
        #expect(try SavedModel(tool.path("s")).prefix == tool.path("away/m"))
    }

    @Test func aLostStateIsNoNewBeginning() throws {
        let tool = try tool(2)
        defer { tool.remove() }
        let before = try bytes(tool, "r/model-0002.params")
        try FileManager.default.removeItem(atPath: tool.path("r/model-latest.resume"))
        let refused = try tool.run(["resume", "r", "--num-epochs", "4"])
        #expect(
            refused.status == 1 && refused.errors.contains("r/model-latest.resume: is not there"), "\(refused.errors)")
        #expect(refused.errors.contains("r --load-epoch 2)"))
        #expect(try bytes(tool, "r/model-0002.params") == before)
        let resumed = try tool.run(["resume", "r", "--num-epochs", "4", "--load-ep", "2"])
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(try tool.run(train(4, "whole")).status == 0)
        #expect(try bytes(tool, "r/model-0004.params") == bytes(tool, "whole/model-0004.params"))
        for name in try FileManager.default.contentsOfDirectory(atPath: tool.path("r")) where name.hasPrefix("model-0")
        {
            try FileManager.default.removeItem(atPath: tool.path("r/\(name)"))
        }
        try FileManager.default.removeItem(atPath: tool.path("r/model-latest.resume"))
        let gone = try tool.run(["resume", "r"])
        #expect(gone.status == 1 && gone.errors.contains("nor any checkpoint"), "\(gone.errors)")
    }

    /// Killed between its last save and its end, when results.json is written.
    @Test func aKilledRunIsBroughtToItsEnd() throws {
        let tool = try tool(2, ["--tta", "mirror"])
        defer { tool.remove() }
        func endings() throws -> Int {
            String(decoding: try tool.bytes("r/log.txt"), as: UTF8.self)
                .components(separatedBy: "Checkpoint 2 by 2 views").count - 1
        }
        let results = try bytes(tool, "r/results.json"), before = try bytes(tool, "r/model-0002.params")
        let over = try tool.run(["resume", "r"])
        #expect(over.status == 0 && over.errors.contains("--num-epochs above 2"), "\(over.errors)")
        #expect(try endings() == 1)
        try FileManager.default.removeItem(atPath: tool.path("r/results.json"))
        let ended = try tool.run(["resume", "r"])
        #expect(ended.status == 0 && ended.errors.contains("Best: checkpoint"), "\(ended.errors)")
        #expect(try endings() == 2)
        #expect(try bytes(tool, "r/results.json") == results && bytes(tool, "r/model-0002.params") == before)
    }

    @Test func aNewOptimizerKeepsTheBest() throws {
        // Without a rate the first checkpoint is the best.
        let tool = try tool(3, ["--lr", "0"])
        defer { tool.remove() }
        let results = try bytes(tool, "r/results.json"), back = ["resume", "r", "--load-epoch", "last"]
        let over = try tool.run(back + ["--reset-optimizer"])
        #expect(over.status == 0 && over.errors.contains("--num-epochs above 3"), "\(over.errors)")
        #expect(try bytes(tool, "r/results.json") == results)
        let more = try tool.run(back + ["--reset-optimizer", "--num-epochs", "4"])
        #expect(more.status == 0 && more.errors.contains("Best: checkpoint 1, "), "\(more.errors)")
        #expect(Checkpoint.numbers(prefix: tool.path("r/model")) == [1, 4])
        #expect(try SavedModel(tool.path("r"), .best).number == 1)
    }

    /// The message of a run that cannot resume where it was: old and new values, and a suggestion.
    @Test func otherSettingsAreNamed() throws {
        let tool = try tool(1)
        defer { tool.remove() }
        let others = [
            (["--optimizer", "adam"], "optimizer: was sgd, now it is adam (resume with --optimizer sgd, or "),
            (["--mom", "0"], "momentum: was above 0, now it is 0"),
            (["--ema-decay", "0.9"], "was none, now it is a moving average (--ema-decay)"),
            (["--batch-size", "16"], "batch size: was 32, now it is 16"),
        ]
        for (flags, text) in others {
            let refused = try tool.run(["resume", "r", "--num-epochs", "2"] + flags)
            #expect(
                refused.status == 1 && refused.errors.contains(text)
                    && refused.errors.contains("--load-epoch last --reset-optimizer"), "\(flags) \(refused.errors)")
        }
        let network = try tool.run(["resume", "r", "--num-epochs", "2", "--network", "resnet", "--num-layers", "8"])
        #expect(network.status == 1 && network.errors.contains("network: was a different one"), "\(network.errors)")
        let schedule = try tool.run(["resume", "r", "--num-epochs", "2", "--lr-schedule", "cosine"])
        #expect(schedule.status == 0, "\(schedule.errors)")
    }

    @Test func theOptimizerCanBeReset() throws {
        let tool = try tool(1, ["--save", "all"])
        defer { tool.remove() }
        let others = [
            ["--optimizer", "adam"], ["--batch-size", "16"], ["--freeze", "fc1.*"], ["--accumulate", "2"],
            ["--ema-decay", "0.9"], ["--wd-mult", "fc1=2"],
        ]
        let back = ["resume", "r", "--num-epochs", "2", "--load-epoch", "1"]
        for flags in others {
            let refused = try tool.run(back + flags)
            #expect(refused.status == 1 && refused.errors.contains("--reset-optimizer"), "\(flags) \(refused.errors)")
        }
        // All of them at once.
        let taken = try tool.run(back + others.flatMap { $0 } + ["--reset-optimizer"])
        #expect(taken.status == 0 && taken.errors.contains("with a new optimizer"), "\(taken.errors)")
        let own = train(2, "r", ["--load-epoch", "1", "--optimizer", "adam"])
        #expect(try tool.run(own).errors.contains("--optimizer sgd, or load only the weights with --reset-optimizer"))
        #expect(try tool.run(own + ["--reset-optimizer"]).status == 0)
        #expect(try tool.run(["resume", "r", "--reset-optimizer"]).status == 64)
        // A flag that resets nothing is not suggested if the weights do not match either.
        let other = try tool.run(train(2, "r", ["--load-epoch", "1", "--network", "resnet", "--num-layers", "8"]))
        #expect(other.status == 1 && !other.errors.contains("--reset-optimizer"), "\(other.errors)")
    }

    /// From a checkpoint without an optimizer's state, the rate's steps are counted from there, even after resuming.
    @Test func theScheduleSurvivesABeginningInTheMiddle() throws {
        let tool = try tool(1, ["--save", "all"])
        defer { tool.remove() }
        try FileManager.default.removeItem(atPath: tool.path("r/model-0001.resume"))
        for folder in ["a", "b"] {
            try Files.makeFolder(tool.path(folder))
            for name in ["model-symbol.json", "model-0001.params"] {
                try Files.writeAtomically(try tool.bytes("r/\(name)"), to: tool.path("\(folder)/\(name)"))
            }
        }
        let flags = ["--load-epoch", "1", "--lr-step-epochs", "3", "--lr", "0.03"]
        #expect(try tool.run(train(5, "a", flags)).status == 0)
        #expect(try tool.run(train(2, "b", flags)).status == 0)
        let resumed = try tool.run(["resume", "b", "--num-epochs", "5", "--threads", "1"])
        #expect(
            resumed.errors.contains(
                "Learning rate 0.03 in the next update, update 21, times 0.1 after epoch 3 (update 40)"))
        let rates = try ["a", "b"].map { folder in
            String(decoding: try tool.bytes("\(folder)/metrics.csv"), as: UTF8.self).split(separator: "\n").map {
                $0.split(separator: ",")[6]
            }
        }
        #expect(rates[0] == rates[1] && rates[0].count == 5)
        // No bit depends on the number of threads.
        #expect(!resumed.errors.contains("The run was saved "))
        #expect(try tool.bytes("a/model-0005.params") == tool.bytes("b/model-0005.params"))
    }

    @Test func weightsThatAreNotFiniteAreNamed() throws {
        let tool = try tool(1, ["--save", "all"])
        defer { tool.remove() }
        let saved = try SavedModel(tool.path("r"))
        var checkpoint = try saved.load()
        checkpoint.arguments["fc2_bias"]?.elements[0] = .nan
        try Files.writeAtomically(ParamsFile.encode(checkpoint.storedArrays()), to: saved.parametersPath)
        try Files.writeAtomically(Data(), to: tool.path("none.png"))
        let warned = "r/model-0001.params: fc2_bias holds a NaN or an infinity"
        for arguments in [
            ["score", "--model", "r", "--data-val", "val.rec"], ["predict", "--model", "r", "none.png"],
            ["export", "--model", "r", "--to", "r.onnx"], ["convert", "--model", "r", "--to", "c"],
        ] {
            let result = try tool.run(arguments)
            #expect(result.errors.contains("anneal: warning: \(warned)"), "\(arguments) \(result.errors)")
        }
        let tuned = try tool.run([
            "fine-tune", "--data-train", "train.rec", "--num-classes", "2", "--image-shape", "1,12,12",
            "--pretrained-model", "r", "--layer-before-fullc", "relu2",
        ])
        #expect(tuned.status == 1 && tuned.errors.contains("error: \(warned)"), "\(tuned.errors)")
    }

    private func stop(_ run: (process: Process, output: Pipe, errors: Pipe), when condition: () -> Bool) -> String {
        let deadline = Date().addingTimeInterval(60)
        while !condition(), Date() < deadline { usleep(1000) }
        kill(run.process.processIdentifier, SIGINT)
        let text = String(decoding: run.errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        run.process.waitUntilExit()
        return text
    }

    @Test func aDeletedRunFolderIsMadeAgain() throws {
        let tool = try tool(1)
        defer { tool.remove() }
        let running = try tool.start(train(1_000_000, "s", ["--disp-batches", "1000000"]))
        let deadline = Date().addingTimeInterval(60)
        while !Files.exists(tool.path("s/model-0001.params")), Date() < deadline { usleep(1000) }
        // All at once, not file by file.
        try FileManager.default.moveItem(atPath: tool.path("s"), toPath: tool.path("moved"))
        let text = stop(running) {
            Files.exists(tool.path("s/arguments.json")) && Files.exists(tool.path("s/model-latest.resume"))
        }
        #expect(running.process.terminationStatus == 130, "\(text)")
        #expect(
            text.contains("WARNING:root:s was deleted or moved: it is made again, without the checkpoints"), "\(text)")
        #expect(String(decoding: try tool.bytes("s/metrics.csv"), as: UTF8.self).contains("\n0,1,"))
        let scored = try tool.run(["score", "--model", "s", "--load-epoch", "last", "--data-val", "val.rec"])
        #expect(scored.status == 0, "\(scored.errors)")
    }

    @Test func aVerificationThatIsInterruptedLeavesNothing() throws {
        let tool = try tool(1)
        defer { tool.remove() }
        let temporary = tool.path("temporary")
        try Files.makeFolder(temporary)
        func left() -> [String] { (try? FileManager.default.contentsOfDirectory(atPath: temporary)) ?? [] }
        let running = try tool.start(
            ["verify-resume", "r", "--steps", "1000000"], environment: ["TMPDIR": temporary])
        let text = stop(running) { !left().isEmpty }
        #expect(running.process.terminationStatus == 130 && left().isEmpty, "\(text) \(left())")
    }

    /// A disk of 400 kB, with room for the parameters of one or two checkpoints.
    @Test(.enabled(if: geteuid() == 0)) func aFullDiskIsTold() throws {
        let tool = try Tool(), disk = tool.path("disk")
        defer { tool.remove() }
        try tool.writeRecords("train", count: 64)
        try Files.makeFolder(disk)
        guard mount("none", disk, "tmpfs", 0, "size=400k") == 0 else { return }
        defer { umount(disk) }
        let result = try tool.run(
            train(3, "disk/r", ["--save", "all", "--on-save-error", "warn"]).filter {
                $0 != "val.rec" && $0 != "--data-val"
            })
        #expect(result.status == 1 && result.errors.contains("disk/r/model: not saved: "), "\(result.errors)")
        #expect(
            result.errors.contains("No space left on device") && !result.errors.contains("Model:  "), "\(result.errors)"
        )
    }
}
