import AnnealCore
import AnnealReport
import AnnealTrain
import Foundation
import Testing

/// What is known about runs from their folders.
@Suite struct RunCatalogueTests {
    private func record(_ arguments: [String: JSONValue] = [:], day: Int = 1) -> RunRecord {
        RunRecord(
            command: "train", commandLine: ["/usr/bin/anneal", "train", "--lr", "0.1"], arguments: arguments,
            version: "anneal 0.2.0", threads: 2,
            date: Date(timeIntervalSince1970: 1_790_000_000 + Double(day) * 86_400),
            workingFolder: "/work",
            machine: Machine(host: "h", system: "s", processor: "p", cores: 2, memoryBytes: 1))
    }

    /// A run as an earlier version left it: without a status.
    private func makeRun(
        _ temporary: TemporaryFolder, _ name: String, epochs: Int, _ arguments: [String: JSONValue] = [:], day: Int = 1
    ) throws {
        let folder = try RunFolder.open(temporary.file(name), occupied: .refuse)
        try folder.write(record(arguments, day: day))
        let metrics = MetricsJSONL(path: folder.metricsJSONL)
        try metrics.receive(Sample.start())
        for report in Sample.run(epochs) { try metrics.receive(.epoch(report)) }
        try metrics.receive(Sample.finished)
    }

    @Test func runsAreFoundAndSummed() throws {
        let temporary = try TemporaryFolder()
        try makeRun(temporary, "b", epochs: 3, ["num-epochs": 5], day: 1)
        try makeRun(temporary, "sweep/a", epochs: 8, ["num-epochs": 8], day: 2)
        try Files.makeFolder(temporary.file("empty/deep/deeper"))
        // Not below another run, and not through symbolic links.
        try makeRun(temporary, "b/inside", epochs: 1)
        symlink(temporary.file("sweep"), temporary.file("link"))
        try #"{"epochs":8,"last":{"checkpoint":8},"best":{"checkpoint":7,"metric":"accuracy","value":0.75}}"#
            .write(toFile: temporary.file("sweep/a/results.json"), atomically: true, encoding: .utf8)

        let runs = try RunCatalogue.runs(in: temporary.path)
        #expect(runs.map(\.name) == ["b", "sweep/a"])
        let b = runs[0], a = runs[1]
        #expect(b.state == .interrupted && a.state == .finished)
        #expect(b.epochs == 3 && b.endEpoch == 5 && a.best == .init(metric: "accuracy", value: 0.75, checkpoint: 7))
        // Each epoch took 12.345 + 1.5 seconds.
        #expect(abs(b.seconds - 3 * 13.845) < 1e-9)
        let best = Sample.run(3).map { $0.validation[0].value }.max()
        #expect(b.best?.value == best && b.best?.metric == "accuracy")
        #expect(b.commandLine == "anneal train --lr 0.1")
        for (order, names) in [
            (RunCatalogue.Order.date, ["sweep/a", "b"]), (.epochs, ["sweep/a", "b"]), (.time, ["sweep/a", "b"]),
            (.state, ["sweep/a", "b"]), (.name, ["b", "sweep/a"]),
        ] {
            let sorted = try RunCatalogue.runs(in: temporary.path, by: order).map(\.name)
            #expect(sorted == names, "\(order)")
        }
        #expect(try RunCatalogue.names(in: temporary.file("b")) == [""])
    }

    /// Whatever a killed run, an editor, or a full disk may leave.
    @Test func damagedRunsAreListed() throws {
        let temporary = try TemporaryFolder()
        try makeRun(temporary, "cut", epochs: 2)
        let file = temporary.file("cut/metrics.jsonl")
        var text = try String(contentsOfFile: file, encoding: .utf8)
        text += "garbage\n{\"event\":\"epoch\",\"epoch\":-4}\n{\"event\":\"epo"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        try Files.makeFolder(temporary.file("torn"))
        try "{\"command\":".write(toFile: temporary.file("torn/arguments.json"), atomically: true, encoding: .utf8)
        try "{".write(toFile: temporary.file("torn/status.json"), atomically: true, encoding: .utf8)
        let runs = try RunCatalogue.runs(in: temporary.path)
        #expect(runs.map(\.epochs) == [2, 0])
        #expect(runs[0].problem == nil && runs[1].problem?.contains("torn/arguments.json") == true)
        #expect(runs[1].best == nil && runs[1].state == .interrupted)
    }

