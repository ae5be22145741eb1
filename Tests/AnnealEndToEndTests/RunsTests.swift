import Anneal
import Foundation
import Testing

/// What commands report about runs, during and after them: `runs`, `compare`, `watch`.
@Suite struct RunsTests {
    @Test func runsAreListedComparedAndWatched() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 96)
        try tool.writeRecords("val", count: 40)
        #expect(try tool.run(tool.training(2, prefix: "runs/a/m", ["--run-folder", "runs/a"])).status == 0)
        let second = try tool.run(tool.training(1, prefix: "runs/b/m", ["--run-folder", "runs/b", "--lr", "0.0001"]))
        #expect(second.status == 0, "\(second.errors)")
        // It ends with an error after it has begun.
        let failing = try tool.run(
            tool.training(2, prefix: "runs/c/m", ["--run-folder", "runs/c", "--lr", "1e30"]))
        #expect(failing.status == 1, "\(failing.errors)")

        let list = try tool.run(["runs"])
        #expect(list.status == 0 && list.errors.isEmpty, "\(list.errors)")
        let lines = list.output.split(separator: "\n")
        #expect(lines[0].hasPrefix("run  state"), "\(list.output)")
        #expect(lines.contains { $0.hasPrefix("a    finished") && $0.contains("2/2") }, "\(list.output)")
        #expect(lines.contains { $0.hasPrefix("c    failed") }, "\(list.output)")
        #expect(lines.contains { $0.hasPrefix("c: ") && $0.contains("--lr") }, "\(list.output)")

        let json = try tool.run(["runs", "--json", "--sort", "epochs"]).output.split(separator: "\n").map {
            try JSONDecoder().decode(JSONValue.self, from: Data($0.utf8))
        }
        let names = json.map { value -> JSONValue? in if case .object(let run) = value { run["run"] } else { nil } }
        #expect(names == ["a", "b", "c"])
        let csv = try tool.run(["runs", "--csv"]).output
        #expect(
            csv.hasPrefix(
                "run,state,metric,best,checkpoint,epochs,end_epoch,seconds,started,command\na,finished,accuracy,"))

        // The answers for the validation images exist, and agree with score for the best checkpoint.
        let answers = try AnswerFile(tool.path("runs/a/predictions.csv"))
        #expect(answers.rows.count == 40)
        let scored = try tool.run([
            "score", "--model", "runs/a/m", "--load-epoch", "best", "--data-val", "val.rec", "--per-image", "--output",
            "s",
        ])
        #expect(scored.status == 0, "\(scored.errors)")
        let scoredRows = try AnswerFile(tool.path("s/predictions.csv")).rows
        #expect(answers.rows.map(\.predicted) == scoredRows.map(\.predicted))
        #expect(answers.rows.map(\.image) == scoredRows.map(\.image))

        let compared = try tool.run(["compare", "runs/a", "runs/b"])
        #expect(compared.status == 0, "\(compared.errors)")
        for text in ["--lr", "--num-epochs", "best validation accuracy", "McNemar", "images             40"] {
            #expect(compared.output.contains(text), "\(compared.output)")
        }
        #expect(!compared.output.contains("--optimizer"))
        #expect(try tool.run(["compare", "runs/a", "s"]).output.contains("only first right   0"))
        let missing = try tool.run(["compare", "runs/a", "runs/d"])
        #expect(missing.status == 1 && missing.errors.contains("runs/d: is not a folder"))

        // After the end: the log and how the run ended.
        let watched = try tool.run(["watch", "runs/a"])
        #expect(watched.status == 0, "\(watched.errors)")
        #expect(watched.output.contains("INFO:root:Epoch[1] Validation-accuracy="))
        #expect(watched.output.contains("Finished after 2 of 2 epochs"), "\(watched.output)")
        #expect(try tool.run(["watch", "runs"]).errors.contains("runs: holds no run"))
    }

    /// A killed run counts as interrupted, not as running.
    @Test func aKilledRunIsInterrupted() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 640)
        try tool.writeRecords("val", count: 32)
        let (process, _, errors) = try tool.start(tool.training(1000, prefix: "runs/k/m", ["--run-folder", "runs/k"]))
        let deadline = Date().addingTimeInterval(60)
        while !Files.exists(tool.path("runs/k/m-0002.params")), Date() < deadline { usleep(5000) }
        let running = try tool.run(["runs", "--csv"]).output
        #expect(running.contains("k,running,accuracy,"), "\(running)")
        kill(process.processIdentifier, SIGKILL)
        _ = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(try tool.run(["runs", "--csv"]).output.contains("k,interrupted,"))
        #expect(try tool.run(["watch", "runs/k"]).output.contains("Interrupted after"))
    }
}
