/// A trained model that tells what is on images: network, parameters and preprocessing of a checkpoint, compiled once.
///
/// ```swift
/// let classifier = try Classifier(prefix: "resnet-20", epoch: 10)
/// for best in try classifier.predict(imagePaths: ["a.jpg", "b.png"]) { print(best[0].className, best[0].probability) }
/// ```
/// Images take the way of training's validation: the same decoder, resizing, crop and normalisation, in the same code.
/// Photographs are turned upright first. Not safe to use from two threads at once.
public final class Classifier {
    public struct Prediction: Sendable, Equatable {
        /// The class's name, or its index as text where the checkpoint has no names.
        public var className: String
        public var index: Int
        public var probability: Float
    }

    /// By label; the labels themselves where the checkpoint has no names.
    public let classNames: [String]
    private let options: LoaderOptions
    private let scorer: Scorer

    /// - Parameters:
    ///   - batchSize: images that are computed together: 1 answers soonest, 32 gets through many images sooner.
    ///   - preprocessing: instead of the checkpoint's own record, which MXNet's checkpoints lack.
    /// - Throws: `AnnealError` for a checkpoint that is not there, damaged, or without a record of its preprocessing.
    public convenience init(prefix: String, epoch: Int, batchSize: Int = 1, preprocessing: Preprocessing? = nil) throws
    {
        let checkpoint = try Checkpoint.load(prefix: prefix, epoch: epoch)
        guard let preprocessing = try preprocessing ?? Preprocessing.load(prefix: prefix) else {
            throw AnnealError(
                Preprocessing.path(prefix), "is not there, so how images were prepared is not known",
                suggestion: "say it with Preprocessing(imageShape:mean:std:)")
        }
        try self.init(
            checkpoint, preprocessing: preprocessing, batchSize: batchSize,
            place: Checkpoint.parametersPath(prefix, epoch))
    }

    /// - Parameters:
    ///   - threads: that decode images.
    ///   - views: what the network judges together of each image.
    ///   - place: how errors name the checkpoint.
    public init(
        _ checkpoint: Checkpoint, preprocessing: Preprocessing, batchSize: Int = 1,
        threads: Int = LoaderOptions.defaultThreads, views: TestTimeViews = .none, place: String
    ) throws {
        var options = LoaderOptions(validating: preprocessing, batchSize: batchSize)
        options.threads = threads
        options.onBadRecord = .skip
        self.options = options
        scorer = try Scorer(checkpoint.symbol, dataShape: options.dataShape, batchSize: batchSize, views: views)
        try checkpoint.restore(scorer.parameters, place: place)
        let classes = try checkpoint.classes(imageShape: preprocessing.imageShape)
        let names = preprocessing.classNames ?? (0..<classes).map(String.init)
        guard names.count == classes else {
            throw AnnealError(place, "has \(classes) classes, its preprocessing names \(names.count)")
        }
        classNames = names
    }

    /// The `top` most probable classes of each image, the best first.
    /// - Throws: `AnnealError` naming the first file that cannot be read or decoded.
    public func predict(imagePaths: [String], top: Int = 5) throws -> [[Prediction]] {
        try predict(ImageFiles(paths: imagePaths), top: top)
    }

    /// As above, of one encoded image (JPEG or PNG) in memory.
    public func predict(image bytes: [UInt8], top: Int = 5) throws -> [Prediction] {
        try predict(ImageBytes(bytes), top: top)[0]
    }

    private func predict(_ images: some SampleSource, top: Int) throws -> [[Prediction]] {
        var all: [[Prediction]] = []
        try predict(images, top: top) { _, result in all.append(try result.get()) }
        return all
    }

    /// Calls `body` with each image's number and what it shows or why it cannot be used, in order, as batches are done.
    public func predict(
        _ images: some SampleSource, top: Int = 5,
        _ body: (Int, Result<[Prediction], AnnealError>) throws -> Void
    ) throws {
        guard images.count > 0 else { return }
        var options = options
        options.threads = min(options.threads, images.count)
        let loader = try BatchLoader(images, options: options)
        var number = 0
        // The loader leaves bad images out and lists them: they are told where they would have stood.
        func tell(_ good: [[Prediction]]) throws {
            let bad = Dictionary(uniqueKeysWithValues: loader.badRecords.map { ($0.number, $0.reason) })
            for prediction in good.map(Optional.some) + [nil] {
                while let reason = bad[number] {
                    try body(number, .failure(reason))
                    number += 1
                }
                guard let prediction else { return }
                try body(number, .success(prediction))
                number += 1
            }
        }
        do {
            try scorer.run(loader) { batch in try tell((0..<batch.rows).map { best(top, batch, $0) }) }
        } catch let error as AnnealError {
            // A loader without one good image throws; here each of them is told.
            guard number == 0, loader.badRecords.count == images.count else { throw error }
        }
        try tell([])
    }

    /// Of equal scores the first class counts as higher, as in `Accuracy`; NaN counts as lowest.
    private func best(_ top: Int, _ batch: MetricBatch, _ row: Int) -> [Prediction] {
        let scores = batch.outputs[(row * batch.classes)..<((row + 1) * batch.classes)]
        func isHigher(_ a: Float, _ b: Float) -> Bool { a > b || (!a.isNaN && b.isNaN) }
        let order = scores.indices.sorted { a, b in
            isHigher(scores[a], scores[b]) || (a < b && !isHigher(scores[b], scores[a]))
        }
        return order.prefix(top).map { place in
            let index = place - scores.startIndex
            return Prediction(className: classNames[index], index: index, probability: scores[place])
        }
    }
}

extension LoaderOptions {
    /// What training's validation, scoring and predicting do alike: no random choices, no border.
    public init(validating preprocessing: Preprocessing, batchSize: Int) {
        self.init(dataShape: Shape(preprocessing.imageShape), batchSize: batchSize)
        augmentation.resize = preprocessing.resize ?? 0
        normalization = Normalization(mean: preprocessing.mean, std: preprocessing.std)
    }
}

extension Checkpoint {
    /// Classes of the network's output, for images of the shape.
    /// - Throws: `AnnealError` when its layers do not fit the shape, or its output is not (batch, classes).
    public func classes(imageShape: [Int]) throws -> Int {
        let outputs = try symbol.inferShapes(["data": Shape([1] + imageShape)]).outputs
        guard let shape = outputs.first, shape.rank == 2 else {
            throw AnnealError(
                "output", "has the shape \(outputs.first ?? []) for one image",
                suggestion: "a classifier's is (batch, classes)")
        }
        return shape[1]
    }
}
