/// An image for a `Classifier`.
///
/// All except `planes` are preprocessed as in training's validation: resized, cropped to the network's shape and
/// normalised.
public enum ClassifierImage: Sendable {
    /// A JPEG or PNG file. EXIF orientation is applied.
    case file(String)
    /// The bytes of a JPEG or PNG file. EXIF orientation is applied.
    case encoded([UInt8])
    /// Pixels of any size, with the network's number of channels: `Image(rows:width:height:channels:)` creates an image
    /// from 8-bit rows.
    case pixels(Image)
    /// (channels, height, width), row-major, as the network's input: with its image shape and already normalised, that
    /// is (pixel - mean) / std.
    case planes(Tensor)
}

/// One input of a classifier.
enum ClassifierSample: Sendable {
    case sample(any SampleSource, Int)
    case pixels(Image)
    case planes(Tensor)

    init(_ image: ClassifierImage, name: String) {
        self =
            switch image {
            case .file(let path): .sample(ImageFiles(paths: [path]), 0)
            case .encoded(let bytes): .sample(ImageBytes(bytes, name: name), 0)
            case .pixels(let image): .pixels(image)
            case .planes(let tensor): .planes(tensor)
            }
    }

    /// Writes it to a row of the network's input.
    func write(
        to row: UnsafeMutableBufferPointer<Float>, shape: Shape, _ preparation: ImagePreparation
    ) throws {
        switch self {
        case .sample(let source, let number): try preparation.write(number, of: source, to: row)
        case .pixels(let image): try preparation.write(image, to: row)
        case .planes(let tensor):
            guard tensor.shape == shape else {
                throw AnnealError(
                    "", "planes of the shape \(tensor.shape), but the network takes \(shape)", code: .mismatch)
            }
            _ = row.update(from: tensor.elements)
        }
    }
}
