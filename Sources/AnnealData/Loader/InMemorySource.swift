import AnnealCore

/// Batches from arrays in memory, MXNet's `NDArrayIter`: for small data sets, tests and custom features.
public final class InMemorySource: BatchSource {
    public let batchSize: Int
    public let dataShape: Shape
    public let labelWidth: Int
    public let count: Int

    private let data: [Float]
    private let labels: [Float]
    private let shuffle: Bool
    private let seed: UInt64
    private var order: [Int32]
    private var cursor: Int

    /// - Parameters:
    ///   - data: (samples, ...), e.g. (60000, 1, 28, 28).
    ///   - labels: (samples,) or (samples, labelWidth).
    ///   - shuffle: reshuffles in each epoch.
    /// - Throws: `AnnealError` when the two have different numbers of samples, or none.
    public init(data: Tensor, labels: Tensor, batchSize: Int, shuffle: Bool = false, seed: UInt64 = 0) throws {
        guard data.shape.rank > 1, data.shape[0] > 0 else {
            throw AnnealError("data", "\(data.shape) is not (samples, ...)")
        }
        guard (1...2).contains(labels.shape.rank), labels.shape[0] == data.shape[0], labels.count > 0 else {
            throw AnnealError("labels", "\(labels.shape) does not fit data of shape \(data.shape)")
        }
        guard batchSize > 0 else { throw AnnealError("batch size", "\(batchSize) is not a number of samples") }
        self.batchSize = batchSize
        dataShape = Shape(Array(data.shape.dims.dropFirst()))
        labelWidth = labels.count / data.shape[0]
        count = data.shape[0]
        self.data = data.elements
        self.labels = labels.elements
        self.shuffle = shuffle
        self.seed = seed
        order = Array(0..<Int32(data.shape[0]))
        cursor = data.shape[0]
    }

    public func start(epoch: Int, atBatch: Int) {
        if shuffle {
            var random = Random(seed: seed, purpose: .shuffle, epoch: epoch)
            order = random.permutation(count)
        }
        cursor = min(count, atBatch * batchSize)
    }

    public func next(into slot: BatchSlot) -> Int {
        let size = dataShape.count
        precondition(
            slot.data.count >= batchSize * size && slot.labels.count >= batchSize * labelWidth,
            "the slot is too small for a batch of \(batchSize)")
        let valid = min(batchSize, count - cursor)
        guard valid > 0 else { return 0 }
        for row in 0..<batchSize {
            // Rows beyond the last sample wrap around to the epoch's start.
            let sample = Int(order[(cursor + row) % count])
            for i in 0..<size { slot.data[row * size + i] = data[sample * size + i] }
            for i in 0..<labelWidth { slot.labels[row * labelWidth + i] = labels[sample * labelWidth + i] }
        }
        cursor += valid
        return valid
    }
}
