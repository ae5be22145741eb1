import AnnealCore

/// Decoded images with one label each, in memory: the archives of small data sets.
public protocol LabelledImages: Sendable {
    var count: Int { get }
    /// - Precondition: `index` is in 0 ..< count.
    func image(_ index: Int) -> Image
    func label(_ index: Int) -> Int
    /// The image's path in a list file.
    func name(_ index: Int) -> String
}

extension LabelledImages {
    /// Writes `PREFIX.rec`, `PREFIX.idx` and `PREFIX.lst`, in the order of the images.
    /// - Parameter progress: called with the number of images written so far.
    /// - Throws: `AnnealError` when a file cannot be written.
    public func pack(
        to prefix: String, as encoding: ImageEncoding = .png(level: 6), threads: Int = LoaderOptions.defaultThreads,
        progress: (Int) -> Void = { _ in }
    ) throws {
        let writer = try RecordWriter("\(prefix).rec", index: "\(prefix).idx")
        let chunk = 4096
        for start in stride(from: 0, to: count, by: chunk) {
            let records = try parallelMap(min(chunk, count - start), threads: threads) { offset in
                let index = start + offset
                return IRHeader(label: Float(label(index)), id: UInt64(index))
                    .packed(try image(index).encoded(as: encoding))
            }
            for (offset, record) in records.enumerated() { try writer.write(record, key: start + offset) }
            progress(start + records.count)
        }
        try list.write(to: "\(prefix).lst")
        try writer.finish()
    }

    /// The images by index.
    public var list: ImageList {
        ImageList((0..<count).map { .init(id: $0, labels: [Float(label($0))], path: name($0)) })
    }
}
