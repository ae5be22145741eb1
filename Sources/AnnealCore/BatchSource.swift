/// Where batches come from. The engine's input slots are filled in place: nothing is kept between calls.
public protocol BatchSource: AnyObject {
    /// Rows of a batch; every batch that is delivered has this many, the last one filled up.
    var batchSize: Int { get }
    /// One row of data, e.g. (channels, height, width).
    var dataShape: Shape { get }
    /// Labels of a row; 1 gives labels of shape (batch,), more (batch, labelWidth).
    var labelWidth: Int { get }
    /// Samples of an epoch, each delivered exactly once as a valid row.
    var count: Int { get }

    /// Starts an epoch, at a batch other than the first when a run is resumed inside it.
    func start(epoch: Int, atBatch: Int) throws

    /// Fills the slot with the next batch.
    /// - Returns: the valid rows, which come first (the rest repeats rows from the epoch's start, as MXNet's iterators
    ///   do, for updates that want a full batch); 0 when the epoch has ended, with the slot untouched.
    func next(into slot: BatchSlot) throws -> Int
}

extension BatchSource {
    public var batchesPerEpoch: Int { (count + batchSize - 1) / batchSize }
}

/// Memory that a batch is written into: the executor's own input buffers, in plain layout.
public struct BatchSlot {
    /// (batch, channels, height, width), row-major.
    public let data: UnsafeMutableBufferPointer<Float>
    /// (batch, labelWidth), row-major.
    public let labels: UnsafeMutableBufferPointer<Float>

    public init(data: UnsafeMutableBufferPointer<Float>, labels: UnsafeMutableBufferPointer<Float>) {
        self.data = data
        self.labels = labels
    }
}
