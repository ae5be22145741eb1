import AnnealReport
import AnnealTrain
import Foundation
import Testing

/// The lines that MXNet 1.9.1 writes (`callback.py`, `base_module.py`) and `tools/parse_log.py` reads.
struct LogTests {
    @Test func aRunInMXNetsGrammar() throws {
        let folder = try TemporaryFolder()
        let output = CollectedOutput(.log)
        let log = try TextLog(path: folder.file("log.txt"), displayBatches: 20, echo: output)
        try log.info("start with arguments Namespace(batch_size=100)")
        try log.receive(Sample.start())
        // Half of the first 21 images right, then all: the running average of update b is (21·½ + b − 20) / (b + 1).
        for batch in 0..<60 {
            let accuracy = batch <= 20 ? 0.5 : (21 * 0.5 + Double(batch - 20)) / Double(batch + 1)
            try log.receive(.batch(Sample.batch(0, batch, seconds: batch <= 20 ? 0.5 : 0.08, accuracy: accuracy)))
        }
        try log.receive(.validating(epoch: 0, batch: 0, batches: 10))
        try log.receive(.epoch(Sample.epoch(0)))
        try log.receive(.saved(epoch: 0, path: "model/cifar-0001.params"))
        try log.receive(.note("AdaDelta ignores\nthe learning rate"))
        try log.receive(.warning("3 bad records skipped"))
        try log.receive(.finished(RunEnd(epochs: 1, seconds: 20, interrupted: false)))
        let expected = """
            INFO:root:start with arguments Namespace(batch_size=100)
            INFO:root:First batch trained in 0.500 seconds
            INFO:root:Epoch[0] Batch [0-20]\tSpeed: 200.00 samples/sec\taccuracy=0.500000
            INFO:root:Epoch[0] Batch [20-40]\tSpeed: 1250.00 samples/sec\taccuracy=1.000000
            INFO:root:Epoch[0] Train-accuracy=0.471000
            INFO:root:Epoch[0] Train-cross-entropy=1.441000
            INFO:root:Epoch[0] Time cost=12.345
            INFO:root:Epoch[0] Validation-accuracy=0.555700
            INFO:root:Epoch[0] Validation-cross-entropy=1.251000
            INFO:root:Saved checkpoint to "model/cifar-0001.params"
            INFO:root:AdaDelta ignores the learning rate
            WARNING:root:3 bad records skipped
            INFO:root:Finished after 1 epoch, 20.000 seconds

            """
        #expect(try folder.text("log.txt") == expected)
        #expect(output.text == expected)
    }