    @Test func statusFollowsTheRun() throws {
        let temporary = try TemporaryFolder()
        let folder = try RunFolder.open(temporary.file("run"), occupied: .refuse)
        let clock = ManualClock(), writer = StatusWriter(folder: folder, clock: { clock.now })
        try writer.receive(Sample.start(end: 2))
        var status = try #require(RunStatus.read(folder.status))
        #expect(status.state == .running && status.current() == .running && status.process.isAlive == true)
        #expect(status.epochs == 0 && status.endEpoch == 2)
        // Once a second at most.
        clock.now = 0.5
        try writer.receive(.batch(Sample.batch(0, 3)))
        #expect(try #require(RunStatus.read(folder.status)).batch == 0)
        clock.now = 1.5
        try writer.receive(.batch(Sample.batch(0, 4, accuracy: .nan)))
        status = try #require(RunStatus.read(folder.status))
        // 100 images in half a second; the first batch is not counted.
        #expect(status.batch == 5 && status.batches == 60 && abs((status.samplesPerSecond ?? 0) - 200) < 1e-9)
        #expect(status.metrics.map(\.name) == ["accuracy"] && status.metrics[0].value == nil)
        #expect(status.memoryBytes ?? 0 > 1 << 20 && status.seconds == 1.5)
        try writer.receive(.epoch(Sample.epoch(0)))
        status = try #require(RunStatus.read(folder.status))
        #expect(status.epochs == 1 && status.best == .init(metric: "accuracy", value: 0.5557, checkpoint: 1))
        try writer.receive(.epoch(Sample.epoch(1, validation: [("accuracy", 0.5)])))
        writer.fail("disk: is full")
        status = try #require(RunStatus.read(folder.status))
        #expect(status.state == .failed && status.error == "disk: is full" && status.best?.checkpoint == 1)
        #expect(abs(status.seconds - 2 * 13.845) < 1e-9)
        // The run has ended: a later error is not its own.
        writer.fail("another")
        #expect(RunStatus.read(folder.status)?.error == "disk: is full")
    }

    /// Process IDs are reused, and other machines' cannot be checked.
    @Test func aProcessThatIsGoneWasInterrupted() {
        var status = RunStatus(state: .running, updated: Date(timeIntervalSince1970: 1000), epochs: 1, endEpoch: 2)
        #expect(status.current() == .running)
        status.process.started = 1
        #expect(status.current() == .interrupted)
        status.process = ProcessIdentity(host: "elsewhere", number: 1, started: nil)
        #expect(status.current(at: Date(timeIntervalSince1970: 1060)) == .running)
        #expect(status.current(at: Date(timeIntervalSince1970: 1200)) == .interrupted)
        status.state = .finished
        #expect(status.current() == .finished)
    }

    @Test func settingsThatDiffer() throws {
        let temporary = try TemporaryFolder()
        try makeRun(temporary, "a", epochs: 2, ["lr": 0.1, "optimizer": "sgd", "run-folder": "a", "num-epochs": 2])
        try makeRun(
            temporary, "b", epochs: 3, ["lr": 0.2, "optimizer": "sgd", "run-folder": "b", "cutout": 8, "num-epochs": 3])
        let table = RunTable(try RunCatalogue.runs(in: temporary.path))
        #expect(
            table.settings == [
                .init(name: "--cutout", values: ["-", "8"]), .init(name: "--lr", values: ["0.1", "0.2"]),
                .init(name: "--num-epochs", values: ["2", "3"]),
            ])
        func row(_ name: String) -> [String]? { table.results.first { $0.name == name }?.values }
        #expect(row("epochs") == ["2 of 2", "3 of 3"] && row("time") == ["28s", "42s"])
        #expect(row("images/s, median") == ["486", "486"])
        #expect(
            row("last training accuracy")?.count == 2
                && row("best validation accuracy")?[0].contains("(checkpoint") == true)
    }
}
