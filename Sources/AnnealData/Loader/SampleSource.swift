import AnnealCore

/// Encoded images with their labels, read by index from any thread: the input of a `BatchLoader`.
public protocol SampleSource: Sendable {
    /// The file or folder, for messages.
    var path: String { get }
    var count: Int { get }
    /// Whether images are rotated as their EXIF block says. Image files are, as `im2rec` does when it packs them;
    /// records are not, as in MXNet's iterator.
    var turnsUpright: Bool { get }

    /// Whether a sample may differ from epoch to epoch; then decoded images are not cached.
    var dependsOnEpoch: Bool { get }

    /// Called before training or scoring reads samples.
    /// - Parameter ahead: whether the whole source is to be read in the background (`LoaderOptions.readsAhead`).
    /// - Returns: the background reader, which stops when it is released.
    func beginReading(ahead: Bool) -> (any Sendable)?

    /// Reads sample `number` into a reused buffer.
    ///
    /// Samples are read ahead on several threads, and again when a run resumes inside an epoch: random choices of a
    /// source must follow from the index and the epoch alone.
    /// - Parameter epoch: the epoch that the sample is read for, from 0. Validation and scoring read epoch 0.
    /// - Precondition: `number` is in 0 ..< count.
    func readSample(_ number: Int, epoch: Int, into payload: inout [UInt8]) throws -> SampleHeader

    /// As `readSample`, but only the first bytes, which include an image's header; all of them if that is as easy.
    func readBeginning(of number: Int, atMost count: Int, into payload: inout [UInt8]) throws -> SampleHeader

    /// The single label of sample `number`, without its image.
    /// - Precondition: `number` is in 0 ..< count.
    /// - Throws: when the sample cannot be read or has several labels.
    func classLabel(of number: Int) throws -> Float

    /// - Throws: `AnnealError` if the first samples show that the data is not images with labels.
    func checkImages() throws

    /// Checks the labels and takes a fingerprint of the data, without reading all of it.
    /// - Parameters:
    ///   - earlier: a fingerprint of possibly the same data; the new one covers as much.
    ///   - skipsBad: whether unusable samples are skipped later (`BadRecordPolicy.skip`).
    /// - Returns: nil for a source that cannot take one.
    /// - Throws: `AnnealError` naming a sample with a label that is not a class number, or without an image.
    func survey(classes: Int, like earlier: DataFingerprint?, skipsBad: Bool) throws -> DataFingerprint?

    /// The name of sample `number` in tables: a file's path, or a record's id.
    /// - Precondition: `number` is in 0 ..< count.
    /// - Throws: when a record cannot be read.
    func name(of number: Int) throws -> String

    /// How errors name a sample; `id` is nil when not even its header could be read.
    func place(of number: Int, id: UInt64?) -> String

    /// The sample's offset in its file.
    func offset(of number: Int) -> Int
}

extension SampleSource {
    public var dependsOnEpoch: Bool { true }
    public func beginReading(ahead: Bool) -> (any Sendable)? { nil }
    public func name(of number: Int) throws -> String { place(of: number, id: nil) }
}

/// What is known about a sample before its image is decoded.
public struct SampleHeader: Sendable, Equatable {
    public var id: UInt64
    public var labels: [Float]
    /// Where the image's bytes start in the payload.
    public var imageStart: Int

    public init(id: UInt64, labels: [Float], imageStart: Int = 0) {
        self.id = id
        self.labels = labels
        self.imageStart = imageStart
    }
}

extension SampleSource {
    public func readBeginning(of number: Int, atMost count: Int, into payload: inout [UInt8]) throws -> SampleHeader {
        try readSample(number, epoch: 0, into: &payload)
    }

    /// Errors of the file already name it and the byte; for others the sample's place is added.
    func placed(_ error: AnnealError, _ number: Int, id: UInt64?) -> AnnealError {
        let place = place(of: number, id: id)
        if error.place.hasPrefix(place) { return error }
        guard !error.place.isEmpty else { return error.within(place) }
        return AnnealError(place, "\(error)", code: error.code)
    }
}

extension RecordFile: SampleSource {
    public var turnsUpright: Bool { false }
    public var dependsOnEpoch: Bool { false }

    public func beginReading(ahead: Bool) -> (any Sendable)? {
        bytes.expectRandomReads(false)
        return ahead ? FileWarmUp(bytes, upTo: FileWarmUp.freeMemory / 2) : nil
    }

