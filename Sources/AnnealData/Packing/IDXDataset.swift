import AnnealCore

/// Gray images with labels from two IDX files: MNIST, Fashion-MNIST and their kind.
public struct IDXDataset: Sendable {
    public let count: Int
    public let height: Int
    public let width: Int
    /// (count, height, width)
    public let pixels: [UInt8]
    public private(set) var labels: [UInt8]
    private let imagesPath: String

    /// - Throws: `AnnealError` naming the file that is missing or damaged, or both when their counts differ.
    public init(images imagesPath: String, labels labelsPath: String) throws {
        let images = try IDXFile(imagesPath)
        let labels = try IDXFile(labelsPath)
        guard images.shape.rank == 3, images.shape[1] > 0, images.shape[2] > 0, images.shape[1] <= 1 << 16,
            images.shape[2] <= 1 << 16
        else {
            throw AnnealError(
                imagesPath, "has shape \(images.shape), expected (images, height, width)", code: .mismatch)
        }
        guard labels.shape.rank == 1 else {
            throw AnnealError(labelsPath, "has shape \(labels.shape), expected one label an image", code: .mismatch)
        }
        guard images.shape[0] == labels.shape[0] else {
            throw AnnealError(
                labelsPath, "has \(labels.shape[0]) labels, \(imagesPath) has \(images.shape[0]) images",
                code: .mismatch)
        }
        self.imagesPath = imagesPath
        count = images.shape[0]
        height = images.shape[1]
        width = images.shape[2]
        pixels = images.values
        self.labels = labels.values
    }

    /// - Precondition: `index` is in 0 ..< count.
    public func image(_ index: Int) -> Image {
        let size = height * width
        return Image(
            width: width, height: height, channels: 1, pixels: Array(pixels[(index * size)..<((index + 1) * size)]))
    }

    /// Writes `PREFIX.rec`, `PREFIX.idx` and `PREFIX.lst`, in the order of the files.
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
                return IRHeader(label: Float(labels[index]), id: UInt64(index))
                    .packed(try image(index).encoded(as: encoding))
            }
            for (offset, record) in records.enumerated() { try writer.write(record, key: start + offset) }
            progress(start + records.count)
        }
        try list.write(to: "\(prefix).lst")
        try writer.finish()
    }

    /// The same images with other labels.
    public func relabelled(_ label: (UInt8) -> UInt8) -> IDXDataset {
        var result = self
        result.labels = labels.map(label)
        return result
    }

    /// The images by number, in a "folder" named as the file.
    public var list: ImageList {
        let name = imagesPath.split(separator: "/").last.map(String.init) ?? imagesPath
        return ImageList(
            labels.enumerated().map { .init(id: $0.offset, labels: [Float($0.element)], path: "\(name)/\($0.offset)") })
    }
}
