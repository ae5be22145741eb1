import Foundation
import Testing

/// `profile`, `bench-step` and `train --profile`, as users run them.
@Suite struct ProfileTests {
    private struct Event: Decodable {
        var name: String
        var cat: String?
    }
    private struct TraceFile: Decodable { var traceEvents: [Event] }
    static let network = ["--network", "mlp", "--image-shape", "1,12,12", "--batch-size", "4", "--steps", "2"]

    private static func events(_ tool: Tool, _ name: String) throws -> [Event] {
        try JSONDecoder().decode(TraceFile.self, from: tool.bytes(name)).traceEvents
    }

    @Test func profilesTrainingAndInference() throws {
        let tool = try Tool()
        defer { tool.remove() }
        let training = try tool.run(["profile", "--by-layer", "--trace", "new/t.json"] + Self.network)
        #expect(training.status == 0, "\(training.errors)")
        for text in ["GFLOP/s", "FullyConnected backward weights", "fc1  FullyConnected forward", "update", "  all"] {
            #expect(training.output.contains(text), "\(text) in \(training.output)")
        }
        let events = try Self.events(tool, "new/t.json")
        #expect(events.filter { $0.cat == "step" }.count == 2)
        #expect(events.filter { $0.name == "fc1" && $0.cat == "FullyConnected backward weights" }.count == 2)

        // A checkpoint provides its image shape.
        #expect(try tool.run(["bench-step", "--write-model", "m/mlp"] + Self.network).status == 0)
        let inference = try tool.run(["profile", "--model", "m/mlp", "--inference", "--steps", "1"])
        #expect(inference.status == 0, "\(inference.errors)")
        #expect(inference.output.contains("FullyConnected forward") && !inference.output.contains("backward"))
    }

    /// Four shards are added in three additions, by one device, or by two after each has added its own.
    @Test(arguments: [("cpu", 3), ("cpu:0-1", 2)]) func profilesSumsOverShards(_ devices: String, additions: Int) throws
    {
        let tool = try Tool()
        defer { tool.remove() }
        let result = try tool.run(
            ["profile", "--devices", devices, "--shards", "4", "--trace", "t.json"] + Self.network)
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.contains("sum over shards"), "\(result.output)")
        // The second device's own addition runs in parallel to the first one's.
        let sums = try Self.events(tool, "t.json").filter { $0.cat == "sum over shards" }
        #expect(sums.count == 2 * additions && sums.allSatisfy { $0.name == "gradients" })
    }

    /// Of four batches the last two form one update.
    @Test func profilesSumsOfBatchesAndAverages() throws {
        let tool = try Tool()
        defer { tool.remove() }
        let flags = ["--accumulate", "2", "--ema-decay", "0.9", "--clip-norm", "1"]
        let result = try tool.run(["profile", "--trace", "t.json"] + Self.network + flags)
        #expect(result.status == 0, "\(result.errors)")
        let events = try Self.events(tool, "t.json")
        for (kind, count) in [("sum over batches", 2), ("norm", 1), ("update", 1), ("average", 1)] {
            #expect(events.count { $0.cat == kind } == count, "\(kind) in \(result.output)")
        }
        let plan = try tool.run(["summary", "--plan", "--network", "mlp"] + flags)
        #expect(plan.status == 0, "\(plan.errors)")
        for kind in ["sum over batches", "norm", "update", "average"] {
            #expect(plan.output.contains(" \(kind)"), "\(kind) in \(plan.output)")
        }
        #expect(try tool.run(["profile", "--inference", "--accumulate", "2"] + Self.network).status == 64)
    }

    @Test(arguments: [[], ["--inference"]]) func benchPrintsOneRecord(_ more: [String]) throws {
        struct Record: Decodable {
            var steps: [Double]
            var parameters: Int
            var peak_rss_mb: Int
        }
        let tool = try Tool()
        defer { tool.remove() }
        let result = try tool.run(["bench-step"] + Self.network + more)
        let record = try JSONDecoder().decode(Record.self, from: Data(result.output.utf8))
        #expect(record.steps.count == 2 && record.peak_rss_mb > 0)
        // Layers of 128, 64 and 10 on 144 pixels.
        #expect(record.parameters == 145 * 128 + 129 * 64 + 65 * 10)
    }

    /// Ten steps per epoch: the last five of the first are traced, with what happens before and after the network.
    @Test func tracesTraining() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 320)
        try tool.writeRecords("val", count: 20)
        let result = try tool.run(tool.training(2, prefix: "m", ["--profile", "trace.json"]))
        #expect(result.status == 0, "\(result.errors)")
        let events = try Self.events(tool, "trace.json")
        #expect(events.filter { $0.cat == "step" }.map(\.name) == (5..<10).map { "step \($0)" })
        for name in ["data", "forward", "backward", "metrics", "update"] {
            // Updates split the backward pass.
            #expect(events.filter { $0.cat == "phase" && $0.name == name }.count >= 5, "\(name)")
        }
        // Observing changes nothing.
        #expect(try tool.run(tool.training(2, prefix: "n")).status == 0)
        #expect(try tool.bytes("m-0002.params") == tool.bytes("n-0002.params"))
    }

    @Test(arguments: [
        (["profile"], "--network", 64),
        (["profile", "--network", "mlp"], "--image-shape", 64),
        (["profile", "--model", "none"], "none-NNNN.params", 1),
        (["profile", "--trace", "/"] + network, "/: is a folder", 1),
        (["profile", "--model", "m", "--network", "mlp"], "--model", 64),
        (["profile", "--network", "mpl", "--image-shape", "1,12,12"], "mpl", 64),
        (["profile", "--model", "m", "--num-classes", "3", "--image-shape", "1,12,12"], "--num-classes", 64),
        (["bench-step"] + network + ["--steps", "0"], "--steps", 64),
        (["bench-step", "--inference", "--write-model", "m"] + network, "--write-model", 64),
        (["bench-step", "--trunk", "small"] + network, "--trunk", 64),
    ]) func oneClearError(_ arguments: [String], _ place: String, _ status: Int) throws {
        let tool = try Tool()
        defer { tool.remove() }
        let result = try tool.run(arguments)
        #expect(Int(result.status) == status && result.errors.contains(place), "\(result.errors)")
    }
}