    public func readSample(_ number: Int, epoch: Int, into payload: inout [UInt8]) throws -> SampleHeader {
        try read(number, into: &payload)
        var imageStart = 0
        let header = try IRHeader(payload, imageStart: &imageStart)
        return SampleHeader(id: header.id, labels: header.labels, imageStart: imageStart)
    }

    public func readBeginning(of number: Int, atMost count: Int, into payload: inout [UInt8]) throws -> SampleHeader {
        payload = try read(number, atMost: count)
        var imageStart = 0
        let header = try IRHeader(payload, imageStart: &imageStart)
        return SampleHeader(id: header.id, labels: header.labels, imageStart: imageStart)
    }

    public func classLabel(of number: Int) throws -> Float {
        // The header and one label of a list: a longer list does not fit.
        var imageStart = 0
        return try IRHeader(read(number, atMost: IRHeader.size + 4), imageStart: &imageStart).labels[0]
    }

    public func name(of number: Int) throws -> String {
        let header = try read(number, atMost: IRHeader.size)
        guard header.count >= IRHeader.size else {
            throw AnnealError(place(of: number, id: nil), "is not an image record")
        }
        return "\(header.word64(at: 8))"
    }

    /// Recognises insightface's record files: records without images, first one with labels that give the start of the
    /// identity records, then the images, then the identities.
    public func checkImages() throws {
        guard let parts = partsOfInsightface else { return }
        let odd = parts.hasHead ? 0 : count - 1
        let conditions =
            (parts.hasHead ? ["$1 > \(entries[0].key)"] : [])
            + (parts.images.upperBound < count ? ["$1 < \(entries[parts.images.upperBound].key)"] : [])
        throw AnnealError(
            place(of: odd, id: nil),
            "several labels and no image: it is an insightface file, with records about other records",
            suggestion: "create an index of the images alone and give it as --data-train-idx or --data-val-idx: "
                + "awk '\(conditions.joined(separator: " && "))' \(indexPath ?? "FILE.idx") > images.idx")
    }

    /// The contents of an insightface file, in words; nil for any other file.
    public var labelsOfOthers: String? {
        partsOfInsightface.map {
            "an insightface file: \($0.hasHead ? "a record about the others, " : "")"
                + "\($0.images.count.counted("image")), \((count - $0.images.upperBound).counted("record")) about identities"
        }
    }

    private var partsOfInsightface: (hasHead: Bool, images: Range<Int>)? {
        let last = count - 1
        guard last > 0 else { return nil }
        let hasHead = isAboutOthers(0), hasIdentities = isAboutOthers(last)
        guard hasHead || hasIdentities else { return nil }
        // The first identity record lies between the two kinds.
        var low = 1, high = hasIdentities ? last : count
        while low < high {
            let middle = (low + high) / 2
            if isAboutOthers(middle) { high = middle } else { low = middle + 1 }
        }
        return (hasHead, (hasHead ? 1 : 0)..<low)
    }

    private func isAboutOthers(_ number: Int) -> Bool {
        var imageStart = 0
        // No image is that small.
        let most = 8, labels = 16
        guard let payload = try? read(number, atMost: IRHeader.size + 4 * labels + most),
            let header = try? IRHeader(payload, imageStart: &imageStart)
        else { return false }
        return header.labels.count > 1 && payload.count - imageStart < most
    }

    public func place(of number: Int, id: UInt64?) -> String {
        let name = id.map { "record \(number) (id \($0))" } ?? "record \(number)"
        return "\(path), \(name), byte \(offset(of: number))"
    }

    public func offset(of number: Int) -> Int { entries[number].offset }
}

/// One encoded image in memory, e.g. from standard input or a network.
public struct ImageBytes: SampleSource {
    public let path: String
    public let bytes: [UInt8]
    public var count: Int { 1 }
    public var turnsUpright: Bool { true }
    public var dependsOnEpoch: Bool { false }

    /// - Parameter name: the image's name in errors.
    public init(_ bytes: [UInt8], name: String = "image") {
        self.bytes = bytes
        path = name
    }

    public func readSample(_ number: Int, epoch: Int, into payload: inout [UInt8]) -> SampleHeader {
        payload = bytes
        return SampleHeader(id: 0, labels: [0])
    }

    public func classLabel(of number: Int) -> Float { 0 }

    public func place(of number: Int, id: UInt64?) -> String { path }
    public func offset(of number: Int) -> Int { 0 }
}
