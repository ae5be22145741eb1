import Anneal
import Foundation
import Testing

/// What a run shows, and what it writes for other tools.
@Suite struct ProgressTests {
    @Test func quietAndJSONAndMonitor() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 64)
        try tool.writeRecords("val", count: 32)
        let quiet = try tool.run(tool.training(1, prefix: "q/m", ["--run-folder", "q", "--quiet"]))
        #expect(quiet.status == 0 && quiet.output.isEmpty && quiet.errors.isEmpty, "\(quiet)")
        let flags = [
            "--run-folder", "j", "--json", "--monitor", "2", "--tensorboard", "tb", "--histograms", "--mlflow", "ml",
        ]
        let json = try tool.run(tool.training(1, prefix: "j/m", flags))
        #expect(json.status == 0 && json.errors.isEmpty, "\(json.errors)")
        let events = try json.output.split(separator: "\n").map {
            try JSONDecoder().decode([String: JSONValue].self, from: Data($0.utf8))
        }
        #expect(events.last?["event"] == "finished" && events.contains { $0["event"] == "epoch" })
        // MXNet's format: Batch: {:7d} {:30s} {:s}; two batches of 32, of which the first is shown.
        let log = String(decoding: try tool.bytes("j/log.txt"), as: UTF8.self)
        let shown = log.split(separator: "\n").filter { $0.contains("Batch:       ") }
        #expect(
            shown.contains { $0.hasPrefix("INFO:root:Batch:       1 fc1_weight                     0.") }, "\(shown)")
        for name in ["fc1_output", "softmax_output", "fc1_weight_grad"] {
            #expect(shown.contains { $0.hasPrefix("INFO:root:Batch:       1 \(name) ") }, "\(shown)")
        }
        #expect(!log.contains("Batch:       2 "))
        // The two steps of the run, on its page.
        let profile = try JSONDecoder().decode(RunProfile.self, from: tool.bytes("j/profile.json"))
        #expect(profile.steps == 2 && profile.kinds.contains { $0.name == "FullyConnected forward" })
        // Monitoring changes no bits.
        #expect(try tool.bytes("q/m-0001.params") == tool.bytes("j/m-0001.params"))
        #expect(try Files.names(in: tool.path("tb/j")).count == 1)
        #expect(try Files.names(in: tool.path("ml")).count == 1)
        // The record starts a run that shows the same output.
        let config = String(decoding: try tool.bytes("j/config.yaml"), as: UTF8.self)
        #expect(!config.contains("json:") && config.contains("monitor: 2"))
        let both = try tool.run(tool.training(1, prefix: "x/m", ["--quiet", "--json"]))
        #expect(both.status == 64 && both.errors.contains("--quiet: cannot be combined with --json"))
        let wrong = try tool.run(tool.training(1, prefix: "x/m", ["--monitor", "1", "--monitor-pattern", "fc("]))
        #expect(
            wrong.status == 64 && wrong.errors.contains("--monitor-pattern 'fc(': is not a regular"), "\(wrong.errors)")
        let some = try tool.run(
            tool.training(1, prefix: "s/m", ["--run-folder", "s", "--monitor", "1", "--monitor-pattern", "fc2_w"]))
        let lines = String(decoding: try tool.bytes("s/log.txt"), as: UTF8.self).split(separator: "\n")
            .filter { $0.contains("Batch:       ") }.map { $0.split(separator: " ").dropFirst().prefix(2) }
        #expect(
            some.status == 0
                && lines == [
                    ["1", "fc2_weight"], ["1", "fc2_weight_grad"], ["2", "fc2_weight"], ["2", "fc2_weight_grad"],
                ],
            "\(lines)")

        let card = String(decoding: try tool.bytes("q/README.md"), as: UTF8.self)
        #expect(card.contains("## Results") && card.contains("| 0 | "))
        let page = String(decoding: try tool.bytes("q/report.html"), as: UTF8.self)
        #expect(page.contains("Training images") && page.contains("Classes") && page.contains("fc1"))
        let again = try tool.run(["report", "q", "--to", "again.html"])
        #expect(again.status == 0 && again.output == "again.html\n", "\(again.errors)")
        #expect(try tool.bytes("again.html") == tool.bytes("q/report.html"))
        #expect(try tool.run(["report", "q", "--to", "x.txt"]).status == 64)
    }
}
