/// A source of batches. It fills the engine's input slots in place and keeps nothing between calls.
public protocol BatchSource: AnyObject {
    /// Rows of a batch; every batch that is delivered has this many, the last one padded.
    var batchSize: Int { get }
    /// One row of data, e.g. (channels, height, width).
    var dataShape: Shape { get }
    /// Labels of a row; 1 gives labels of shape (batch,), more (batch, labelWidth).
    var labelWidth: Int { get }
    /// Samples of an epoch, each delivered exactly once as a valid row.
    var count: Int { get }
    /// How its 8-bit pixels become the network's floats; nil if the source only delivers floats. If set, `next` also
    /// takes slots for pixels.
    var pixelScaling: PixelScaling? { get }

    /// Starts an epoch; `batch` is not 0 when a run resumes in the middle of one.
    func start(epoch: Int, atBatch: Int) throws

    /// Fills the slot with the next batch.
    /// - Returns: the valid rows, which come first (the rest repeats rows from the epoch's start, as MXNet's iterators
    ///   do, for updates that want a full batch); 0 when the epoch has ended, with the slot untouched.
    func next(into slot: BatchSlot) throws -> Int
}

extension BatchSource {
    public var batchesPerEpoch: Int { (count + batchSize - 1) / batchSize }
    public var pixelScaling: PixelScaling? { nil }
}

/// How 8-bit pixels become the network's floats: (pixel - mean) * factor, by channel.
public struct PixelScaling: Sendable, Hashable {
    public var mean: [Float]
    /// One factor for each mean.
    public var factor: [Float]

    public init(mean: [Float], factor: [Float]) {
        self.mean = mean
        self.factor = factor
    }
}

/// Memory that a batch is written into: the executor's own input buffers, in plain layout.
public struct BatchSlot {
    /// (batch, channels, height, width), row-major; empty where `pixels` are to be written.
    public let data: UnsafeMutableBufferPointer<Float>
    /// As `data`, for 8-bit pixels that the device converts to floats; nil where floats are to be written.
    public let pixels: UnsafeMutableBufferPointer<UInt8>?
    /// (batch, labelWidth), row-major.
    public let labels: UnsafeMutableBufferPointer<Float>

    /// A slot for floats: `data` and `labels` hold a whole batch, row-major.
    public init(data: UnsafeMutableBufferPointer<Float>, labels: UnsafeMutableBufferPointer<Float>) {
        self.data = data
        self.pixels = nil
        self.labels = labels
    }

    /// For a source with a `pixelScaling`.
    public init(pixels: UnsafeMutableBufferPointer<UInt8>, labels: UnsafeMutableBufferPointer<Float>) {
        self.data = UnsafeMutableBufferPointer(start: nil, count: 0)
        self.pixels = pixels
        self.labels = labels
    }

    /// The same images with other labels.
    package func with(labels: UnsafeMutableBufferPointer<Float>) -> BatchSlot {
        pixels.map { BatchSlot(pixels: $0, labels: labels) } ?? BatchSlot(data: data, labels: labels)
    }
}
