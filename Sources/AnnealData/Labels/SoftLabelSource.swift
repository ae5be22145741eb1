import AnnealCore
import Foundation

/// Batches with rows of class probabilities, (batch, classes), in place of class labels, and with images that may be
/// mixed: for a `Trainer` with `softLabels`.
///
/// Every random choice follows from the seed, the epoch and the batch's index in it. Row i is mixed with row batch - 1
/// - i, so that each image is in two rows, with shares that sum to 1.
public final class SoftLabelSource: BatchSource {
    public let labels: SoftLabels
    public let classes: Int
    public var batchSize: Int { source.batchSize }
    public var dataShape: Shape { source.dataShape }
    public var labelWidth: Int { classes }
    public var count: Int { source.count }
    /// nil: pixels could be swapped, but not blended without rounding.
    public var pixelScaling: PixelScaling? {
        labels.mixup > 0 || !paired.isEmpty ? nil : source.pixelScaling
    }

    private let source: any BatchSource
    private let seed: UInt64
    /// The rows of each batch that are delivered.
    private let rows: Range<Int>
    /// The row of the source's batches that has no partner: the middle of an odd batch.
    private var unpaired: Int? {
        let middle = batchSize / 2
        return batchSize % 2 == 1 && rows.contains(middle) && rows.count < batchSize ? middle - rows.lowerBound : nil
    }
    /// The rows that the source delivers if these are not all: the requested rows, and their partners.
    private let paired: UnsafeMutableBufferPointer<Float>
    private var epoch = 0
    private var batch = 0
    private var classLabels: [Float]

    /// - Parameter source: has one label per row, a class number.
    /// - Throws: `AnnealError` when the settings are invalid or do not fit the source.
    public convenience init(_ source: any BatchSource, labels: SoftLabels, classes: Int, seed: UInt64 = 0) throws {
        try self.init(source, labels: labels, classes: classes, seed: seed, rows: nil)
    }

    /// The rows of each batch that a source must deliver, so that some can be mixed with their partners.
    package static func sourceRows(_ rows: Range<Int>, of batch: Int) -> [Int] {
        let partners = (batch - rows.upperBound)..<(batch - rows.lowerBound)
        return rows.count == batch ? Array(rows) : Array(rows) + Array(partners)
    }

    /// - Parameter rows: the rows to deliver, where the source delivers `sourceRows`; all if nil.
    package init(
        _ source: any BatchSource, labels: SoftLabels, classes: Int, seed: UInt64, rows: Range<Int>?
    ) throws {
        try labels.check(classes: classes)
        guard source.labelWidth == 1 else {
            throw AnnealError(
                "data", "has \(source.labelWidth) labels per image, but soft labels require one class each",
                suggestion: "leave out --label-smoothing, --mixup, --cutmix and --class-weights")
        }
        guard labels.cutmix == 0 || source.dataShape.rank == 3 else {
            throw AnnealError(
                "--cutmix", "requires images, but the data has rows of \(source.dataShape)", suggestion: "leave it out")
        }
        self.source = source
        self.labels = labels
        self.classes = classes
        self.seed = seed
        let rows = rows ?? 0..<source.batchSize, sourceRows = Self.sourceRows(rows, of: source.batchSize).count
        self.rows = rows
        classLabels = Array(repeating: 0, count: sourceRows)
        let floats = rows.count == source.batchSize ? 0 : sourceRows * source.dataShape.count
        paired = UnsafeMutableBufferPointer(start: try allocateFloats(floats, for: "images to be mixed"), count: floats)
    }

    deinit { free(paired.baseAddress) }

    public func start(epoch: Int, atBatch: Int) throws {
        try source.start(epoch: epoch, atBatch: atBatch)
        self.epoch = epoch
        batch = atBatch
    }

    /// As `BatchSource.next`.
    /// - Throws: the source's errors, and `AnnealError` for a label that is not a class number.
    public func next(into slot: BatchSlot) throws -> Int {
        precondition(slot.labels.count >= rows.count * classes, "the slot has no room for \(classes) labels a row")
        let images = paired.isEmpty ? slot : BatchSlot(data: paired, labels: slot.labels), all = classLabels.count
        let valid = try classLabels.withUnsafeMutableBufferPointer {
            try source.next(into: images.with(labels: $0))
        }
        guard valid > 0 else { return 0 }
        do {
            for label in classLabels { try ClassLabel.check(label, classes: classes) }
        } catch let error as AnnealError {
            throw error.within("a row of the batch")
        }
        var random = Random(seed: seed, purpose: .mix, epoch: epoch, index: batch)
        batch += 1
        // Row i of the source's batch is mixed with row all - 1 - i, as in the whole batch.
        let share = mixImages(images, rows: all, &random)
        if !paired.isEmpty { _ = slot.data.update(from: paired[..<(rows.count * dataShape.count)]) }
        for row in rows.indices.map({ $0 - rows.lowerBound }) {
            labels.fill(
                UnsafeMutableBufferPointer(rebasing: slot.labels[(row * classes)..<((row + 1) * classes)]),
                Int(classLabels[row]), Int(classLabels[all - 1 - row]), share: share)
        }
        return valid
    }

    /// - Returns: for each row the remaining share of its own image.
    private func mixImages(_ slot: BatchSlot, rows: Int, _ random: inout Random) -> Float {
        let both = labels.mixup > 0 && labels.cutmix > 0
        if labels.cutmix > 0, !both || random.bool() {
            let share = random.symmetricBeta(Double(labels.cutmix))
            if let pixels = slot.pixels {
                return ImageMixing.exchangeRectangles(
                    pixels, batch: rows, except: unpaired, shape: dataShape, share: share, &random)
            }
            return ImageMixing.exchangeRectangles(
                slot.data, batch: rows, except: unpaired, shape: dataShape, share: share, &random)
        }
        guard labels.mixup > 0 else { return 1 }
        let share = Float(random.symmetricBeta(Double(labels.mixup)))
        ImageMixing.blend(slot.data, batch: rows, except: unpaired, rowSize: dataShape.count, share: share)
        return share
    }
}
