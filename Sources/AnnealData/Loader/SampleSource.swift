import AnnealCore

/// Encoded images with their labels, read by number from any thread: what a `BatchLoader` draws from.
public protocol SampleSource: Sendable {
    /// The file or folder, for messages.
    var path: String { get }
    var count: Int { get }
    /// Whether photographs are turned as their EXIF block says. Image files are, as `im2rec` turns them when it packs
    /// them; records are not, as in MXNet's iterator.
    var turnsUpright: Bool { get }

    /// Reads sample `number` into memory that is used again.
    /// - Precondition: `number` is in 0 ..< count.
    func readSample(_ number: Int, into payload: inout [UInt8]) throws -> SampleHeader

    /// The one label of sample `number`, without its image.
    /// - Precondition: `number` is in 0 ..< count.
    /// - Throws: when the sample cannot be read or has several labels.
    func classLabel(of number: Int) throws -> Float

    /// How errors name a sample; `id` is nil when not even its header could be read.
    func place(of number: Int, id: UInt64?) -> String

    /// Where the sample starts in its file.
    func offset(of number: Int) -> Int
}

/// What is known of a sample before its image is decoded.
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

extension RecordFile: SampleSource {
    public var turnsUpright: Bool { false }

    public func readSample(_ number: Int, into payload: inout [UInt8]) throws -> SampleHeader {
        try read(number, into: &payload)
        var imageStart = 0
        let header = try IRHeader(payload, imageStart: &imageStart)
        return SampleHeader(id: header.id, labels: header.labels, imageStart: imageStart)
    }

    public func classLabel(of number: Int) throws -> Float {
        // The header and one label of a list: a longer list does not fit.
        var imageStart = 0
        return try IRHeader(read(number, atMost: IRHeader.size + 4), imageStart: &imageStart).labels[0]
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

    /// - Parameter name: how errors name the image.
    public init(_ bytes: [UInt8], name: String = "image") {
        self.bytes = bytes
        path = name
    }

    public func readSample(_ number: Int, into payload: inout [UInt8]) -> SampleHeader {
        payload = bytes
        return SampleHeader(id: 0, labels: [0])
    }

    public func classLabel(of number: Int) -> Float { 0 }

    public func place(of number: Int, id: UInt64?) -> String { path }
    public func offset(of number: Int) -> Int { 0 }
}
