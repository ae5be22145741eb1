import AnnealCompiler
import AnnealCore
import AnnealGraph
import AnnealImport
import AnnealTrain

extension ForeignModel {
    /// The result of `restoreBatchNorm`.
    public struct RestoredBatchNorm: Sendable {
        /// The number of batch norms that were inserted.
        public var norms: Int
        /// The number of images used for the statistics.
        public var images: Int
        /// The largest change of some images' scores, relative to the largest score.
        public var change: Float
    }

    /// Reinserts batch norm after the convolutions that it was folded into, with statistics of their outputs for
    /// images. The inference results do not change.
    ///
    /// - Parameters:
    ///   - source: images as the network takes them, in any order; labels are ignored.
    ///   - images: the maximum number of images.
    /// - Throws: `AnnealError` for a network without such convolutions, and for images that cannot be read.
    public mutating func restoreBatchNorm(_ source: some BatchSource, images: Int = 512) throws -> RestoredBatchNorm {
        let before = checkpoint(), restoration = try BatchNormRestoration(symbol, image: imageShape)
        guard !restoration.sites.isEmpty else {
            throw AnnealError(
                path, "has no convolution that batch norm was folded into",
                suggestion: "import it without --restore-batch-norm", code: .unsupported)
        }
        let scores = try symbol.endingInLogits()
        let data = try symbol.dataName(), shape = Shape([source.batchSize] + imageShape)
        let executor = try Executor(
            Symbol(restoration.sites.map(\.output) + scores.outputs), inputs: [data: shape], mode: .inference)
        try before.restore(executor.parameters, place: path)
        guard let slot = executor.input(data) else { throw AnnealError(path, "does not read \(data)") }
        let labels = UnsafeMutableBufferPointer<Float>.allocate(capacity: source.batchSize * source.labelWidth)
        defer { labels.deallocate() }
        var sums = restoration.sites.map { _ in ChannelSums() }, count = 0
        var first: (data: Tensor, scores: Tensor)?
        try source.start(epoch: 0, atBatch: 0)
        while count < images {
            let rows = try source.next(into: BatchSlot(data: slot, labels: labels))
            guard rows > 0 else { break }
            try executor.forward()
            for index in sums.indices { sums[index].add(try executor.output(index), rows: rows) }
            if first == nil { first = (Tensor(shape, Array(slot)), try executor.output(sums.count)) }
            count += rows
        }
        guard let first else { throw AnnealError(path, "there are no images to restore batch norm with") }
        let restored = try restoration.restored(
            sums.map(\.statistics), biases: before.arguments.mapValues(\.elements))
        let after = Checkpoint(
            symbol: restored.symbol, arguments: before.arguments.merging(restored.arguments) { $1 },
            auxiliary: before.auxiliary.merging(restored.auxiliary) { $1 })
        let check = try Executor(restored.symbol.endingInLogits(), inputs: [data: shape], mode: .inference)
        try after.restore(check.parameters, place: path)
        try check.setInput(data, first.data)
        try check.forward()
        let largest = first.scores.elements.map(abs).max() ?? 0
        let difference = zip(try check.output().elements, first.scores.elements).map { abs($0 - $1) }.max() ?? 0
        replace(with: after)
        return RestoredBatchNorm(
            norms: restoration.sites.count, images: count, change: largest > 0 ? difference / largest : difference)
    }
}

/// Sums over images and positions, for each channel.
private struct ChannelSums {
    private var sum: [Double] = []
    private var squares: [Double] = []
    private var count = 0

    /// - Parameter output: (batch, channels, …); the first `rows` of the batch count.
    mutating func add(_ output: Tensor, rows: Int) {
        let channels = output.shape[1], positions = output.shape.dims.dropFirst(2).reduce(1, *)
        if sum.isEmpty { (sum, squares) = (Array(repeating: 0, count: channels), Array(repeating: 0, count: channels)) }
        for row in 0..<rows {
            for channel in 0..<channels {
                let start = (row * channels + channel) * positions
                var total = 0.0, square = 0.0
                for place in start..<start + positions {
                    let value = Double(output.elements[place])
                    total += value
                    square += value * value
                }
                sum[channel] += total
                squares[channel] += square
            }
        }
        count += rows * positions
    }

    var statistics: BatchNormRestoration.Statistics {
        let mean = sum.map { $0 / Double(max(count, 1)) }
        let variance = zip(squares, mean).map { max(0, $0 / Double(max(count, 1)) - $1 * $1) }
        return .init(mean: mean, variance: variance)
    }
}
