import AnnealCore
import AnnealTrain
import Foundation
import Testing

@Suite struct ConfusionMatrixTests {
    private func matrix(_ labels: [Float], _ predicted: [Int], classes: Int) throws -> ConfusionMatrix {
        var matrix = ConfusionMatrix(classes: classes)
        let outputs = predicted.flatMap { p in (0..<classes).map { p < 0 ? Float.nan : $0 == p ? 0.8 : 0.1 } }
        try labels.withUnsafeBufferPointer { labels in
            try outputs.withUnsafeBufferPointer {
                try matrix.update(
                    MetricBatch(labels: labels, outputs: $0, rows: predicted.count, classes: classes))
            }
        }
        return matrix
    }

    @Test func countsAndShares() throws {
        // Rows: 0 → 0, 0, 1; 1 → 1, 1; 2 → 0; class 3 does not occur; the last label belongs to an invalid row.
        let matrix = try matrix([0, 0, 0, 1, 1, 2, 3], [0, 0, 1, 1, 1, 0], classes: 4)
        #expect(matrix[0, 0] == 2 && matrix[0, 1] == 1 && matrix[1, 1] == 2 && matrix[2, 0] == 1 && matrix[1, 0] == 0)
        #expect(matrix.images == [3, 2, 1, 0])
        #expect(
            matrix.pairs.map { [$0.label, $0.predicted, $0.count] } == [[0, 0, 2], [0, 1, 1], [1, 1, 2], [2, 0, 1]])
        let scores = matrix.scores
        #expect(scores[0] == ClassScore(images: 3, predicted: 3, correct: 2))
        #expect(scores[0].recall == 2.0 / 3 && scores[0].precision == 2.0 / 3 && scores[0].f1 == 2.0 / 3)
        #expect(scores[1].recall == 1 && scores[1].precision == 2.0 / 3 && scores[1].f1 == 0.8)
        #expect(scores[2].recall == 0 && scores[2].precision == nil && scores[2].f1 == 0)
        #expect(scores[3].recall == nil && scores[3].precision == nil && scores[3].f1 == nil)
    }

    @Test func aRowOfNaNIsNoPrediction() throws {
        let matrix = try matrix([1, 1], [-1, 1], classes: 2)
        #expect(matrix.images == [0, 2] && matrix[1, 0] == 0 && matrix[1, 1] == 1)
        #expect(matrix.scores[1].recall == 0.5)
    }

    @Test func theWorstAnswersComeFirst() {
        func answer(_ number: Int, _ share: Float, right: Bool = false) -> Answer {
            Answer(number: number, label: 1, predicted: right ? 1 : 0, probability: 0.9, labelProbability: share)
        }
        var worst = WorstAnswers(limit: 3)
        for (number, share) in [Float(0.4), 0.1, 0.3, .nan, 0.1, 0.5].enumerated() { worst.add(answer(number, share)) }
        worst.add(answer(6, 0.05, right: true))
        #expect(worst.wrong == 6)
        #expect(worst.answers.map(\.number) == [3, 1, 4])
        // Rows of (1, 0.25, 0.75) and of NaN, both of class 1.
        let labels: [Float] = [1, 1], outputs: [Float] = [0, 0.25, 0.75, .nan, .nan, .nan]
        labels.withUnsafeBufferPointer { labels in
            outputs.withUnsafeBufferPointer { outputs in
                let batch = MetricBatch(labels: labels, outputs: outputs, rows: 2, classes: 3)
                let first = Answer(batch, row: 0, number: 9)
                #expect(
                    first == Answer(number: 9, label: 1, predicted: 2, probability: 0.75, labelProbability: 0.25))
                let second = Answer(batch, row: 1, number: 10)
                #expect(second.predicted == nil && second.probability.isNaN && !second.isRight)
            }
        }
    }

    @Test func aLabelOutsideIsAnError() {
        #expect(throws: AnnealError.self) { try matrix([2], [0], classes: 2) }
    }
}

@Suite struct PreprocessingTests {
    private func withPrefix(_ body: (String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "anneal-preprocessing-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body("\(folder)/m")
    }

    @Test func comesBack() throws {
        try withPrefix { prefix in
            #expect(try Preprocessing.load(prefix: prefix) == nil)
            let full = Preprocessing(
                imageShape: [3, 28, 28], mean: [1, 2, 3], std: [4, 5, 6], resize: 32, classNames: ["a", "b, c"])
            try full.save(prefix: prefix)
            #expect(try Preprocessing.load(prefix: prefix) == full)
            #expect(full.colorOrder == "RGB")
            #expect(Preprocessing(imageShape: [1, 28, 28], mean: [1], std: [1]).colorOrder == nil)
        }
    }

    @Test func olderRecordsAreTaken() throws {
        try withPrefix { prefix in
            try Files.makeFolder(Files.folder(of: prefix))
            func write(_ text: String) throws {
                try Files.writeAtomically(Data(text.utf8), to: Preprocessing.path(prefix))
            }
            try write("{\"imageShape\":[1,8,8],\"mean\":[1],\"std\":[2]}")
            let old = try #require(try Preprocessing.load(prefix: prefix))
            #expect(old.classNames == nil && old.resize == nil)
            for wrong in [
                "{}", "{\"imageShape\":[3,8,8],\"mean\":[1],\"std\":[2]}",
                "{\"imageShape\":[1,8,8],\"mean\":[1],\"std\":[2],\"colorOrder\":\"BGR\"}",
                // Sizes that match no buffer.
                "{\"imageShape\":[1,1099511627776,1099511627776],\"mean\":[1],\"std\":[2]}",
                "{\"imageShape\":[1,8,8],\"mean\":[1],\"std\":[2],\"resize\":9223372036854775807}",
            ] {
                try write(wrong)
                let error = #expect(throws: AnnealError.self) { try Preprocessing.load(prefix: prefix) }
                #expect(error?.place == Preprocessing.path(prefix))
            }
        }
    }
}
