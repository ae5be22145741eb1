import Dispatch
import Synchronization

/// A trained model that classifies images: network, parameters and preprocessing of a checkpoint, compiled once.
///
/// ```swift
/// let classifier = try Classifier(prefix: "resnet-20", epoch: 10)
/// let best = try await classifier.predict(.file("a.jpg"))[0]
/// print(best.className, best.probability)
/// ```
/// Images are processed as in training's validation: the same decoder, resizing, crop and normalisation, in the same
/// code.
///
/// Any number of tasks and threads can share one classifier: the weights are in memory once, and the network runs on
/// the classifier's own thread, so that it blocks neither `await` nor the callers' executors. Images that wait at the
/// same time, from one call or several, are computed together, up to `batchSize` of them; an image's answer does not
/// depend on the others. In asynchronous code use `await`: the synchronous methods block the calling thread.
public final class Classifier: Sendable {
    /// A class and its score.
    public struct Prediction: Sendable, Equatable {
        /// The class name, or its index as text if the checkpoint has no names.
        public var className: String
        public var index: Int
        /// The network's output for the class: a probability only if the classifier's `scores` says so.
        public var probability: Float
    }

    /// By label; the labels themselves if the checkpoint has no names.
    public let classNames: [String]
    /// The kind of the scores in a prediction.
    public let scores: ClassifierNetwork.Scores
    /// (channels, height, width) of the network's input.
    public let imageShape: Shape
    private let worker: ClassifierWorker

    /// - Parameters:
    ///   - saved: e.g. `SavedModel("runs/2026-11-23_10-00-00-train", .best)` or `SavedModel("resnet18.onnx")`.
    ///   - batchSize: the maximum number of images computed together; the cost is the same for fewer. 1 has the lowest
    ///     latency, 32 a higher throughput.
    ///   - preprocessing: overrides the checkpoint's own record, which MXNet's checkpoints lack.
    ///   - device: where it runs; the CPU if nil.
    /// - Throws: `AnnealError` for a checkpoint that does not exist, is damaged, or has no record of its preprocessing.
    public convenience init(
        _ saved: SavedModel, batchSize: Int = 1, preprocessing: Preprocessing? = nil, device: Device? = nil
    ) throws {
        let content = try saved.content(imageShape: preprocessing?.imageShape)
        guard let preprocessing = preprocessing ?? content.preprocessing else {
            throw AnnealError(
                saved.recordPath,
                saved.foreignFile == nil
                    ? "does not exist, so it is not known how images were prepared"
                    : "does not say how images were prepared",
                suggestion: "pass Preprocessing(imageShape:mean:std:)", code: .notFound)
        }
        try self.init(
            content.checkpoint, preprocessing: preprocessing, batchSize: batchSize, place: saved.parametersPath,
            device: device)
    }

    /// As above, with a model's name as for `SavedModel` and the checkpoint's number.
    public convenience init(
        prefix: String, epoch: Int, batchSize: Int = 1, preprocessing: Preprocessing? = nil, device: Device? = nil
    ) throws {
        try self.init(
            SavedModel(prefix, .number(epoch)), batchSize: batchSize, preprocessing: preprocessing, device: device)
    }

    /// - Parameters:
    ///   - threads: threads that decode the images of a batch.
    ///   - maximumPixels: larger images are refused.
    ///   - decodesExactly: whether large JPEG images are decoded at full size (`LoaderOptions.decodesExactly`).
    ///   - views: the probabilities of these views of each image are averaged (test-time augmentation).
    ///   - place: the checkpoint's name in errors.
    ///   - device: where it runs; the CPU if nil.
    public init(
        _ checkpoint: Checkpoint, preprocessing: Preprocessing, batchSize: Int = 1,
        threads: Int = LoaderOptions.defaultThreads, maximumPixels: Int = Image.maximumPixels,
        decodesExactly: Bool = false, views: TestTimeViews = .none, place: String, device: Device? = nil
    ) throws {
        var options = LoaderOptions(validating: preprocessing, batchSize: batchSize)
        options.threads = threads
        options.maximumPixels = maximumPixels
        options.decodesExactly = decodesExactly
        try options.check()
        let network = try checkpoint.network()
        scores = network.scores
        let scorer = try Scorer(
            network, dataShape: options.dataShape, batchSize: batchSize, views: views, device: device)
        try checkpoint.restore(scorer.parameters, place: place)
        let classes = try network.classes(options.dataShape)
        let names = preprocessing.classNames ?? (0..<classes).map(String.init)
        guard names.count == classes else {
            throw AnnealError(
                place, "has \(classes) classes, but its preprocessing names \(names.count)", code: .mismatch)
        }
        classNames = names
        imageShape = options.dataShape
        worker = try ClassifierWorker(scorer, options: options)
    }

    deinit { worker.stop() }

    /// The `top` most probable classes of an image, the best first.
    /// - Throws: `AnnealError` when the image cannot be read or decoded, or does not fit the network.
    public func predict(_ image: ClassifierImage, top: Int = 5) throws -> [Prediction] {
        try predict([image], top: top)[0]
    }

    /// The `top` most probable classes of each image, the best first.
    /// - Throws: `AnnealError` naming the first image that cannot be read or decoded, or does not fit the network.
    public func predict(_ images: [ClassifierImage], top: Int = 5) throws -> [[Prediction]] {
        try results(images, top: top).map { try $0.get() }
    }

