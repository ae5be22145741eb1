import AnnealCore
import AnnealReport
import AnnealTrain
import Foundation
import Testing

@Suite struct McNemarTests {
    /// Expected: scipy.stats.binomtest(min(b, c), b + c).pvalue.
    @Test(arguments: [
        (10, 20, 0.09873714670538905), (0, 5, 0.0625), (7, 7, 1.0), (0, 0, 1.0), (59, 86, 0.030481814649487685),
        (1, 0, 1.0),
        (4900, 5100, 0.04658552770494645), (400, 700, 1.1735888055606002e-19),
    ])
    func exactTest(_ first: Int, _ second: Int, _ expected: Double) {
        let test = McNemar(both: 100, onlyFirst: first, onlySecond: second, neither: 3)
        let tolerance = 1e-6 * expected
        #expect(abs(test.pValue - expected) <= tolerance, "\(test.pValue)")
    }

    /// (20 - 10) / 100 ± 1.959964 √(30 - 100 / 100) / 100, by hand.
    @Test func interval() {
        let test = McNemar(both: 60, onlyFirst: 10, onlySecond: 20, neither: 10)
        #expect(abs(test.difference - 0.1) < 1e-12)
        #expect(abs(test.interval.lowerBound - (0.1 - 0.105547)) < 1e-5)
    }

    private func write(_ folder: TemporaryFolder, _ name: String, _ rows: [String]) throws -> AnswerFile {
        let header = "image,label,class,predicted,predicted_class,probability,label_probability"
        let text = ([header] + rows).map { $0 + "\n" }.joined()
        try text.write(toFile: folder.file(name), atomically: true, encoding: .utf8)
        return try AnswerFile(folder.file(name))
    }

    @Test func answersAreMatchedByImage() throws {
        let folder = try TemporaryFolder()
        let a = try write(
            folder, "a.csv",
            ["1,0,x,0,x,0.9,0.9", "2,1,y,0,x,0.6,0.4", "\"3,\n\"\"3\"\"\",1,y,1,y,0.8,0.8", "4,0,x,,,nan,nan"])
        #expect(a.rows[2].image == "3,\n\"3\"" && a.rows[3].predicted == nil)
        let b = try write(
            folder, "b.csv",
            ["\"3,\n\"\"3\"\"\",1,y,0,x,0.8,0.2", "2,1,y,1,y,0.6,0.6", "1,0,x,0,x,0.9,0.9", "9,0,x,0,x,1,1"])
        #expect(try McNemar(a, b) == McNemar(both: 1, onlyFirst: 1, onlySecond: 1, neither: 0))
        #expect(try McNemar(a, a) == McNemar(both: 2, onlyFirst: 0, onlySecond: 0, neither: 2))
        let other = try write(folder, "c.csv", ["1,1,y,0,x,0.9,0.1"])
        #expect(throws: AnnealError.self) { try McNemar(a, other) }
        let twice = try write(folder, "d.csv", ["1,0,x,0,x,0.9,0.9", "1,0,x,0,x,0.9,0.9"])
        #expect(throws: AnnealError.self) { try McNemar(a, twice) }
        let whole = try Data(contentsOf: URL(fileURLWithPath: b.path)), cut = folder.file("cut.csv")
        try whole.dropLast(3).write(to: URL(fileURLWithPath: cut))
        #expect(throws: AnnealError.self) { try AnswerFile(cut) }
        for bad in [["1,0,x"], ["1,x,x,0,x,1,1"], ["1,0,x,q,x,1,1"]] {
            #expect(throws: AnnealError.self) { try write(folder, "bad.csv", bad) }
        }
    }

    /// Those of the best epoch are written.
    @Test func validationAnswersOfTheBestEpoch() throws {
        let temporary = try TemporaryFolder()
        let folder = try RunFolder.open(temporary.file("run"), occupied: .refuse)
        let answers = ValidationAnswers(folder: folder, classNames: ["cat", "=dog"], image: { "image \($0)" })
        func batch(_ labels: [Float], _ outputs: [Float], _ numbers: [Int]) {
            labels.withUnsafeBufferPointer { labels in
                outputs.withUnsafeBufferPointer { outputs in
                    answers.add(
                        MetricBatch(labels: labels, outputs: outputs, rows: labels.count, classes: 2), numbers: numbers)
                }
            }
        }
        try answers.receive(Sample.start())
        batch([0, 1], [0.9, 0.1, 0.75, 0.25], [4, 5])
        batch([1], [0.5, 0.5], [7])
        try answers.receive(.epoch(Sample.epoch(0, validation: [("accuracy", 0.6)])))
        batch([0, 1, 1], [0.1, 0.9, 0.9, 0.1, 0.9, 0.1], [4, 5, 7])
        try answers.receive(.epoch(Sample.epoch(1, validation: [("accuracy", 0.0)])))
        try answers.receive(Sample.finished)
        let rows = try AnswerFile(folder.file("predictions.csv")).rows
        #expect(rows.map(\.image) == ["image 4", "image 5", "image 7"] && rows.map(\.predicted) == [0, 0, 0])
        #expect(rows[1].labelProbability == 0.25)
        let record = try #require(EvaluationRecord.read(inFolder: folder.path))
        #expect(record.checkpoint == 1 && record.confusion == [[0, 0, 1], [1, 0, 2]])
        #expect(
            record.scores == [
                ClassScore(images: 1, predicted: 3, correct: 1), ClassScore(images: 2, predicted: 0, correct: 0),
            ])
        #expect(answers.worst(1).answers.map(\.number) == [5])
    }
}
