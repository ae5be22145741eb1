import Anneal
import Foundation
import Testing

/// One classifier used by many tasks. Its network returns the index of the brightest of an image's four pixels.
@Suite struct ClassifierTests {
    private func classifier(batchSize: Int) throws -> Classifier {
        let net = SymbolBuilder()
        let scores = try net.fullyConnected(
            net.flatten(.variable("data")), numHidden: 4, noBias: true, name: "fc")
        var weight = Tensor([4, 4])
        for pixel in 0..<4 { weight.elements[5 * pixel] = 1 }
        let checkpoint = try Checkpoint(
            symbol: net.softmaxOutput(scores, name: "softmax"), arrays: [StoredArray(name: "arg:fc_weight", weight)])
        return try Classifier(
            checkpoint,
            preprocessing: Preprocessing(
                imageShape: [1, 2, 2], mean: [5], std: [10], classNames: ["a", "b", "c", "d"]),
            batchSize: batchSize, place: "test")
    }

    /// One pixel of 25 + 10 * brightness, the others 5: logits 2 + brightness and 0.
    private func image(_ pixel: Int, _ brightness: Int = 0) -> Image {
        Image(
            width: 2, height: 2, channels: 1, pixels: (0..<4).map { $0 == pixel ? UInt8(25 + 10 * brightness) : 5 })
    }

    /// exp(logit) / (exp(logit) + 3)
    private func probability(_ brightness: Int) -> Float { Float(1 / (1 + 3 * exp(-Double(2 + brightness)))) }

    @Test(arguments: [1, 8]) func manyTasksGetTheirOwnAnswers(batchSize: Int) async throws {
        let classifier = try classifier(batchSize: batchSize)
        let encoded = try (0..<4).map { try image($0).encoded(as: .png(level: 1)) }
        let answers = try await withThrowingTaskGroup(of: (Int, Classifier.Prediction).self) { group in
            for number in 0..<300 {
                let pixel = number % 4, brightness = number % 5
                let input: ClassifierImage
                switch number % 3 {
                case 0: input = brightness == 0 ? .encoded(encoded[pixel]) : .pixels(image(pixel, brightness))
                case 1: input = .pixels(image(pixel, brightness))
                default:
                    input = .planes(
                        Tensor([1, 2, 2], (0..<4).map { $0 == pixel ? Float(2 + brightness) : 0 }))
                }
                group.addTask { (number, try await classifier.predict(input, top: 1)[0]) }
            }
            var answers: [Int: Classifier.Prediction] = [:]
            for try await (number, answer) in group { answers[number] = answer }
            return answers
        }
        #expect(answers.count == 300)
        for (number, answer) in answers {
            #expect(answer.index == number % 4 && answer.className == ["a", "b", "c", "d"][number % 4])
            #expect(abs(answer.probability - probability(number % 5)) < 1e-5)
        }
    }

    /// The answers do not depend on which images are computed together, to the bit.
    @Test func togetherAsAlone() async throws {
        let classifier = try classifier(batchSize: 8)
        let images = (0..<21).map { ClassifierImage.pixels(image($0 % 4, $0 % 7)) }
        let together = try await classifier.predict(images)
        for (image, expected) in zip(images, together) {
            #expect(try await classifier.predict(image) == expected)
        }
        #expect(try serial(classifier, images) == together)
    }

    private func serial(_ classifier: Classifier, _ images: [ClassifierImage]) throws -> [[Classifier.Prediction]] {
        try images.map { try classifier.predict($0) }
    }

    @Test func whatIsNotThereHasACodeOfItsOwn() {
        func code(_ body: () throws -> Void) -> AnnealError.Code? {
            do { try body() } catch { return (error as? AnnealError)?.code }
            return nil
        }
        let codes = [
            code { _ = try SavedModel("/no/such") }, code { _ = try SavedModel("/no/such-0001.params") },
            code { _ = try Classifier(prefix: "/no/such", epoch: 1) },
            code { _ = try ImageFiles(classFolders: "/no/such") }, code { _ = try RecordFile("/no/such.rec") },
        ]
        #expect(codes == Array(repeating: .notFound, count: 5))
    }

    /// The queue's work per image does not grow with the number of waiting images.
    @Test func manyImagesOfOneCall() throws {
        let classifier = try classifier(batchSize: 1)
        let images = (0..<30_000).map { _ in ClassifierImage.planes(Tensor([1, 2, 2])) }
        let answers = try classifier.predict(images, top: 1)
        #expect(answers.count == 30_000 && answers.allSatisfy { $0.count == 1 })
    }

    @Test func whatIsWrongIsToldOfEachImage() async throws {
        let classifier = try classifier(batchSize: 4)
        let results = await classifier.results([
            .encoded([1, 2, 3]), .pixels(image(2)), .file("/no/such.png"),
            .pixels(Image(width: 2, height: 2, channels: 3, filledWith: 0)), .planes(Tensor([2, 2])), .pixels(image(1)),
        ])
        let codes = results.map { result -> AnnealError.Code? in
            if case .failure(let error) = result { error.code } else { nil }
        }
        #expect(codes == [.damaged, nil, .notFound, .mismatch, .mismatch, nil])
        #expect(try results[1].get()[0].className == "c" && results[5].get()[0].className == "b")
        if case .failure(let error) = results[0] { #expect(error.place == "image 1 of 6") }
        #expect(await classifier.results([]).isEmpty)
        #expect(try await classifier.predict(.pixels(image(0)), top: -1).isEmpty)
    }

    @Test func rowsOfACameraArePadded() throws {
        let image = try Image(rows: [1, 2, 0, 3, 4], width: 2, height: 2, channels: 1, bytesPerRow: 3)
        #expect(image.pixels == [1, 2, 3, 4])
        for (width, height, step) in [(2, 2, 1), (2, 3, 3), (0, 1, 3), (1 << 40, 1 << 40, 3), (2, 2, Int.max)] {
            #expect(throws: AnnealError.self) {
                try Image(rows: [1, 2, 0, 3, 4], width: width, height: height, channels: 1, bytesPerRow: step)
            }
        }
    }
}
