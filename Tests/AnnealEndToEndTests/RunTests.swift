import Anneal
import Foundation
import Testing

@Suite struct RunTests {
    /// The thread runtime prints its settings while it is loaded: once for the tool as the user started it, and once if
    /// it restarts itself.
    @Test func theToolStartsWithItsOwnSettings() throws {
        let tool = try Tool()
        defer { tool.remove() }
        func spins(_ environment: [String: String], _ arguments: [String] = ["recipes"]) throws -> [Substring] {
            let environment = environment.merging(["OMP_DISPLAY_ENV": "VERBOSE"]) { $1 }
            let result = try tool.run(arguments, environment: environment)
            #expect(result.status == 0, "\(result.errors)")
            return result.errors.split(separator: "\n").filter { $0.contains("GOMP_SPINCOUNT") }
        }
        let own = try spins([:])
        #expect(own.count == 2 && own.last?.contains("'1000'") == true, "\(own)")
        let tunables = ["GLIBC_TUNABLES": "glibc.malloc.tcache_count=3"]
        for (environment, starts) in [([:], 2), (tunables, 1)] {
            let users = try spins(environment.merging(["GOMP_SPINCOUNT": "77"]) { $1 })
            #expect(users.count == starts && users.last?.contains("'77'") == true, "\(users)")
            let policy = try spins(environment.merging(["OMP_WAIT_POLICY": "ACTIVE"]) { $1 })
            #expect(policy.count == starts && !policy.contains { $0.contains("'1000'") }, "\(policy)")
        }
        // Printing texts needs no threads, and should be fast.
        for arguments in [[], ["--help"], ["--version"], ["help", "train"], ["train", "--batch-size", "2", "-h"]] {
            #expect(try spins([:], arguments).count == 1, "\(arguments)")
        }
    }

    /// Cairo and the codecs of rare formats depend on many libraries: loading them would take time and memory at each
    /// start.
    @Test func rareLibrariesAreLoadedWhenTheyAreNeeded() throws {
        let tool = try Tool()
        defer { tool.remove() }
        let libraries = try tool.run(["--version"], environment: ["LD_TRACE_LOADED_OBJECTS": "1"]).output
        #expect(libraries.contains("libjpeg"))
        for name in ["libcairo", "libtiff", "libwebp", "libgif", "libX11"] {
            #expect(!libraries.contains(name), "\(libraries)")
        }
    }

