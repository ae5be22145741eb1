import AnnealCore

/// The same random batch over and over, MXNet's `--benchmark 1`: the time of training without its data.
public final class SyntheticSource: BatchSource {
    public let batchSize: Int
    public let dataShape: Shape
    public let labelWidth = 1
    public var count: Int { batches * batchSize }

    private let batches: Int
    private let data: [Float]
    private let labels: [Float]
    private var next: Int

    /// - Parameters:
    ///   - dataShape: of an image; values are uniform in -1 ..< 1.
    ///   - batches: per epoch; 500 in MXNet's scripts.
    public init(dataShape: Shape, batchSize: Int, classes: Int, batches: Int = 500, seed: UInt64 = 0) {
        precondition(batchSize > 0 && classes > 0 && batches > 0)
        self.batchSize = batchSize
        self.dataShape = dataShape
        self.batches = batches
        var random = Random(seed: seed, purpose: .test)
        data = (0..<(batchSize * dataShape.count)).map { _ in random.uniform(-1, 1) }
        labels = (0..<batchSize).map { _ in Float(random.below(classes)) }
        next = batches
    }

    public func start(epoch: Int, atBatch: Int) { next = atBatch }

    public func next(into slot: BatchSlot) -> Int {
        guard next < batches else { return 0 }
        next += 1
        precondition(
            slot.data.count >= data.count && slot.labels.count >= batchSize,
            "the slot is too small for a batch of \(batchSize)")
        data.withUnsafeBufferPointer { _ = slot.data.update(fromContentsOf: $0) }
        labels.withUnsafeBufferPointer { _ = slot.labels.update(fromContentsOf: $0) }
        return batchSize
    }
}

/// Stands in for records, with one small gray image per sample: for planning without data.
public struct NoSamples: SampleSource {
    public let path = "synthetic data"
    public let count: Int
    public var turnsUpright: Bool { false }
    public var dependsOnEpoch: Bool { false }
    private let image: [UInt8]

    public init(count: Int) throws {
        self.count = count
        image = try Image(width: 1, height: 1, channels: 1, filledWith: 0).encoded(as: .png(level: 0))
    }

    public func readSample(_ number: Int, epoch: Int, into payload: inout [UInt8]) -> SampleHeader {
        payload = image
        return SampleHeader(id: UInt64(number), labels: [0])
    }

    public func classLabel(of number: Int) -> Float { 0 }
    public func place(of number: Int, id: UInt64?) -> String { "\(path), image \(number)" }
    public func offset(of number: Int) -> Int { 0 }
}
