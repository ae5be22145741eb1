import Anneal
import Foundation
import Testing

/// The flags for data loading: MXNet's --test-io and --benchmark, and Anneal's own.
@Suite struct FeedingToolTests {
    let tool: Tool
    init() throws {
        tool = try Tool()
        try tool.writeRecords("train", count: 90)
    }

    private func train(_ arguments: [String]) throws -> Tool.Result {
        try tool.run(
            [
                "train", "--network", "mlp", "--image-shape", "1,12,12", "--num-classes", "3", "--batch-size", "30",
                "--num-epochs", "2", "--data-train", "train.rec", "--pad-size", "0",
            ] + arguments)
    }

    @Test func testIO() throws {
        defer { tool.remove() }
        let run = try train(["--test-io", "1", "--disp-batches", "1"])
        #expect(run.status == 0 && run.output.hasPrefix("90 images in "), "\(run)")
        #expect(run.errors.contains("INFO:root:Batch [2]\tSpeed: "), "\(run)")
        // Records, index, and what a program reads at start-up: no more than half a megabyte.
        let read = run.output.firstMatch(of: /; ([0-9,]+) bytes were read before the first/)?.1.replacing(",", with: "")
        let bytes = try #require(read.flatMap { Int($0) }), size = try tool.bytes("train.rec").count
        #expect((size / 2..<size + 500_000).contains(bytes), "\(run)")
        #expect(!Files.exists(tool.path("runs")))
        #expect(try train(["--test-io", "2"]).errors.contains("--test-io: is 2"))
    }

    @Test func benchmark() throws {
        defer { tool.remove() }
        let run = try tool.run([
            "train", "--network", "mlp", "--image-shape", "1,4,4", "--num-classes", "3", "--batch-size", "2",
            "--num-epochs", "1", "--benchmark", "1", "--run-folder", "b",
        ])
        #expect(run.status == 0 && run.errors.contains("make 500 updates per epoch"), "\(run)")
    }

    /// Caching and measuring change no bit of the weights.
    @Test func keptImagesAndMeasuredColours() throws {
        defer { tool.remove() }
        let plain = try train(["--run-folder", "a", "--rgb-mean", "90", "--rgb-std", "50", "--random-mirror", "1"])
        #expect(plain.status == 0 && plain.errors.contains("INFO:root:Epoch[1] Waiting for data="), "\(plain)")
        let kept = try train([
            "--run-folder", "b", "--rgb-mean", "90", "--rgb-std", "50", "--random-mirror", "1", "--cache-decoded", "1M",
            "--read-ahead", "1",
        ])
        #expect(kept.status == 0, "\(kept)")
        #expect(try tool.bytes("a/model-0002.params") == tool.bytes("b/model-0002.params"))
        #expect(try train(["--cache-decoded", "many"]).errors.contains("is not a number of bytes"))

        let measured = try train(["--run-folder", "c", "--rgb-mean", "auto"])
        let found = try DataStatistics.Colours.measured(of: RecordFile(tool.path("train.rec")), channels: 1)
        let record = try #require(try Preprocessing.load(prefix: tool.path("c/model")))
        #expect(abs(Double(record.mean[0]) - found.colours.mean[0]) < 0.001, "\(measured)")
        #expect(abs(Double(record.std[0]) - found.colours.deviation[0]) < 0.001)
        #expect(measured.errors.contains("Measured: --rgb-mean \(record.mean[0]) --rgb-std \(record.std[0])"))
        // A resumed run does not measure again.
        try tool.writeRecords("train", count: 60)
        let resumed = try tool.run(["resume", "c", "--num-epochs", "3", "--accept-changed-data"])
        let after = try Preprocessing.load(prefix: tool.path("c/model"))
        #expect(resumed.status == 0 && after == record, "\(resumed)")
    }
}
