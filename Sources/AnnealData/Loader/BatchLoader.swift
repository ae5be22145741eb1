import AnnealCore

/// Batches from a record file or image files: threads decode, augment and shuffle ahead, and batches are normalised
/// into the consumer's slot.
///
/// The same settings and seed give the same batches for any number of threads. A loader is used by one thread at a
/// time; its own threads end with it.
public final class BatchLoader: BatchSource {
    public let options: LoaderOptions
    public var batchSize: Int { options.batchSize }
    public var dataShape: Shape { options.dataShape }
    public var labelWidth: Int { options.labelWidth }
    public var pixelScaling: PixelScaling? {
        let channels = 0..<dataShape[0], normalization = options.normalization
        return PixelScaling(mean: channels.map(normalization.mean), factor: channels.map(normalization.factor))
    }
    /// Samples of this loader's part; with `onBadRecord` `.skip` the bad ones among them are not delivered.
    public let count: Int
    /// Positions of an epoch without the padding of the last batch; all if only some rows of each batch are delivered.
    private let ownEnd: Int

    public let source: any SampleSource
    /// The samples of the last batch's valid rows, as indices in the source.
    public private(set) var sampleNumbers: [Int] = []
    private let samples: Range<Int>
    /// Those that are not known to be bad.
    private let usable: Int
    private let core: LoaderCore
    private var running = false
    private var epoch = 0
    private var order: EpochOrder
    /// The next position to read.
    private var cursor = 0
    /// Good rows read in this epoch.
    private var good = 0
    /// Good rows still to be skipped when starting in the middle of an epoch.
    private var toDrop = 0
    private var ended = true
    /// The number of records that were skipped for their labels, and the first of them.
    private var mislabelled: (numbers: Set<Int>, first: AnnealError?) = ([], nil)

    /// - Throws: `AnnealError` for invalid settings, and for a part without samples.
    public init(_ source: some SampleSource, options: LoaderOptions) throws {
        try options.check()
        try source.checkImages()
        if let classes = options.numClasses, options.labelWidth == 1 { try options.checkListedLabels(classes) }
        let share = (source.count + options.numParts - 1) / options.numParts
        let low = min(source.count, share * options.partIndex)
        samples = low..<min(source.count, low + share)
        guard !samples.isEmpty else {
            throw AnnealError(
                source.path,
                "part \(options.partIndex) of \(options.numParts) has no records, the file has \(source.count)")
        }
        self.source = source
        self.options = options
        count = samples.count
        order = EpochOrder(samples: samples, epoch: 0, options: options)
        usable = order.count
        guard usable > 0 else {
            throw AnnealError(
                source.path,
                "none of its \(count) images can be used; the first: \(options.leftOut.first.map { "\($0.reason)" } ?? "")",
                code: .damaged)
        }
        let batches = (usable + options.batchSize - 1) / options.batchSize
        ownEnd = options.rows.map { batches * $0.count } ?? usable
        try options.memoryNeed.check(suggestion: "lower --batch-size or the image shape, or raise the limit")
        core = try LoaderCore(source: source, options: options)
        for record in options.leftOut { core.note(record) }
    }

    deinit { core.stop() }

    /// The memory that it has allocated and will use, and that its threads will allocate.
    /// - Parameter imagePixels: of the largest image (`ImageSurvey.mostPixels`); 0 if unknown.
    public func memoryNeed(imagePixels: Int = 0) -> MemoryNeed {
        var need = options.memoryNeed.mapped
        need.add(options.decodingNeed(imagePixels: imagePixels))
        let most = imagePixels > 0 ? (options.dataShape[0] * imagePixels + 160).multipliedSafely(by: count) : .max
        need.add("cached decoded images", bytes: min(options.cachedBytes, most))
        return need
    }

    /// The records or files that could not be used so far, each once, in order.
    public var badRecords: [BadRecord] { core.badRecords }