    @Test func withoutResetTheMetricsAreTheEpochs() {
        var window = BatchWindow(interval: 20, autoReset: false)
        let lines = (0..<41).compactMap { window.add(Sample.batch(3, $0, accuracy: Double($0) / 100)) }.map(
            LogGrammar.batch)
        #expect(
            lines == [
                "Epoch[3] Batch [0-20]\tSpeed: 200.00 samples/sec\taccuracy=0.200000",
                "Epoch[3] Batch [0-40]\tSpeed: 200.00 samples/sec\taccuracy=0.400000",
            ])
    }

    @Test func aShortBatchCountsItsSamplesOnly() {
        var window = BatchWindow(interval: 1)
        _ = window.add(Sample.batch(0, 0, samples: 100, accuracy: 1))
        let first = window.add(Sample.batch(0, 1, samples: 25, seconds: 0.5, accuracy: 0.8))
        #expect(first?.samplesPerSecond == 50)
        // The epoch's first line covers its first update too.
        #expect(first?.metrics == [MetricValue(name: "accuracy", value: 0.8)])
        let second = window.add(Sample.batch(0, 2, samples: 75, seconds: 0.5, accuracy: 0.5))
        #expect(second?.samplesPerSecond == 150)
        // 100 right of 125 and 100 right of 200: none of the 75.
        #expect(second?.metrics == [MetricValue(name: "accuracy", value: 0)])
    }

    @Test func aRunResumedInsideAnEpochShowsItsAverages() {
        var window = BatchWindow(interval: 20)
        let shown = (35..<61).compactMap { window.add(Sample.batch(2, $0, accuracy: 0.7)) }
        #expect(shown.map(\.to) == [40, 60])
        #expect(shown.map(\.samplesPerSecond) == [200, 200])
        #expect(shown.flatMap(\.metrics).allSatisfy { $0.value == 0.7 })
    }

    @Test func eachEpochStartsItsClockAnew() {
        var window = BatchWindow(interval: 10)
        let shown = (0..<3).flatMap { epoch in (0..<12).compactMap { window.add(Sample.batch(epoch, $0)) } }
        #expect(shown.map { [$0.epoch, $0.from, $0.to] } == [[0, 0, 10], [1, 0, 10], [2, 0, 10]])
    }

    @Test func valuesThatAreNotFiniteReadAsPythonsDo() {
        let report = Sample.epoch(0, training: [("accuracy", .nan), ("loss", .infinity)])
        #expect(LogGrammar.training(report) == ["Epoch[0] Train-accuracy=nan", "Epoch[0] Train-loss=inf"])
        #expect(LogGrammar.fixed(-.nan, 6) == "nan")
        #expect(LogGrammar.fixed(-.infinity, 2) == "-inf")
    }

    @Test func aResumedLogGrowsAfterACutLine() throws {
        let folder = try TemporaryFolder()
        try Data("INFO:root:whole\nINFO:ro".utf8).write(to: URL(fileURLWithPath: folder.file("log.txt")))
        let log = try TextLog(path: folder.file("log.txt"))
        try log.receive(Sample.start(first: 3))
        #expect(try folder.text("log.txt") == "INFO:root:whole\nINFO:ro\nINFO:root:Resumed at epoch 3 of 10\n")
    }

    @Test func aLogThatCannotBeWrittenIsNamed() {
        let error = #expect(throws: AnnealErrorType.self) { try TextLog(path: "/nowhere/at/all/log.txt") }
        #expect(error?.description == "/nowhere/at/all/log.txt: cannot be written: No such file or directory")
    }

    /// A run killed after its last saved state repeats a part: the log contains it once.
    @Test func aResumedLogHasEachPartOnce() throws {
        let folder = try TemporaryFolder()
        func train(_ observers: [any FitObserver], from start: FitPosition, to end: FitPosition) throws {
            var position = start
            while position < end {
                for observer in observers { try observer.receive(.batch(Sample.batch(position.epoch, position.batch))) }
                position.batch += 1
                guard position.batch == 60 else { continue }
                for observer in observers { try observer.receive(.epoch(Sample.epoch(position.epoch))) }
                position = FitPosition(epoch: position.epoch + 1)
            }
        }
        func observers(_ name: String, from position: FitPosition?) throws -> [any FitObserver] {
            [
                try TextLog(path: folder.file("\(name).txt"), from: position),
                MetricsJSONL(path: folder.file("\(name).jsonl")),
            ]
        }
        func events(_ name: String) throws -> [Substring] {
            try folder.text("\(name).txt").split(separator: "\n").filter { $0.contains("Epoch[") }
                + folder.text("\(name).jsonl").split(separator: "\n")
        }
        let end = FitPosition(epoch: 3)
        try train(observers("whole", from: nil), from: FitPosition(epoch: 0), to: end)
        for saved in [FitPosition(epoch: 1, batch: 30), FitPosition(epoch: 1, batch: 20), FitPosition(epoch: 2)] {
            try train(observers("cut", from: nil), from: FitPosition(epoch: 0), to: FitPosition(epoch: 2, batch: 45))
            let rest = try observers("cut", from: saved)
            let start = RunStart(
                position: saved, endEpoch: 3, batchSize: 100, trainingCount: 6000, validationCount: nil,
                stepsPerEpoch: 60, samples: saved.batch * 100,
                metrics: saved.batch > 0 ? [MetricValue(name: "accuracy", value: 0.5)] : [])
            for observer in rest { try observer.receive(.started(start)) }
            try train(rest, from: saved, to: end)
            // The first speed after a pause covers only the time since.
            let (whole, cut) = (try events("whole"), try events("cut"))
            #expect(whole.count == cut.count)
            #expect(whole.map { $0.prefix(50) } == cut.map { $0.prefix(50) }, "\(saved)")
            for name in ["cut.txt", "cut.jsonl"] { try FileManager.default.removeItem(atPath: folder.file(name)) }
        }
    }
}
