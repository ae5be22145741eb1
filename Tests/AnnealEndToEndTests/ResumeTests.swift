import Anneal
import Foundation
import Testing

/// Runs that are killed, stopped, damaged or shared.
@Suite struct ResumeTests {
    /// 20 updates per epoch.
    private func tool() throws -> Tool {
        let tool = try Tool()
        try tool.writeRecords("train", count: 640)
        try tool.writeRecords("val", count: 32)
        return tool
    }

    private func run(_ epochs: Int, folder: String, _ more: [String] = []) -> [String] {
        flags(epochs) + ["--run-folder", folder, "--disp-batches", "5"] + more
    }

    /// Those of `Tool.training` without a model prefix.
    private func flags(_ epochs: Int) -> [String] {
        [
            "train", "--network", "mlp", "--image-shape", "1,12,12", "--num-classes", "3", "--data-train", "train.rec",
            "--data-val", "val.rec", "--rgb-mean", "100", "--rgb-std", "60", "--pad-size", "1", "--random-crop", "1",
            "--random-mirror", "1", "--batch-size", "32", "--num-epochs", "\(epochs)", "--lr", "0.05",
            "--lr-step-epochs", "20,40", "--lr-factor", "0.5",
        ]
    }

    /// Lines of a log or a table that do not contain times.
    private func timeless(_ tool: Tool, _ folder: String) throws -> (
        log: [String], rows: [[Substring]], batches: [String]
    ) {
        func lines(_ name: String) throws -> [Substring] {
            String(decoding: try tool.bytes("\(folder)/\(name)"), as: UTF8.self).split(separator: "\n")
        }
        let log = try lines("log.txt").filter { $0.contains("Train-") || $0.contains("Validation-") }.map(String.init)
        let rows = try lines("metrics.csv").map {
            Array($0.split(separator: ",", omittingEmptySubsequences: false).prefix(6))
        }
        let batches = try lines("metrics.jsonl").filter { $0.contains("\"batch\",") }.map {
            String($0.prefix { $0 != "s" })
        }
        return (log, rows, batches)
    }

