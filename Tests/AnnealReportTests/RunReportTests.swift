import AnnealCore
import AnnealReport
import AnnealTrain
import Foundation
import Testing

/// What a run writes if its folder is deleted or cannot be written, and its results.
@Suite struct RunReportTests {
    private func tell(_ observers: [any FitObserver], _ events: [FitEvent]) throws {
        for event in events { for observer in observers { try observer.receive(event) } }
    }

    private let end = FitEvent.finished(RunEnd(epochs: 2, seconds: 1, interrupted: false))

    /// A folder in place of a file simulates a full disk.
    @Test func whatCannotBeWrittenIsToldOnce() throws {
        let temporary = try TemporaryFolder(), output = CollectedOutput(.log)
        let folder = try RunFolder.open(temporary.path, occupied: .refuse)
        let observers = try RunObservers.standard(folder: folder, title: "lenet", output: output)
        try tell(observers, [Sample.start()])
        for path in [folder.metricsCSV, folder.curvesPNG] {
            try FileManager.default.createDirectory(atPath: path + "/full", withIntermediateDirectories: true)
        }
        try tell(observers, [.epoch(Sample.epoch(0)), .epoch(Sample.epoch(1))])
        for name in ["metrics.csv", "curves.png"] {
            let lines = output.text.split(separator: "\n").filter { $0.contains("without: \(folder.file(name))") }
            #expect(lines.count == 1 && lines[0].hasPrefix("WARNING:root:training continues"), "\(lines)")
        }
        #expect(try temporary.text("log.txt").contains("Epoch[1] Validation-accuracy"))
        // There is space again: the last attempt writes everything.
        for path in [folder.metricsCSV, folder.curvesPNG] { try FileManager.default.removeItem(atPath: path) }
        try tell(observers, [end])
        #expect(try temporary.text("metrics.csv").split(separator: "\n").count == 3)
        #expect(FileManager.default.fileExists(atPath: folder.curvesPNG))
        #expect(output.text.contains("some reports could not be written, at least for a time: "))
    }

    /// The data is read back from the files that are still open.
    @Test(arguments: [true, false]) func aFolderThatIsGoneIsMadeAgain(isDeleted: Bool) throws {
        let temporary = try TemporaryFolder(), output = CollectedOutput(.log)
        let folder = try RunFolder.open(temporary.path, occupied: .refuse)
        let observers = try RunObservers.standard(folder: folder, title: "lenet", output: output)
        try tell(observers, [Sample.start(), .epoch(Sample.epoch(0))])
        let log = try temporary.text("log.txt")
        if isDeleted {
            Files.removeFolder(folder.path)
        } else {
            try FileManager.default.moveItem(atPath: folder.path, toPath: folder.path + "-moved")
        }
        defer { Files.removeFolder(folder.path + "-moved") }
        try tell(observers, [.epoch(Sample.epoch(1)), end])
        #expect(!output.text.contains("WARNING"), "\(output.text)")
        #expect(try temporary.text("log.txt").hasPrefix(log + "INFO:root:Epoch[1] Train-accuracy"))
        #expect(try temporary.text("metrics.csv").split(separator: "\n").map { $0.prefix(2) } == ["ep", "0,", "1,"])
        #expect(try RunHistory.epochs(of: folder.metricsJSONL).map(\.epoch) == [0, 1])
        #expect(FileManager.default.fileExists(atPath: folder.curvesSVG))
    }

    @Test func theResultsNameWhatIsThere() throws {
        let temporary = try TemporaryFolder()
        let folder = try RunFolder.open(temporary.path, occupied: .refuse), prefix = folder.file("model")
        let writer = ResultsWriter(folder: folder, prefix: prefix)
        try "".write(toFile: "\(prefix)-0003.params", atomically: true, encoding: .utf8)
        func end(interrupted: Bool, missing: [String] = []) -> FitEvent {
            .finished(
                RunEnd(
                    epochs: 1, seconds: 1, interrupted: interrupted, lastCheckpoint: 3,
                    views: [MetricValue(name: "accuracy", value: 0.75)], missing: missing))
        }
        try tell([writer], [end(interrupted: true), end(interrupted: false, missing: ["x"])])
        #expect(RunResults.read(folder.results) == nil)
        try tell([writer], [end(interrupted: false)])
        let results = try #require(RunResults.read(folder.results))
        #expect(results.epochs == 3 && results.best == nil && results.testTimeViews == ["accuracy": 0.75])
        #expect(results.last.checkpoint == 3 && results.last.file == "model-0003.params")
        try tell([writer], [Sample.start(first: 3)])
        #expect(RunResults.read(folder.results) == nil)
    }

    /// Version 0.1 had no column of checkpoints.
    @Test func anOlderTableIsContinued() throws {
        let temporary = try TemporaryFolder(), path = temporary.file("metrics.csv")
        try "epoch,train_accuracy,learning_rate\n0,0.5,0.1\n".write(toFile: path, atomically: true, encoding: .utf8)
        let csv = MetricsCSV(path: path)
        try tell(
            [csv], [Sample.start(first: 1), .epoch(Sample.epoch(1, training: [("accuracy", 0.6)], validation: []))])
        #expect(
            try temporary.text("metrics.csv") == """
                epoch,checkpoint,train_accuracy,learning_rate,seconds,validation_seconds,samples_per_second
                0,1,0.5,0.1,,,
                1,2,0.6,0.05,12.345,1.5,486.25

                """)
    }
}
