import Anneal

/// The same batch of random pixels and labels every time.
final class RandomImages: BatchSource {
    let batchSize: Int
    let dataShape: Shape
    let labelWidth = 1
    var count: Int { .max }
    let scaling: PixelScaling
    var pixelScaling: PixelScaling? { scaling }
    private let bytes: [UInt8]
    private let labels: [Float]

    /// - Parameter shape: channels, height and width of an image.
    init(_ shape: [Int], batchSize: Int, classes: Int) {
        self.batchSize = batchSize
        dataShape = Shape(shape)
        scaling = PixelScaling(
            mean: Array(repeating: 127.5, count: shape[0]), factor: Array(repeating: 1 / 127.5, count: shape[0]))
        var random = Random(seed: 1, purpose: .test)
        bytes = (0..<batchSize * shape.reduce(1, *)).map { _ in UInt8(random.below(256)) }
        labels = (0..<batchSize).map { _ in Float(random.below(classes)) }
    }

    func start(epoch: Int, atBatch: Int) {}

    func fill(_ pixels: UnsafeMutableBufferPointer<UInt8>) { _ = pixels.update(from: bytes) }

    func next(into slot: BatchSlot) -> Int {
        if let pixels = slot.pixels {
            fill(pixels)
        } else {
            for (index, byte) in bytes.enumerated() { slot.data[index] = (Float(byte) - 127.5) / 127.5 }
        }
        _ = slot.labels.update(from: labels)
        return batchSize
    }
}
