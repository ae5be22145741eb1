import AnnealCore
import AnnealReport
import AnnealTrain
import Foundation
import Testing

typealias AnnealErrorType = AnnealError

struct MetricsTests {
    private let header =
        "epoch,checkpoint,train_accuracy,train_cross_entropy,validation_accuracy,validation_cross_entropy,learning_rate,seconds,"
        + "validation_seconds,samples_per_second"

    private func run(_ observer: any FitObserver, _ epochs: Range<Int>) throws {
        try observer.receive(Sample.start(first: epochs.lowerBound))
        for epoch in epochs {
            for batch in 0..<21 { try observer.receive(.batch(Sample.batch(epoch, batch))) }
            try observer.receive(.epoch(Sample.epoch(epoch)))
        }
    }

    private func row(_ epoch: Int) -> String { "\(epoch),\(epoch + 1),0.471,1.441,0.5557,1.251,0.05,12.345,1.5,486.25" }

    @Test func aTableOfEpochs() throws {
        let folder = try TemporaryFolder()
        try run(MetricsCSV(path: folder.file("metrics.csv")), 0..<2)
        #expect(try folder.text("metrics.csv") == [header, row(0), row(1), ""].joined(separator: "\n"))
    }

    @Test func aResumedTableHasEachEpochOnce() throws {
        let folder = try TemporaryFolder()
        try run(MetricsCSV(path: folder.file("metrics.csv")), 0..<5)
        // Killed while writing.
        let file = try #require(FileHandle(forWritingAtPath: folder.file("metrics.csv")))
        try file.seekToEnd()
        try file.write(contentsOf: Data("5,0.4".utf8))
        try file.close()
        try run(MetricsCSV(path: folder.file("metrics.csv")), 3..<6)
        let expected = [header] + (0..<6).map(row) + [""]
        #expect(try folder.text("metrics.csv") == expected.joined(separator: "\n"))
        // Started from the beginning: nothing of the old run stays.
        try run(MetricsCSV(path: folder.file("metrics.csv")), 0..<1)
        #expect(try folder.text("metrics.csv") == [header, row(0), ""].joined(separator: "\n"))
    }

    @Test func aNewMetricWidensTheTable() throws {
        let folder = try TemporaryFolder()
        let csv = MetricsCSV(path: folder.file("metrics.csv"))
        try csv.receive(Sample.start())
        try csv.receive(.epoch(Sample.epoch(0, training: [("accuracy", 0.5)], validation: [])))
        try csv.receive(.epoch(Sample.epoch(1, training: [("accuracy", .nan)], validation: [("a,\"b\"", 1)])))
        let expected = """
            epoch,checkpoint,train_accuracy,"validation_a,""b""\",learning_rate,seconds,validation_seconds,samples_per_second
            0,1,0.5,,0.05,12.345,1.5,486.25
            1,2,nan,1.0,0.05,12.345,1.5,486.25

            """
        #expect(try folder.text("metrics.csv") == expected)
        // Read back, quotes and all.
        let again = MetricsCSV(path: folder.file("metrics.csv"))
        try again.receive(Sample.start(first: 2))
        #expect(try folder.text("metrics.csv") == expected)
    }

    @Test func aTableOfSomethingElseIsRefused() throws {
        let folder = try TemporaryFolder()
        try Data("name,price\ntea,3\n".utf8).write(to: URL(fileURLWithPath: folder.file("metrics.csv")))
        #expect(throws: AnnealError.self) {
            try MetricsCSV(path: folder.file("metrics.csv")).receive(Sample.start(first: 1))
        }
        try Data("epoch,a\n0,1\n1\n".utf8).write(to: URL(fileURLWithPath: folder.file("metrics.csv")))
        let error = #expect(throws: AnnealError.self) {
            try MetricsCSV(path: folder.file("metrics.csv")).receive(Sample.start(first: 1))
        }
        #expect(error?.place == "\(folder.file("metrics.csv")), line 3")
    }

    @Test func linesOfJSON() throws {
        let folder = try TemporaryFolder()
        try run(MetricsJSONL(path: folder.file("metrics.jsonl")), 0..<1)
        let expected = """
            {"event":"batch","epoch":0,"batch":20,"batches":60,"samples_per_second":200.0,"learning_rate":0.05,\
            "metrics":{"accuracy":0.5}}
            {"event":"epoch","epoch":0,"checkpoint":1,"train":{"accuracy":0.471,"cross-entropy":1.441},\
            "validation":{"accuracy":0.5557,"cross-entropy":1.251},"learning_rate":0.05,"seconds":12.345,\
            "validation_seconds":1.5,"samples_per_second":486.25}

            """
        #expect(try folder.text("metrics.jsonl") == expected)
        #expect(try RunHistory.epochs(of: folder.file("metrics.jsonl")).map(\.epoch) == [0])
    }

    @Test func resumedLinesAreThoseOfOneRun() throws {
        let folder = try TemporaryFolder()
        try run(MetricsJSONL(path: folder.file("whole.jsonl")), 0..<6)
        try run(MetricsJSONL(path: folder.file("cut.jsonl")), 0..<4)
        let file = try #require(FileHandle(forWritingAtPath: folder.file("cut.jsonl")))
        try file.seekToEnd()
        try file.write(contentsOf: Data(#"{"event":"batch","epo"#.utf8))
        try file.close()
        try run(MetricsJSONL(path: folder.file("cut.jsonl")), 2..<6)
        #expect(try folder.text("cut.jsonl") == folder.text("whole.jsonl"))
    }

    @Test func valuesComeBackAsTheyWere() throws {
        let folder = try TemporaryFolder()
        let writer = MetricsJSONL(path: folder.file("m.jsonl"))
        let values = [("\"quoted\\\n\u{1}", 0.1 + 0.2), ("nan", .nan), ("tiny", .leastNonzeroMagnitude), ("π", .pi)]
        try writer.receive(.epoch(Sample.epoch(7, training: values, validation: [], rate: 1e-5)))
        let report = try #require(try RunHistory.epochs(of: folder.file("m.jsonl")).first)
        for (name, value) in values {
            let read = try #require(report.training.first { $0.name == name }).value
            #expect(read == value || (read.isNaN && value.isNaN))
        }
        #expect(report.learningRate == 1e-5)
        #expect(try RunHistory.epochs(of: folder.file("missing.jsonl")).isEmpty)
    }

    @Test func aDamagedLineIsNamed() throws {
        let folder = try TemporaryFolder()
        try Data("{\"event\":\"epoch\",\"epoch\":0}\nnonsense\n".utf8).write(
            to: URL(fileURLWithPath: folder.file("m.jsonl")))
        let error = #expect(throws: AnnealError.self) { try RunHistory.epochs(of: folder.file("m.jsonl")) }
        #expect(error?.place == "\(folder.file("m.jsonl")), line 2")
    }

    @Test(arguments: [-1, Int.max]) func aLineOfAnImpossibleEpochIsNamed(epoch: Int) throws {
        let folder = try TemporaryFolder()
        try Data("{\"event\":\"epoch\",\"epoch\":\(epoch)}\n".utf8).write(
            to: URL(fileURLWithPath: folder.file("m.jsonl")))
        let error = #expect(throws: AnnealError.self) { try RunHistory.epochs(of: folder.file("m.jsonl")) }
        #expect(error?.place == "\(folder.file("m.jsonl")), line 1")
    }
}