    @Test func flagsWithoutEffectAreNamed() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 40)
        let flags = [
            "train", "--network", "mlp", "--image-shape", "1,12,12", "--num-classes", "3", "--data-train", "train.rec",
            "--batch-size", "20", "--num-epochs", "1",
        ]
        let idle = ["--lr-factor", "--lr-patience", "--lookahead-alpha", "--tta"]
        let result = try tool.run(
            flags + [
                "--lr-schedule", "cosine", "--lr-factor", "0.5", "--lr-patience", "3", "--lookahead-alpha", "cubic",
                "--tta", "mirror",
            ])
        #expect(result.status == 0, "\(result.errors)")
        for flag in idle { #expect(result.errors.contains("\(flag) has no effect here: it requires --"), "\(flag)") }
        let taken = try tool.run(flags + ["--lr-factor", "0.5", "--lookahead", "2", "--lookahead-alpha", "cubic"])
        #expect(taken.status == 0 && !taken.errors.contains("has no effect"), "\(taken.errors)")
    }

    @Test func trainsSavesResumesAndScores() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 150)
        try tool.writeRecords("val", count: 50)

        let whole = try tool.run(tool.training(4, prefix: "a/m", ["--run-folder", "run-a"]))
        #expect(whole.status == 0, "\(whole.errors)")
        #expect(whole.errors.contains("Epoch[3] Validation-accuracy="))
        for name in ["arguments.json", "log.txt", "metrics.csv", "metrics.jsonl", "curves.svg", "curves.png"] {
            #expect(try tool.bytes("run-a/\(name)").count > 0, "\(name)")
        }

        // The same seed gives the same bits, whatever the number of decoding threads.
        let again = try tool.run(tool.training(4, prefix: "b/m", ["--run-folder", "run-b", "--data-nthreads", "1"]))
        #expect(again.status == 0)
        #expect(try tool.bytes("a/m-0004.params") == tool.bytes("b/m-0004.params"))
        let other = try tool.run(tool.training(4, prefix: "c/m", ["--seed", "1"]))
        #expect(other.status == 0)
        #expect(try tool.bytes("a/m-0004.params") != tool.bytes("c/m-0004.params"))

        // A run that was stopped after two epochs and resumed: optimizer, schedule and data order are restored.
        #expect(try tool.run(tool.training(2, prefix: "d/m", ["--run-folder", "run-d"])).status == 0)
        let resumed = try tool.run(tool.training(4, prefix: "d/m", ["--load-epoch", "2", "--run-folder", "run-d"]))
        #expect(resumed.status == 0, "\(resumed.errors)")
        for file in ["params", "resume"] {
            #expect(try tool.bytes("a/m-0004.\(file)") == tool.bytes("d/m-0004.\(file)"), "\(file)")
        }
        #expect(try tool.bytes("run-a/metrics.csv").count > 0)

        let score = try tool.run([
            "score", "--model", "a/m", "--load-epoch", "4", "--data-val", "val.rec", "--batch-size", "16",
        ])
        #expect(score.status == 0, "\(score.errors)")
        #expect(score.output.contains("accuracy = ") && score.output.contains("50 images"))

        // Fine-tuning starts from the trained values: a frozen copy of them is in the first checkpoint's ancestry.
        let tuned = try tool.run([
            "fine-tune", "--pretrained-model", "a/m", "--load-epoch", "0004", "--num-classes", "2", "--image-shape",
            "1,12,12",
            "--data-train", "two.rec", "--num-epoch", "1", "--batch-size", "25", "--lr", "0", "--rgb-mean", "100",
            "--layer-before-fullc", "relu2", "--model-prefix", "t/m",
        ])
        #expect(tuned.status == 1)
        #expect(tuned.errors.contains("two.rec"))
        try tool.writeRecords("two", count: 50, labels: 2)
        let tuned2 = try tool.run([
            "fine-tune", "--pretrained-model", "a/m", "--load-epoch", "0004", "--num-classes", "2", "--image-shape",
            "1,12,12",
            "--data-train", "two.rec", "--num-epoch", "1", "--batch-size", "25", "--lr", "0", "--rgb-mean", "100",
            "--layer-before-fullc", "relu2", "--model-prefix", "t/m",
        ])
        #expect(tuned2.status == 0, "\(tuned2.errors)")
        let trained = try Checkpoint.load(prefix: tool.path("a/m"), epoch: 4)
        let kept = try Checkpoint.load(prefix: tool.path("t/m"), epoch: 1)
        #expect(kept.arguments["fc1_weight"] == trained.arguments["fc1_weight"])
        #expect(kept.arguments["fc_weight"]?.shape == [2, 64])
    }

    /// Killed at a random moment, a run continues from its last checkpoint and ends in the same bits.
    @Test func survivesKillAndInterrupt() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 640)
        try tool.writeRecords("val", count: 32)
        #expect(try tool.run(tool.training(6, prefix: "a/m")).status == 0)

        for signal in [SIGKILL, SIGINT] {
            let prefix = "k\(signal)/m"
            let (process, _, errors) = try tool.start(tool.training(60, prefix: prefix, ["--lr-step-epochs", "2,3"]))
            // Until the third checkpoint is there.
            let deadline = Date().addingTimeInterval(120)
            while !FileManager.default.fileExists(atPath: tool.path("\(prefix)-0003.params")), Date() < deadline {
                usleep(2000)
            }
            kill(process.processIdentifier, signal)
            let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationReason == (signal == SIGKILL ? .uncaughtSignal : .exit))
            if signal == SIGINT {
                #expect(process.terminationStatus == 130)
                #expect(text.contains("anneal resume runs/"))
            }
            // Every checkpoint that exists is complete.
            let resumed = try tool.run(tool.training(6, prefix: prefix, ["--load-epoch", "3"]))
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try tool.bytes("a/m-0006.params") == tool.bytes("\(prefix)-0006.params"), "signal \(signal)")
        }
    }
}
