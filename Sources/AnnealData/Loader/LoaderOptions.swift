import AnnealCore
import Foundation

/// What to do with a record whose image cannot be decoded or augmented.
public enum BadRecordPolicy: String, Sendable, CaseIterable {
    /// `next` throws an error that names the record.
    case abort
    /// The record is left out of every epoch, and listed once in `BatchLoader.badRecords`.
    case skip
}

/// How a last batch is padded when there are not enough samples.
public enum LastBatch: Sendable {
    /// With rows from the epoch's start, not counted as valid: every epoch has each sample exactly once.
    case filled
    /// MXNet's `round_batch`: with rows of the next epoch, counted as valid; that epoch then starts after them.
    case rollsOver
}

/// The settings of a `BatchLoader`; names and defaults as in MXNet's ImageRecordIter where it has them.
public struct LoaderOptions: Sendable {
    /// (channels, height, width) of a row; 1 channel decodes to gray, 3 to RGB, 4 to RGBA.
    public var dataShape: Shape
    public var batchSize: Int
    public var labelWidth = 1
    public var augmentation = Augmentation()
    /// Augmentation steps to use instead of those of `augmentation`: for custom steps.
    public var steps: [any AugmentationStep]?
    public var normalization = Normalization()
    /// Reshuffles the whole part in each epoch.
    public var shuffle = false
    /// For the order and the augmentations.
    public var seed: UInt64 = 0
    /// Decoding threads. They affect the speed, never the pixels.
    public var threads = LoaderOptions.defaultThreads
    /// Batches prepared ahead, as bytes (at most 256 MB beyond two batches).
    public var prefetch = 4
    public var lastBatch = LastBatch.filled
    public var onBadRecord = BadRecordPolicy.abort
    /// If set, a label outside 0 ..< numClasses is an error. With `onBadRecord` `.skip` such records are skipped as
    /// damaged as long as they are at most one in twenty: if there are more, the records do not match the network.
    public var numClasses: Int?
    /// The file is divided into `numParts` runs of ceil(count / numParts) records; this loader reads run `partIndex`.
    public var numParts = 1
    public var partIndex = 0
    /// The rows of each batch to deliver, in this order; all if nil. Processes that share batches take some each.
    package var rows: [Int]?
    /// The rows of a batch that each process takes, if each reads a run of the samples of its own in every epoch; empty: all
    /// read everywhere.
    package var partRows: [Int] = []
    /// Samples that are known to be bad, and left out of every epoch: the others follow one another as if these had been met and
    /// skipped.
    package var leftOut: [BadRecord] = []
    /// Larger images are refused before memory is allocated for them.
    public var maximumPixels = Image.maximumPixels
    /// Bytes for decoded images that are cached for later epochs; images that do not fit are decoded each time.
    public var cachedBytes = 0
    /// Reads a record file sequentially in the background when training begins, up to half of the free memory: for
    /// disks with slow seeks.
    public var readsAhead = false
    /// Decode JPEG images of more than half a million pixels at full size, too. Otherwise they are decoded at 1/2, 1/4
    /// or 1/8, at the smallest scale that is still large enough for the first step: a random part that is resized to
    /// the image shape, or the resizing of the shorter side. That gives slightly different pixels than resizing the
    /// full image. Smaller images have the same pixels either way.
    public var decodesExactly = false
    /// The number of pixels above which an image is large.
    package var largeImage = 1 << 19
    /// Labels by record id, used instead of the records' own (`path_imglist`).
    public var labels: [UInt64: [Float]]?

    /// The number of cores, at most 4.
    public static var defaultThreads: Int { min(4, max(1, ProcessInfo.processInfo.activeProcessorCount)) }

    /// 65536 x 65536, the largest size of a JPEG.
    public static let mostPixels = 1 << 32

    /// - Parameters:
    ///   - dataShape: (channels, height, width) of a row.
    ///   - batchSize: rows of a batch.
    public init(dataShape: Shape, batchSize: Int) {
        self.dataShape = dataShape
        self.batchSize = batchSize
    }

    /// Uses the labels of a list file.
    public mutating func relabel(with list: ImageList) {
        labels = Dictionary(
            list.items.map { (UInt64(bitPattern: Int64($0.id)), $0.labels) }, uniquingKeysWith: { _, last in last })
    }

    /// The number of rows of each batch that are delivered.
    package var slotRows: Int { rows?.count ?? batchSize }

    /// - Throws: `AnnealError` naming an id in the list with a label that is not a class number.
    func checkListedLabels(_ classes: Int) throws {
        func isWrong(_ labels: [Float]) -> Bool {
            labels.count == 1 && (try? ClassLabel.check(labels[0], classes: classes)) == nil
        }
        guard let (id, wrong) = labels?.filter({ isWrong($0.value) }).min(by: { $0.key < $1.key }) else { return }
        do {
            try ClassLabel.check(wrong[0], classes: classes)
        } catch let error as AnnealError {
            throw error.within("list of labels, id \(id)")
        }
    }

    /// - Throws: `AnnealError` naming the invalid setting.
    package func check() throws {
        func demand(_ holds: Bool, _ place: String, _ problem: @autoclosure () -> String) throws {
            if !holds { throw AnnealError(place, problem()) }
        }
        try demand(
            dataShape.rank == 3 && [1, 3, 4].contains(dataShape[0]) && dataShape[1] > 0 && dataShape[2] > 0
                && dataShape[1] <= 1 << 16 && dataShape[2] <= 1 << 16
                && dataShape[1] * dataShape[2] <= Image.maximumPixels,
            "image shape", "\(dataShape) is not (1, 3 or 4 channels, height, width)")
        try demand(batchSize > 0 && batchSize <= 1 << 24, "batch size", "\(batchSize) is not a number of samples")
        try demand(labelWidth > 0 && labelWidth <= 1 << 20, "label width", "\(labelWidth) is not a number of labels")
        try demand(
            (1...LoaderOptions.mostPixels).contains(maximumPixels), "--max-image-pixels",
            "is \(maximumPixels), not between 1 and \(LoaderOptions.mostPixels)")
        try demand(threads > 0 && threads <= 1024, "decoding threads", "\(threads) is not between 1 and 1024")
        try demand(cachedBytes >= 0, "--cache-decoded", "is \(cachedBytes), not a number of bytes")
        try demand(prefetch > 0, "prefetch", "\(prefetch) is not a number of batches")
        try demand(
            numParts > 0 && (0..<numParts).contains(partIndex), "part", "\(partIndex) of \(numParts) does not exist")
        try demand(
            !normalization.std.contains { $0 == 0 || !$0.isFinite }, "std",
            "\(normalization.std) has a zero to divide by")
        try augmentation.check(channels: dataShape[0])
        try demand(
            rows == nil || lastBatch == .filled, "last batch",
            "batches that several processes share do not roll over into the next epoch")
        try demand(
            partRows.isEmpty || partRows.allSatisfy { $0 >= 0 } && partRows.reduce(0, +) == batchSize, "parts",
            "\(partRows) are not the rows of a batch of \(batchSize)")
        try demand(
            lastBatch == .filled || onBadRecord == .abort, "last batch",
            "bad records cannot be skipped when batches roll over into the next epoch")
    }
}
