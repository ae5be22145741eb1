import AnnealCore
import CAnnealImage
import Foundation

/// The loader's bounded memory: `rows` augmented samples as planes of bytes (channels, height, width), with labels.
///
/// - Important: a row is written by one thread, then read by one thread. `LoaderCore` decides, under its lock, who may
///   touch which row: a worker owns the rows it has claimed until it reports them, the consumer owns reported rows
///   until it releases them. That is what makes it `@unchecked Sendable`.
final class PixelRing: @unchecked Sendable {
    let rows: Int
    let channels: Int
    let area: Int
    let labelWidth: Int
    private let planes: UnsafeMutablePointer<UInt8>
    private let labels: UnsafeMutablePointer<Float>

    private var rowSize: Int { channels * area }

    /// - Throws: `AnnealError` when there is not enough memory.
    init(rows: Int, channels: Int, height: Int, width: Int, labelWidth: Int) throws {
        self.rows = rows
        self.channels = channels
        area = height * width
        self.labelWidth = labelWidth
        labels = try allocateFloats(rows * labelWidth, for: "labels of decoded images")
        let size = rows * channels * height * width
        // Zeroed; pages are allocated when they are first written.
        guard let memory = calloc(size, 1) else {
            free(labels)
            throw AnnealError(
                "memory", "\(size >> 20) MB for decoded images cannot be allocated", suggestion: MemoryNeed.suggestion,
                code: .outOfMemory)
        }
        planes = memory.bindMemory(to: UInt8.self, capacity: size)
    }

    deinit {
        free(planes)
        free(labels)
    }

    /// - Precondition: the image has the ring's shape, and there are `labelWidth` labels.
    func store(_ image: Image, mirrored: Bool, labels newLabels: [Float], in row: Int) {
        precondition(image.channels == channels && image.width * image.height == area && row < rows)
        precondition(newLabels.count == labelWidth)
        image.pixels.withUnsafeBufferPointer { pixels in
            anneal_image_to_planes(
                pixels.baseAddress, Int32(image.width), Int32(image.height), Int32(channels), mirrored ? 1 : 0,
                planes + row * rowSize)
        }
        for (i, label) in newLabels.enumerated() { labels[row * labelWidth + i] = label }
    }

    /// Copies row `row` to row `target` of a batch: as floats, or unchanged if the slot takes pixels.
    /// - Precondition: the slot holds row `target`.
    func load(row: Int, normalization: Normalization, into slot: BatchSlot, target: Int) {
        guard let labelStart = slot.labels.baseAddress else { return }
        if let pixels = slot.pixels?.baseAddress {
            (pixels + target * rowSize).update(from: planes + row * rowSize, count: rowSize)
        } else if let start = slot.data.baseAddress {
            for channel in 0..<channels {
                anneal_image_normalize(
                    planes + row * rowSize + channel * area, area, normalization.mean(channel),
                    normalization.factor(channel), start + target * rowSize + channel * area)
            }
        }
        for i in 0..<labelWidth { labelStart[target * labelWidth + i] = labels[row * labelWidth + i] }
    }
}
