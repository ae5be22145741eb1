import Anneal
import Foundation
import Testing

/// Test-time augmentation.
@Suite struct TestTimeViewsTests {
    private static func source(_ images: [[Float]]) throws -> InMemorySource {
        try InMemorySource(
            data: Tensor([3, 2, 3, 4], images.flatMap { $0 }), labels: Tensor([3], [0, 1, 2]), batchSize: 2)
    }

    private static func network() throws -> Symbol {
        let builder = SymbolBuilder()
        let flat = try builder.flatten(.variable("data"), name: "flat")
        return try builder.softmaxOutput(
            builder.fullyConnected(flat, numHidden: 3, name: "fc"), name: "softmax")
    }

    private static let weights = noise(72, 1), bias = noise(3, 2)

    /// The network's logits for an image.
    private static func logits(_ image: [Float]) -> [Double] {
        (0..<3).map { k in
            (0..<24).reduce(Double(bias[k])) { $0 + Double(image[$1]) * Double(weights[k * 24 + $1]) }
        }
    }

    private static func mirrored(_ image: [Float]) -> [Float] {
        stride(from: 0, to: 24, by: 4).flatMap { image[$0..<$0 + 4].reversed() }
    }

    /// Cropped from the image with a reflected border of one pixel, at (top, left) of the padded one.
    private static func cut(_ image: [Float], _ top: Int, _ left: Int) -> [Float] {
        // Rows 1 0 1 2 1, columns 1 0 1 2 3 2: the border mirrors the pixels next to the outermost ones.
        let rows = [1, 0, 1, 2, 1], columns = [1, 0, 1, 2, 3, 2]
        return (0..<2).flatMap { c in
            (0..<3).flatMap { y in (0..<4).map { image[c * 12 + rows[top + y] * 4 + columns[left + $0]] } }
        }
    }

    private static func mean(_ logits: [[Double]]) -> [Double] {
        (0..<3).map { k in logits.reduce(0) { $0 + $1[k] } / Double(logits.count) }
    }

    private static func softmax(_ logits: [Double]) -> [Double] {
        let sum = logits.reduce(0) { $0 + exp($1) }
        return logits.map { exp($0) / sum }
    }

    private static func run(_ views: TestTimeViews, _ images: [[Float]]) throws -> [[Float]] {
        let scorer = try Scorer(network(), dataShape: [2, 3, 4], batchSize: 2, views: views)
        try scorer.parameters.set("fc_weight", Tensor([3, 24], weights))
        try scorer.parameters.set("fc_bias", Tensor([3], bias))
        var rows: [[Float]] = [], labels: [Float] = []
        try scorer.run(source(images)) { batch in
            for row in 0..<batch.rows {
                rows.append((0..<batch.classes).map { batch.outputs[row * batch.classes + $0] })
                labels.append(batch.labels[row])
            }
        }
        #expect(labels == [0, 1, 2])
        return rows
    }

    @Test(arguments: TestTimeViews.allCases) func averagesLogits(_ views: TestTimeViews) throws {
        let images = (0..<3).map { noise(24, 10 + UInt64($0)).map { $0 * 0.3 } }
        let rows = try Self.run(views, images)
        #expect(rows.count == 3)
        for (image, row) in zip(images, rows) {
            let pair = Self.mean([Self.logits(image), Self.logits(Self.mirrored(image))])
            let shifted = [Self.cut(image, 0, 0), Self.cut(image, 2, 2)].flatMap {
                [Self.logits($0), Self.logits(Self.mirrored($0))]
            }
            let expected =
                switch views {
                case .none: Self.logits(image)
                case .mirror: pair
                case .mirrorShift: Self.mean([pair, Self.mean(shifted)])
                }
            for (a, b) in zip(row, Self.softmax(expected)) { #expect(abs(Double(a) - b) < 1e-5) }
        }
    }

    @Test func aBrokenOutputStaysBroken() throws {
        let rows = try Self.run(.mirror, [[Float](repeating: .nan, count: 24), noise(24, 1), noise(24, 2)])
        #expect(rows[0].allSatisfy { $0.isNaN })
        #expect(rows[1].allSatisfy { $0.isFinite })
    }

    private final class Notes: FitObserver {
        private(set) var texts: [String] = []

        func receive(_ event: FitEvent) {
            if case .note(let text) = event { texts.append(text) }
        }
    }

    @Test func trainingJudgesByViewsAtItsEnd() throws {
        let images = (0..<3).map { noise(24, 20 + UInt64($0)).map { $0 * 0.3 } }
        let source = try Self.source(images), notes = Notes()
        let trainer = try Trainer(
            Self.network(), dataShape: [2, 3, 4], batchSize: 2, optimizer: try Optimizers.make("sgd"))
        try trainer.initialize(Xavier())
        let reports = try trainer.fit(
            training: source, validation: source, epochs: 0..<2,
            options: FitOptions(views: .mirrorShift, observers: [notes]))
        let metrics = CompositeMetric([Accuracy(), CrossEntropy()])
        let alone = try trainer.score(source, metrics: metrics)
        let together = try trainer.score(source, metrics: metrics, views: .mirrorShift)
        #expect(reports.last?.validation == alone)
        #expect(together != alone)
        #expect(
            notes.texts.last
                == "Checkpoint 2 by 6 views of each image (mirror-shift): accuracy \(together[0].value.brief), cross-entropy \(together[1].value.brief)"
        )
    }

    @Test func isRefusedBeforeTheFirstStep() throws {
        let builder = SymbolBuilder()
        let regression = try builder.apply(
            "LinearRegressionOutput", name: "line",
            inputs: [builder.fullyConnected(.variable("data"), numHidden: 1, name: "fc")])
        let trainer = try Trainer(
            regression, dataShape: [2, 3, 4], batchSize: 2, optimizer: try Optimizers.make("sgd"))
        try trainer.initialize(Xavier())
        let source = try Self.source((0..<3).map { noise(24, UInt64($0)) })
        let error = #expect(throws: AnnealError.self) {
            try trainer.fit(training: source, epochs: 0..<1, options: FitOptions(views: .mirror))
        }
        #expect(error?.place == "test-time views mirror")
        #expect(trainer.updates == 0)
    }

    @Test func wantsImagesAndASoftmax() throws {
        #expect(throws: AnnealError.self) {
            try Scorer(Self.network(), dataShape: [24], batchSize: 2, views: .mirror)
        }
        let builder = SymbolBuilder()
        let regression = try builder.fullyConnected(.variable("data"), numHidden: 3, name: "fc")
        #expect(throws: AnnealError.self) {
            try Scorer(regression, dataShape: [2, 3, 4], batchSize: 2, views: .mirror)
        }
    }
}
