import AnnealCore

/// A record or image file that could not be used, and why.
public struct BadRecord: Sendable, Equatable {
    /// Its index in the source, from 0.
    public var number: Int
    /// A record's `IRHeader.id`; nil when not even the header could be read.
    public var id: UInt64?
    /// Its offset in the file.
    public var offset: Int
    public var reason: AnnealError

    package init(number: Int, id: UInt64?, offset: Int, reason: AnnealError) {
        self.number = number
        self.id = id
        self.offset = offset
        self.reason = reason
    }
}

/// The outcome for one sample.
enum SampleResult: Sendable {
    case ready
    /// Damaged: skipped if requested.
    case bad(BadRecord)
    /// Its label is not a class number: damaged too, unless there are many such labels.
    case mislabelled(BadRecord)
    /// An error in every epoch and under every policy.
    case failed(AnnealError)
}

/// Reads a sample in one thread: its bytes and labels, the decoded and augmented image, a row of the ring.
final class SampleReader {
    private let source: any SampleSource
    private let options: LoaderOptions
    private let preparation: ImagePreparation
    private let cache: DecodedCache?
    private var payload: [UInt8] = []

    init(source: any SampleSource, options: LoaderOptions, cache: DecodedCache? = nil) throws {
        self.source = source
        self.options = options
        self.cache = source.dependsOnEpoch ? nil : cache
        preparation = try ImagePreparation(options)
    }

    func read(sample number: Int, epoch: Int, into ring: PixelRing, row: Int) -> SampleResult {
        var id: UInt64?
        func bad(_ error: AnnealError) -> BadRecord {
            BadRecord(
                number: number, id: id, offset: source.offset(of: number), reason: source.placed(error, number, id: id))
        }
        do {
            let kept = cache?[number]
            let header = try kept?.header ?? source.readSample(number, epoch: epoch, into: &payload)
            id = header.id
            let labels: [Float]
            do {
                labels = try self.labels(of: header)
            } catch let error as AnnealError {
                return .mislabelled(bad(error))
            }
            let result = try image(header, kept, number, epoch: epoch)
            ring.store(result.image, mirrored: result.mirrored, labels: labels, in: row)
            return .ready
        } catch let error as AnnealError {
            return .bad(bad(error))
        } catch {
            return .failed(source.placed(AnnealError("", "\(error)"), number, id: id))
        }
    }

    private func image(_ header: SampleHeader, _ kept: DecodedCache.Entry?, _ number: Int, epoch: Int) throws
        -> Augmentation.Result
    {
        guard let cache else {
            return try preparation.image(
                payload, from: header.imageStart, turnsUpright: source.turnsUpright, sample: number, epoch: epoch)
        }
        let image =
            try kept?.image
            ?? preparation.decoded(payload, from: header.imageStart, turnsUpright: source.turnsUpright)
        if kept == nil { cache.offer(.init(header: header, image: image), for: number) }
        return try preparation.augmented(image, sample: number, epoch: epoch)
    }

    private func labels(of header: SampleHeader) throws -> [Float] {
        var labels = header.labels
        if let table = options.labels {
            guard let listed = table[header.id] else {
                throw AnnealError("", "its id \(header.id) is not in the list of labels", code: .mismatch)
            }
            labels = listed
        }
        if let classes = options.numClasses, options.labelWidth == 1 {
            try ClassLabel.check(labels, classes: classes)
            return labels
        }
        guard labels.count == options.labelWidth else {
            throw AnnealError(
                "", "it has \(labels.count) labels, expected \(options.labelWidth)", code: .mismatch)
        }
        return labels
    }
}