    /// Decoded images that are cached for later epochs (`LoaderOptions.cachedBytes`), and their bytes.
    public var kept: (images: Int, bytes: Int) { core.kept }

    /// As `BatchSource.start`. Batches prepared ahead for another position are dropped.
    ///
    /// When bad records are skipped, the batches before `atBatch` are decoded again to find out which records they
    /// lost.
    public func start(epoch: Int, atBatch: Int) throws {
        precondition(epoch >= 0 && atBatch >= 0)
        if !running {
            try core.startThreads()
            running = true
        }
        if epoch != self.epoch { order = EpochOrder(samples: samples, epoch: epoch, options: options) }
        self.epoch = epoch
        good = 0
        ended = false
        let rows = options.slotRows, skipped = atBatch * rows
        let counted = skipsBad
        toDrop = counted ? skipped : 0
        cursor = counted ? order.start : order.start + skipped
        let batches = (usable - order.start + batchSize - 1) / batchSize
        core.restart(order, from: cursor, limit: order.start + batches * rows)
    }

    /// As `BatchSource.next`.
    /// - Throws: `AnnealError` naming the record that cannot be used; the next call throws it again.
    public func next(into slot: BatchSlot) throws -> Int {
        precondition(
            slot.pixels?.count ?? slot.data.count >= options.slotRows * dataShape.count
                && slot.labels.count >= options.slotRows * labelWidth,
            "the slot is too small for a batch of \(options.slotRows)")
        sampleNumbers.removeAll(keepingCapacity: true)
        if ended { return 0 }
        var filled = 0
        var valid = 0
        let slotRows = options.slotRows, batch = cursor / slotRows
        while filled < slotRows {
            if filled == 0 && cursor >= ownEnd { return try end() }
            // A run that does not cross the epoch's end: rows beyond it are only padding.
            let most = cursor < ownEnd ? min(slotRows - filled, ownEnd - cursor) : slotRows - filled
            let results = core.take(from: cursor, most: max(1, most))
            let positions = cursor..<(cursor + results.count)
            for (position, result) in zip(positions, results) {
                if try use(result, position, slot, filled) {
                    filled += 1
                    if position < usable || options.lastBatch == .rollsOver {
                        valid += 1
                        sampleNumbers.append(order[position].number)
                    }
                }
            }
            core.release(positions)
            cursor = positions.upperBound
        }
        guard options.rows != nil else { return valid }
        // The whole batch's rows, including those delivered elsewhere.
        let first = batch * batchSize, all = first..<min(first + batchSize, usable)
        sampleNumbers = all.map { order.sample($0).number }
        return all.count
    }

    /// Writes a ready row to the slot; false when it is bad and skipped, or lies before the requested batch.
    private func use(_ result: SampleResult, _ position: Int, _ slot: BatchSlot, _ target: Int) throws -> Bool {
        switch result {
        case .failed(let error):
            throw error
        case .mislabelled(let record):
            let first = mislabelled.first ?? record.reason
            mislabelled.numbers.insert(record.number)
            mislabelled.first = first
            guard skipsBad, ClassLabel.areDamaged(mislabelled.numbers.count, of: count) else {
                throw first
            }
            core.note(record)
            return false
        case .bad(let record):
            core.note(record)
            guard skipsBad else { throw record.reason }
            return false
        case .ready:
            good += 1
            if toDrop > 0 {
                toDrop -= 1
                return false
            }
            core.ring.load(
                row: position % core.ring.rows, normalization: options.normalization, into: slot, target: target)
            return true
        }
    }

    /// Whether bad records are skipped when their turn comes. It would move the rows of other processes, which have agreed
    /// beforehand on what is left out.
    private var skipsBad: Bool { options.onBadRecord == .skip && options.rows == nil }

    private func end() throws -> Int {
        ended = true
        if skipsBad && good == 0 {
            throw AnnealError(
                source.path,
                "none of its \(count) images can be used; the first: \(badRecords.first.map { "\($0.reason)" } ?? "")",
                code: .damaged)
        }
        return 0
    }
}
