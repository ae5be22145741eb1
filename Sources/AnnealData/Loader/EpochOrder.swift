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
    /// The permutations of this epoch and, when it rolls over, of the next; empty where samples stay in order.
    private let permutations: [[Int32]]

    /// - Parameter samples: the indices of the part's samples in the source.
    init(samples: Range<Int>, epoch: Int, options: LoaderOptions) {
        let leftOut = Set(options.leftOut.map(\.number)).filter(samples.contains)
        count = samples.count - leftOut.count
        first = samples.lowerBound
        self.epoch = epoch
        rolls = options.lastBatch == .rollsOver
        rows = options.rows
        batchSize = options.batchSize
        start = rolls ? EpochOrder.rolledStart(epoch, count: count, batch: options.batchSize) : 0
        let batches = (count - start + options.batchSize - 1) / options.batchSize
        let epochs = rolls ? (start + batches * options.batchSize + count - 1) / max(1, count) : 1
        guard options.shuffle || !leftOut.isEmpty || !options.partRows.isEmpty else {
            permutations = []
            return
        }
        permutations = (0..<epochs).map {
            var order = Array(0..<Int32(samples.count))
            if options.shuffle {
                var random = Random(seed: options.seed, purpose: .shuffle, epoch: epoch + $0)
                order = random.permutation(samples.count)
            }
            if !leftOut.isEmpty { order = order.filter { !leftOut.contains(samples.lowerBound + Int($0)) } }
            return options.partRows.isEmpty ? order : Self.inParts(order, rows: options.partRows)
        }
    }

    /// The same samples in an order in which each part's rows of a batch come from the part's own run of samples. What
    /// the runs have beyond whole batches comes last, so that each sample still occurs once.
    private static func inParts(_ order: [Int32], rows: [Int]) -> [Int32] {
        let batch = rows.reduce(0, +), count = order.count, sorted = order.sorted()
        var parts: [[Int32]] = [], before = 0
        for row in rows {
            let run = sorted[(count * before / batch)..<(count * (before + row) / batch)]
            before += row
            guard let first = run.first, let last = run.last else {
                parts.append([])
                continue
            }
            parts.append(order.filter { (first...last).contains($0) })
        }
        let whole = count / batch
        var result = (0..<whole).flatMap { number in
            zip(parts, rows).flatMap { part, row in part[(number * row)..<((number + 1) * row)] }
        }
        for (part, row) in zip(parts, rows) { result += part[(whole * row)...] }
        return result
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
