import AnnealCore

/// Maps positions of an epoch to samples: a pure function of the settings and the epoch.
///
/// Positions count from 0; those from `count` on are the padding of the last batch. If only some rows of each batch are
/// delivered, positions count only those.
struct EpochOrder: Sendable {
    /// Samples of an epoch.
    let count: Int
    /// Where the epoch's own rows start: above 0 only after an epoch that rolled over.
    let start: Int
    private let epoch: Int
    private let first: Int
    private let rolls: Bool
    private let rows: [Int]?
    private let batchSize: Int
    /// The permutations of this epoch and, when it rolls over, of the next; empty without shuffling.
    private let permutations: [[Int32]]

    /// - Parameter samples: the indices of the part's samples in the source.
    init(samples: Range<Int>, epoch: Int, options: LoaderOptions) {
        count = samples.count
        first = samples.lowerBound
        self.epoch = epoch
        rolls = options.lastBatch == .rollsOver
        rows = options.rows
        batchSize = options.batchSize
        start = rolls ? EpochOrder.rolledStart(epoch, count: samples.count, batch: options.batchSize) : 0
        let batches = (samples.count - start + options.batchSize - 1) / options.batchSize
        let epochs = rolls ? (start + batches * options.batchSize + samples.count - 1) / samples.count : 1
        permutations =
            options.shuffle
            ? (0..<epochs).map {
                var random = Random(seed: options.seed, purpose: .shuffle, epoch: epoch + $0)
                return random.permutation(samples.count)
            } : []
    }

    /// The sample's index in the source, and the epoch that determines its augmentation.
    subscript(position: Int) -> (number: Int, epoch: Int) {
        guard let rows else { return sample(position) }
        return sample(position / rows.count * batchSize + rows[position % rows.count])
    }

    /// The sample at a position that counts all rows.
    func sample(_ position: Int) -> (number: Int, epoch: Int) {
        let index = position % count
        let lap = rolls ? position / count : 0
        return (first + (permutations.isEmpty ? index : Int(permutations[lap][index])), epoch + lap)
    }

    private static func rolledStart(_ epoch: Int, count: Int, batch: Int) -> Int {
        var start = 0
        for _ in 0..<epoch {
            let batches = (count - start + batch - 1) / batch
            start = (start + batches * batch - count) % count
        }
        return start
    }
}
