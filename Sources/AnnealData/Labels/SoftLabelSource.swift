import AnnealCore

/// Batches whose class labels have become rows of probabilities, (batch, classes), and whose images may be mixed: what a
/// `Trainer` with `softLabels` trains on.
///
/// Every random choice follows from the seed, the epoch and the batch's number in it. Row i is mixed with row
/// batch - 1 - i, so that each image is in two rows, with shares that sum to 1.
public final class SoftLabelSource: BatchSource {
    public let labels: SoftLabels
    public let classes: Int
    public var batchSize: Int { source.batchSize }
    public var dataShape: Shape { source.dataShape }
    public var labelWidth: Int { classes }
    public var count: Int { source.count }
    /// Pixels can be exchanged, but not blended without rounding.
    public var pixelScaling: PixelScaling? { labels.mixup > 0 ? nil : source.pixelScaling }

    private let source: any BatchSource
    private let seed: UInt64
    private var epoch = 0
    private var batch = 0
    private var classLabels: [Float]

    /// - Parameter source: with one label a row, a class's number.
    /// - Throws: `AnnealError` when the settings make no sense or do not fit the source.
    public init(_ source: any BatchSource, labels: SoftLabels, classes: Int, seed: UInt64 = 0) throws {
        try labels.check(classes: classes)
        guard source.labelWidth == 1 else {
            throw AnnealError(
                "data", "has \(source.labelWidth) labels an image, soft labels are made of one class each",
                suggestion: "leave out --label-smoothing, --mixup, --cutmix and --class-weights")
        }
        guard labels.cutmix == 0 || source.dataShape.rank == 3 else {
            throw AnnealError(
                "--cutmix", "wants images, the data has rows of \(source.dataShape)", suggestion: "leave it out")
        }
        self.source = source
        self.labels = labels
        self.classes = classes
        self.seed = seed
        classLabels = Array(repeating: 0, count: source.batchSize)
    }

    public func start(epoch: Int, atBatch: Int) throws {
        try source.start(epoch: epoch, atBatch: atBatch)
        self.epoch = epoch
        batch = atBatch
    }

    /// As `BatchSource.next`.
    /// - Throws: the source's errors, and `AnnealError` for a label that names no class.
    public func next(into slot: BatchSlot) throws -> Int {
        precondition(slot.labels.count >= batchSize * classes, "the slot has no room for \(classes) labels a row")
        let rows = try classLabels.withUnsafeMutableBufferPointer {
            try source.next(into: slot.with(labels: $0))
        }
        guard rows > 0 else { return 0 }
        do {
            for label in classLabels { try ClassLabel.check(label, classes: classes) }
        } catch let error as AnnealError {
            throw error.within("a row of the batch")
        }
        var random = Random(seed: seed, purpose: .mix, epoch: epoch, index: batch)
        batch += 1
        let share = mixImages(slot, &random)
        for row in 0..<batchSize {
            labels.fill(
                UnsafeMutableBufferPointer(rebasing: slot.labels[(row * classes)..<((row + 1) * classes)]),
                Int(classLabels[row]), Int(classLabels[batchSize - 1 - row]), share: share)
        }
        return rows
    }

    /// - Returns: the share of each row's own image that is left in it.
    private func mixImages(_ slot: BatchSlot, _ random: inout Random) -> Float {
        let both = labels.mixup > 0 && labels.cutmix > 0
        if labels.cutmix > 0, !both || random.bool() {
            let share = random.symmetricBeta(Double(labels.cutmix))
            if let pixels = slot.pixels {
                return ImageMixing.exchangeRectangles(
                    pixels, batch: batchSize, shape: dataShape, share: share, &random)
            }
            return ImageMixing.exchangeRectangles(
                slot.data, batch: batchSize, shape: dataShape, share: share, &random)
        }
        guard labels.mixup > 0 else { return 1 }
        let share = Float(random.symmetricBeta(Double(labels.mixup)))
        ImageMixing.blend(slot.data, batch: batchSize, rowSize: dataShape.count, share: share)
        return share
    }
}