    /// The `top` most probable classes of each image, or why it has none.
    public func results(_ images: [ClassifierImage], top: Int = 5) -> [Result<[Prediction], AnnealError>] {
        results(samples(images), top)
    }

    /// As `predict`, for JPEG and PNG files.
    public func predict(imagePaths: [String], top: Int = 5) throws -> [[Prediction]] {
        try predict(imagePaths.map { .file($0) }, top: top)
    }

    /// As `predict`, for the bytes of a JPEG or PNG file.
    public func predict(image bytes: [UInt8], top: Int = 5) throws -> [Prediction] {
        try predict(.encoded(bytes), top: top)
    }

    /// Calls `body` with each image's index and its classes or error, in order, as batches complete.
    public func predict(
        _ images: some SampleSource, top: Int = 5,
        _ body: (Int, Result<[Prediction], AnnealError>) throws -> Void
    ) throws {
        for first in stride(from: 0, to: images.count, by: worker.batchSize) {
            let numbers = first..<min(images.count, first + worker.batchSize)
            let results = results(numbers.map { .sample(images, $0) }, top)
            for (number, result) in zip(numbers, results) { try body(number, result) }
        }
    }

    private func results(_ samples: [ClassifierSample], _ top: Int) -> [Result<[Prediction], AnnealError>] {
        let answer = Answer(), isThere = DispatchSemaphore(value: 0)
        worker.submit(samples) { scores in
            answer.scores.withLock { $0 = scores }
            isThere.signal()
        }
        isThere.wait()
        return predictions(answer.scores.withLock { $0 }, top)
    }

    /// Results that the worker's thread writes and another thread waits for.
    private final class Answer: Sendable {
        let scores = Mutex<[ClassifierWorker.Scores]>([])
    }

    private func samples(_ images: [ClassifierImage]) -> [ClassifierSample] {
        images.enumerated().map { index, image in
            ClassifierSample(image, name: images.count == 1 ? "image" : "image \(index + 1) of \(images.count)")
        }
    }

    private func predictions(
        _ scores: [ClassifierWorker.Scores], _ top: Int
    ) -> [Result<[Prediction], AnnealError>] {
        scores.map { $0.map { best(top, $0) } }
    }

    /// Of equal scores the first class ranks higher, as in `Accuracy`; NaN ranks lowest.
    private func best(_ top: Int, _ scores: [Float]) -> [Prediction] {
        func isHigher(_ a: Float, _ b: Float) -> Bool { a > b || (!a.isNaN && b.isNaN) }
        let order = scores.indices.sorted { a, b in
            isHigher(scores[a], scores[b]) || (a < b && !isHigher(scores[b], scores[a]))
        }
        return order.prefix(max(0, top)).map { index in
            Prediction(className: classNames[index], index: index, probability: scores[index])
        }
    }
}

extension Classifier {
    /// The `top` most probable classes of an image, the best first.
    /// - Throws: `AnnealError` when the image cannot be read or decoded, or does not fit the network.
    public func predict(_ image: ClassifierImage, top: Int = 5) async throws -> [Prediction] {
        try await predict([image], top: top)[0]
    }

    /// The `top` most probable classes of each image, the best first.
    /// - Throws: `AnnealError` naming the first image that cannot be read or decoded, or does not fit the network.
    public func predict(_ images: [ClassifierImage], top: Int = 5) async throws -> [[Prediction]] {
        try await results(images, top: top).map { try $0.get() }
    }

    /// The `top` most probable classes of each image, or why it has none.
    public func results(_ images: [ClassifierImage], top: Int = 5) async -> [Result<[Prediction], AnnealError>] {
        let scores = await withCheckedContinuation { continuation in
            worker.submit(samples(images)) { continuation.resume(returning: $0) }
        }
        return predictions(scores, top)
    }

    /// As `predict`, for JPEG and PNG files.
    public func predict(imagePaths: [String], top: Int = 5) async throws -> [[Prediction]] {
        try await predict(imagePaths.map { .file($0) }, top: top)
    }

    /// As `predict`, for the bytes of a JPEG or PNG file.
    public func predict(image bytes: [UInt8], top: Int = 5) async throws -> [Prediction] {
        try await predict(.encoded(bytes), top: top)
    }
}

extension LoaderOptions {
    /// The options shared by training's validation, scoring and prediction: no random choices, no border.
    public init(validating preprocessing: Preprocessing, batchSize: Int) {
        self.init(dataShape: Shape(preprocessing.imageShape), batchSize: batchSize)
        augmentation.resize = preprocessing.resize ?? 0
        normalization = Normalization(mean: preprocessing.mean, std: preprocessing.std)
    }
}

extension Checkpoint {
    /// The number of classes of the network's output, for images of the shape.
    /// - Throws: `AnnealError` when its layers do not fit the shape, or its output is not (batch, classes).
    public func classes(imageShape: [Int]) throws -> Int {
        try network().classes(Shape(imageShape))
    }

    /// The roles of the symbol's variables and outputs.
    /// - Throws: `AnnealError` when it is not a classifier.
    public func network() throws -> ClassifierNetwork {
        try ClassifierNetwork(symbol, parameters: Set(arguments.keys))
    }
}