    /// Killed at random moments, also while it saves, which it does after every update.
    @Test func killedRunsEndInTheSameBits() throws {
        let tool = try tool()
        defer { tool.remove() }
        let whole = try tool.run(run(60, folder: "whole"))
        #expect(whole.status == 0, "\(whole.errors)")

        var kills = 0
        var command = run(60, folder: "killed", ["--save-steps", "1"])
        while kills < 30 {
            let (process, _, errors) = try tool.start(command)
            usleep(.random(in: 20_000...180_000))
            kill(process.processIdentifier, SIGKILL)
            let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            guard process.terminationReason == .uncaughtSignal else {
                Issue.record("ended by itself after \(kills) kills: \(text)")
                break
            }
            kills += 1
            if Files.exists(tool.path("killed/arguments.json")) {
                command = ["resume", "killed"]
            } else {
                try? FileManager.default.removeItem(atPath: tool.path("killed"))
            }
        }
        // On a busy machine all may have been killed before anything was written.
        let last = command.first == "resume" ? command : run(60, folder: "killed")
        let rest = try tool.run(last + ["--save-steps", "1000000"])
        #expect(rest.status == 0, "\(rest.errors)")
        for file in ["model-0060.params", "model-0060.resume", "model-latest.resume"] {
            #expect(
                try SHA256.digits(of: tool.bytes("whole/\(file)")) == SHA256.digits(of: tool.bytes("killed/\(file)")),
                "\(file)")
        }
        let expected = try timeless(tool, "whole"), found = try timeless(tool, "killed")
        #expect(found.log == expected.log)
        #expect(found.rows == expected.rows)
        #expect(found.batches == expected.batches)
        // No partial file stays, and no checkpoints except the best and the last.
        let files = try FileManager.default.contentsOfDirectory(atPath: tool.path("killed"))
        #expect(!files.contains { $0.hasSuffix(".tmp") })
        let kept = Checkpoint.numbers(prefix: tool.path("killed/model"))
        #expect(kept == Checkpoint.numbers(prefix: tool.path("whole/model")) && kept.count <= 2 && kept.last == 60)
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXCPU]) func aSignalSavesInsideAnEpoch(_ signal: Int32) throws
    {
        let tool = try tool()
        defer { tool.remove() }
        #expect(try tool.run(run(12, folder: "whole")).status == 0)
        let (process, _, errors) = try tool.start(run(12, folder: "cut", ["--save-period", "100"]))
        let deadline = Date().addingTimeInterval(60)
        while !Files.exists(tool.path("cut/metrics.csv")), Date() < deadline { usleep(1000) }
        kill(process.processIdentifier, SIGUSR2)
        kill(process.processIdentifier, signal)
        // A closing terminal sends it.
        if signal == SIGHUP { kill(process.processIdentifier, signal) }
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 128 + signal)
        #expect(text.contains("SIGUSR2 is ignored"))
        #expect(text.contains("to continue, run: anneal resume cut"))
        let resumed = try tool.run(["resume", "cut"])
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(resumed.errors.contains("Resumed from"))
        #expect(try tool.bytes("cut/model-0012.params") == tool.bytes("whole/model-0012.params"))
        let over = try tool.run(["resume", "cut"])
        #expect(over.status == 0 && over.errors.contains("--num-epochs above 12"), "\(over.errors)")
        #expect(try tool.run(["resume", "cut", "--num-epochs", "11"]).status == 64)
    }

    @Test func aDamagedStateIsRefused() throws {
        let tool = try tool()
        defer { tool.remove() }
        #expect(try tool.run(run(1, folder: "r")).status == 0)
        let whole = try tool.bytes("r/model-latest.resume")
        var flipped = whole
        flipped[whole.count / 2] ^= 1
        for data in [flipped, whole.prefix(whole.count / 2), Data()] {
            try Files.writeAtomically(data, to: tool.path("r/model-latest.resume"))
            let refused = try tool.run(["resume", "r", "--num-epochs", "2"])
            #expect(refused.status == 1)
            #expect(refused.errors.contains("model-latest.resume: "), "\(refused.errors)")
        }
    }

    /// Numbers have been added in another order since version 0.1, whose states do not record this.
    @Test func statesOfVersion01ContinueWithALine() throws {
        let tool = try tool()
        defer { tool.remove() }
        let line =
            "The run was saved by version 0.1, which added numbers in another order: the last bits differ from here on"
        #expect(try tool.run(run(1, folder: "r")).status == 0)
        let same = try tool.run(["resume", "r", "--num-epochs", "2"])
        #expect(same.status == 0 && !same.errors.contains("version 0.1"), "\(same.errors)")
        let path = tool.path("r/model-latest.resume")
        var arrays = try StateFile.read(path)
        let place = try #require(arrays.firstIndex { $0.name == "record" })
        var record = try #require(
            JSONSerialization.jsonObject(with: Data(arrays[place].bytes)) as? [String: Any])
        for key in ["gathered", "sums", "machine"] { record[key] = nil }
        let json = try JSONSerialization.data(withJSONObject: record)
        arrays[place] = StoredArray(name: "record", dtype: .uint8, shape: [json.count], bytes: json)
        try Files.writeAtomically(to: path) { write in
            try StateFile.encode(names: arrays.map(\.name), array: { arrays[$0] }, write)
        }
        let resumed = try tool.run(["resume", "r", "--num-epochs", "3"])
        #expect(resumed.status == 0 && resumed.errors.contains(line), "\(resumed.errors)")
        #expect(resumed.errors.contains("in the next update, update 41,"), "\(resumed.errors)")
        // What is saved from here on is of this version.
        let later = try tool.run(["resume", "r", "--num-epochs", "4"])
        #expect(later.status == 0 && !later.errors.contains("version 0.1"), "\(later.errors)")
    }

    @Test func wrongFoldersAndFlagsAreRefused() throws {
        let tool = try tool()
        defer { tool.remove() }
        #expect(try tool.run(["resume", "nowhere"]).errors.contains("nowhere: is not a folder"))
        try Files.makeFolder(tool.path("empty"))
        let empty = try tool.run(["resume", "empty"])
        #expect(empty.status == 1 && empty.errors.contains("arguments.json"))
        #expect(try tool.run(run(1, folder: "r")).status == 0)
        for flags in [["--seed", "3"], ["--model-prefix", "x"], ["--no-such-flag"], ["--batch-size", "x"]] {
            let wrong = try tool.run(["resume", "r"] + flags)
            #expect(wrong.status == 64, "\(flags) \(wrong.status) \(wrong.errors)")
        }
        let other = try tool.run(["resume", "r", "--num-epochs", "2", "--batch-size", "16"])
        #expect(other.status == 1 && other.errors.contains("resume with --batch-size 32"))
    }

    /// A folder in place of a file simulates a disk that is full or cannot be written.
    @Test func whatCannotBeSavedLeavesTheRestAsItWas() throws {
        let tool = try tool()
        defer { tool.remove() }
        #expect(try tool.run(run(2, folder: "r", ["--save", "all"])).status == 0)
        let before = try tool.bytes("r/model-0002.params")
        try Files.makeFolder(tool.path("r/model-0003.resume/full"))
        let stopped = try tool.run(["resume", "r", "--num-epochs", "4"])
        #expect(stopped.status == 1)
        #expect(stopped.errors.contains("model-0003.resume: cannot be replaced"), "\(stopped.errors)")
        #expect(stopped.errors.contains("--on-save-error warn"))
        #expect(try tool.bytes("r/model-0002.params") == before && !Files.exists(tool.path("r/model-0003.params")))
        let warned = try tool.run(["resume", "r", "--num-epochs", "4", "--on-save-error", "warn"])
        #expect(warned.status == 1 && warned.errors.contains("not saved, training continues"), "\(warned.errors)")
        #expect(warned.errors.contains("r/model-0003.params (checkpoint 3) (make room"), "\(warned.errors)")
        #expect(!warned.errors.contains("Finished"))
        // The state was saved even so: no epoch is trained twice.
        #expect(warned.errors.contains("Resumed at epoch 3 of 4"), "\(warned.errors)")
        #expect(Files.exists(tool.path("r/model-0004.params")))
    }

    @Test func whatIsNotFiniteStopsTheRun() throws {
        let tool = try tool()
        defer { tool.remove() }
        #expect(try tool.run(run(1, folder: "r", ["--save", "all"])).status == 0)
        let saved = try tool.bytes("r/model-0001.params"), state = try tool.bytes("r/model-0001.resume")
        let broken = ["resume", "r", "--num-epochs", "3", "--lr", "1e30", "--save-steps", "1"]
        let stopped = try tool.run(broken)
        #expect(stopped.status == 1)
        #expect(stopped.errors.contains("a NaN or an infinity"), "\(stopped.errors)")
        #expect(stopped.errors.contains("what was saved before is kept"))
        #expect(try tool.bytes("r/model-0001.params") == saved && tool.bytes("r/model-0001.resume") == state)
        #expect(!Files.exists(tool.path("r/model-0002.params")))
    }

    @Test func bestIsKeptAndRunsEndEarly() throws {
        let tool = try tool()
        defer { tool.remove() }
        // With a rate of zero nothing improves after the first epoch.
        let early = try tool.run(run(9, folder: "e", ["--lr", "0", "--early-stopping", "2", "--save", "best"]))
        #expect(early.status == 0, "\(early.errors)")
        #expect(early.errors.contains("Stopped early") && early.errors.contains("Best: checkpoint 1, "))
        #expect(!early.errors.contains("Epoch[3]"))
        let files = try FileManager.default.contentsOfDirectory(atPath: tool.path("e"))
        #expect(files.filter { $0.hasSuffix(".params") } == ["model-0001.params"])
        let over = try tool.run(["resume", "e"])
        #expect(over.status == 0 && over.errors.contains("--early-stopping above 2"))
        let blind = try tool.run(
            ["train", "--network", "mlp", "--image-shape", "1,12,12", "--data-train", "train.rec", "--save", "best"])
        #expect(blind.status == 64 && blind.errors.contains("--data-val"))
    }

    @Test func oneProcessHasARun() throws {
        let tool = try tool()
        defer { tool.remove() }
        let (process, _, errors) = try tool.start(run(100_000, folder: "r"))
        let deadline = Date().addingTimeInterval(60)
        while !Files.exists(tool.path("r/model-latest.resume")), Date() < deadline { usleep(1000) }
        let second = try tool.run(["resume", "r"])
        #expect(second.status == 1 && second.errors.contains("held by another process"), "\(second.errors)")
        kill(process.processIdentifier, SIGKILL)
        _ = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(try tool.run(["verify-resume", "r", "--steps", "4"]).status == 0)
    }

    @Test func hashesShowThatNothingIsLost() throws {
        let tool = try tool()
        defer { tool.remove() }
        #expect(try tool.run(run(1, folder: "r")).status == 0)
        let before = try tool.bytes("r/model-latest.resume")
        // Across the end of an epoch, of a run and of a command.
        let lookahead = run(2, folder: "x", ["--lookahead", "2", "--lookahead-alpha", "cubic"])
        let huge = run(2, folder: "x", ["--lr", "1e20", "--on-nan", "skip"])
        let dropped = try tool.run(["verify-resume"] + huge + ["--steps", "8"])
        #expect(dropped.status == 0, "\(dropped.errors)")
        for arguments in [
            ["r", "--steps", "30"], run(2, folder: "x") + ["--steps", "6"], lookahead + ["--steps", "7"],
        ] {
            let verified = try tool.run(["verify-resume"] + arguments)
            #expect(verified.status == 0, "\(verified.errors)")
            #expect(verified.output.contains("Equal: "))
        }
        #expect(try tool.bytes("r/model-latest.resume") == before)
        #expect(!Files.exists(tool.path("x")))
        #expect(try tool.run(["verify-resume", "r", "--steps", "1"]).status == 64)
    }
}
