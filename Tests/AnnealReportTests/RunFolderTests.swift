import AnnealCore
import AnnealReport
import AnnealTrain
import Foundation
import Synchronization
import Testing

struct RunFolderTests {
    private let record = RunRecord(
        command: "train", commandLine: ["anneal", "train", "--lr", "0.1"],
        arguments: [
            "batch-size": 128, "lr": 0.1, "gpus": nil, "network": "resnet", "random-mirror": true,
            "image-shape": [3, 28, 28],
        ], version: "0.1.0", threads: 2, date: Date(timeIntervalSince1970: 1_790_000_000), workingFolder: "/work")

    @Test func whatToDoWithAFolderInUse() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.file("runs/mine")
        let first = try RunFolder.open(path, occupied: .refuse)
        #expect(first.path == path && !first.isContinued)
        // Empty: no run yet.
        let second = try RunFolder.open(path, occupied: .refuse)
        #expect(first.isNew && !second.isNew && second.path == path)
        try first.write(record)
        let error = #expect(throws: AnnealError.self) { try RunFolder.open(path, occupied: .refuse) }
        #expect(error?.place == path)
        #expect(try RunFolder.open(path, occupied: .resume).isContinued)
        #expect(try RunFolder.open(path, occupied: .number).path == path + "-2")
        #expect(try RunFolder.open(path, occupied: .number).path == path + "-3")
    }

    /// Runs that start at the same moment, before any has written a file.
    @Test func whoMakesAFolderOwnsIt() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.file("runs/now")
        let taken = Mutex<[RunFolder]>([])
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            guard let folder = try? RunFolder.open(path, occupied: .number) else { return }
            taken.withLock { $0.append(folder) }
        }
        let folders = taken.withLock { $0 }
        #expect(Set(folders.map(\.path)) == Set([path] + (2...8).map { "\(path)-\($0)" }))
        #expect(folders.allSatisfy { $0.isNew })
        // Only an empty one is removed.
        try folders[0].write(record)
        for folder in folders { folder.removeIfEmpty() }
        #expect(try FileManager.default.contentsOfDirectory(atPath: temporary.file("runs")).count == 1)
    }

    @Test func recordsComeBack() throws {
        let temporary = try TemporaryFolder()
        let folder = try RunFolder.open(temporary.path, occupied: .refuse)
        try folder.write(record)
        #expect(try RunRecord.read(folder.arguments) == record)
        #expect(try temporary.text("arguments.json").contains("\"date\" : \"2026-09-21T"))
        // The first arguments are kept when the run is resumed.
        var second = record
        second.arguments["load-epoch"] = 3
        try folder.write(second)
        #expect(try RunRecord.read(folder.arguments) == second)
        #expect(try RunRecord.read(folder.file("arguments-1.json")) == record)
    }

    @Test func defaultNames() {
        let path = RunFolder.defaultPath(command: "fine-tune", date: Date(timeIntervalSince1970: 0))
        #expect(path.wholeMatch(of: /runs\/(1970-01-01|1969-12-31)_\d\d-\d\d-\d\d-fine-tune/) != nil)
    }

    @Test func aFolderThatCannotBeIsNamed() throws {
        let temporary = try TemporaryFolder()
        try Data().write(to: URL(fileURLWithPath: temporary.file("file")))
        let error = #expect(throws: AnnealError.self) {
            try RunFolder.open(temporary.file("file/run"), occupied: .refuse)
        }
        #expect(error?.place == temporary.file("file/run"))
    }

    @Test func curvesOfAResumedRunStartWithTheEarlierEpochs() throws {
        let temporary = try TemporaryFolder()
        let folder = try RunFolder.open(temporary.path, occupied: .refuse)
        func run(_ epochs: Range<Int>) throws {
            let observers: [any FitObserver] = [
                CurvesWriter(folder: folder, title: "run"), MetricsJSONL(path: folder.metricsJSONL),
            ]
            for observer in observers { try observer.receive(Sample.start(first: epochs.lowerBound)) }
            for report in Sample.run(6)[epochs] {
                for observer in observers { try observer.receive(.epoch(report)) }
            }
            for observer in observers { try observer.receive(Sample.finished) }
        }
        try run(0..<6)
        let whole = try (Files.read(folder.curvesSVG), Files.read(folder.curvesPNG))
        // Epochs 2 and 3 were trained again after a crash.
        try run(0..<4)
        try run(2..<6)
        #expect(try Files.read(folder.curvesSVG) == whole.0)
        #expect(try Files.read(folder.curvesPNG) == whole.1)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names == ["curves.png", "curves.svg", "metrics.jsonl"])
    }

    /// A drawing that takes half a second is followed by the next one after 50 seconds, or at the run's end.
    @Test func curvesAreDrawnInAHundredthOfTheTime() throws {
        let temporary = try TemporaryFolder(), folder = try RunFolder.open(temporary.path, occupied: .refuse)
        let clock = ManualClock()
        let writer = CurvesWriter(folder: folder, title: "run") {
            clock.now += 0.5
            return clock.now
        }
        func draws(_ event: FitEvent) throws -> Bool {
            try? FileManager.default.removeItem(atPath: folder.curvesPNG)
            try writer.receive(event)
            return Files.exists(folder.curvesPNG)
        }
        #expect(try !draws(Sample.start()))
        #expect(try draws(.epoch(Sample.epoch(0))))
        #expect(try !draws(.epoch(Sample.epoch(1))))
        clock.now = 40
        #expect(try !draws(.epoch(Sample.epoch(2))))
        clock.now = 60
        #expect(try draws(.epoch(Sample.epoch(3))))
        #expect(try !draws(Sample.finished))
        #expect(try !draws(Sample.start(first: 4)))
        #expect(try draws(.epoch(Sample.epoch(4))))
        #expect(try !draws(.epoch(Sample.epoch(5))))
        #expect(try draws(Sample.finished))
    }

    @Test func theStandardObserversFillTheFolder() throws {
        for style in [TerminalStyle.log, .plain(100)] {
            let temporary = try TemporaryFolder()
            let folder = try RunFolder.open(temporary.path, occupied: .refuse)
            let output = CollectedOutput(style)
            let observers = try RunObservers.standard(folder: folder, title: "lenet", output: output)
            for event in [Sample.start(), .epoch(Sample.epoch(0)), .note("hello")] {
                for observer in observers { try observer.receive(event) }
            }
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            #expect(names == ["curves.png", "curves.svg", "log.txt", "metrics.csv", "metrics.jsonl"])
            // Each line once, whichever process writes it.
            #expect(output.text.components(separatedBy: "hello").count == 2)
        }
    }
}
