import AnnealCore

/// Gray images with labels from two IDX files: MNIST, Fashion-MNIST and similar sets.
public struct IDXDataset: LabelledImages {
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
            throw AnnealError(labelsPath, "has shape \(labels.shape), expected one label per image", code: .mismatch)
        }
        guard images.shape[0] == labels.shape[0] else {
            throw AnnealError(
                labelsPath, "has \(labels.shape[0]) labels, but \(imagesPath) has \(images.shape[0]) images",
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

    /// The same images with other labels.
    public func relabelled(_ label: (UInt8) -> UInt8) -> IDXDataset {
        var result = self
        result.labels = labels.map(label)
        return result
    }

    public func label(_ index: Int) -> Int { Int(labels[index]) }

    /// In a "folder" with the file's name.
    public func name(_ index: Int) -> String { "\(Files.name(of: imagesPath))/\(index)" }
}
