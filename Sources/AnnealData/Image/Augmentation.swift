import AnnealCore

/// What happens to an image between decoding and the network, as MXNet's ImageRecordIter does it
/// (`image_aug_default.cc`) and in its order: resize, pad, crop, mirror. Defaults are MXNet's.
///
/// Every random choice is drawn from the sample's own stream, in the order of `applied`. New augmentations take their
/// place there, and draw nothing while they are off, so that older runs keep their pixels.
public struct Augmentation: Sendable, Equatable, Codable {
    /// The shorter side becomes this long first (`resize`); 0: it is left.
    public var resize = 0
    /// A border on all sides before the crop (`pad`).
    public var pad = 0
    /// The border's colour in all channels (`fill_value`).
    public var fillValue: UInt8 = 255
    /// Crop anywhere instead of in the middle (`rand_crop`).
    public var randomCrop = false
    /// A centered (or random) square of a side between these is cropped and resized to the wanted shape
    /// (`min_crop_size`, `max_crop_size`); nil: a crop of the wanted shape.
    public var cropSize: ClosedRange<Int>?
    /// Mirror every image (`mirror`).
    public var mirror = false
    /// Mirror half of the images (`rand_mirror`).
    public var randomMirror = false
    /// `inter_method`.
    public var interpolation = Interpolation.bilinear

    public init() {}

    /// An augmented image, and whether its rows are still to be mirrored (done on the way into planes).
    struct Result {
        var image: Image
        var mirrored: Bool
    }

    /// - Parameters:
    ///   - height, width: the wanted shape.
    ///   - random: the sample's stream.
    /// - Throws: `AnnealError` without a place when the image is smaller than the crop asked for, or would grow beyond
    ///   `Image.maximumPixels`.
    func applied(to source: Image, height: Int, width: Int, random: inout Random) throws -> Result {
        var image = source
        if resize > 0 {
            let long = max(image.width, image.height)
            try checkSize(resize, resize * long / min(image.width, image.height))
            image = image.resizedShortSide(to: resize, interpolation)
        }
        image = image.padded(pad, with: fillValue)
        if let cropSize {
            image = try squareCrop(image, cropSize, &random).resized(width: width, height: height, interpolation)
        } else {
            image = try enlarged(image, height: height, width: width)
            let corner = self.corner(in: image, width: width, height: height, &random)
            image = image.cropped(x: corner.x, y: corner.y, width: width, height: height)
        }
        let flipped = randomMirror && random.bool()
        return Result(image: image, mirrored: mirror != flipped)
    }

    private func squareCrop(_ image: Image, _ sides: ClosedRange<Int>, _ random: inout Random) throws -> Image {
        guard image.width >= sides.upperBound, image.height >= sides.upperBound else {
            throw AnnealError(
                "", "an image of \(image.width) x \(image.height) is smaller than the crop size \(sides.upperBound)")
        }
        let side = sides.count == 1 ? sides.lowerBound : sides.lowerBound + random.below(sides.count)
        let corner = self.corner(in: image, width: side, height: side, &random)
        return image.cropped(x: corner.x, y: corner.y, width: side, height: side)
    }

    /// Too low: enlarged to the height, keeping the ratio; then, if still too narrow, to the width.
    private func enlarged(_ source: Image, height: Int, width: Int) throws -> Image {
        var image = source
        if image.height < height {
            let newWidth = Int(Float(height) / Float(image.height) * Float(image.width))
            try checkSize(newWidth, height)
            image = image.resized(width: newWidth, height: height, interpolation)
        }
        if image.width < width {
            let newHeight = Int(Float(width) / Float(image.width) * Float(image.height))
            try checkSize(width, newHeight)
            image = image.resized(width: width, height: newHeight, interpolation)
        }
        return image
    }

    private func corner(in image: Image, width: Int, height: Int, _ random: inout Random) -> (x: Int, y: Int) {
        let spare = (x: image.width - width, y: image.height - height)
        guard randomCrop else { return (spare.x / 2, spare.y / 2) }
        let y = random.below(spare.y + 1)
        return (random.below(spare.x + 1), y)
    }

    private func checkSize(_ width: Int, _ height: Int) throws {
        guard width > 0, height > 0, width <= Image.maximumPixels / height else {
            throw AnnealError("", "resizing would make an image of \(width) x \(height) pixels")
        }
    }
}

/// What turns 8-bit pixels into the network's floats: (pixel - mean) * scale / std, RGB. Defaults are MXNet's.
public struct Normalization: Sendable, Equatable, Codable {
    /// By channel in the order R, G, B (A); missing ones are 0. A gray image has only the first.
    public var mean: [Float]
    /// By channel; missing ones are 1.
    public var std: [Float]
    public var scale: Float

    public init(mean: [Float] = [], std: [Float] = [], scale: Float = 1) {
        self.mean = mean
        self.std = std
        self.scale = scale
    }

    func mean(_ channel: Int) -> Float { mean.indices.contains(channel) ? mean[channel] : 0 }
    func factor(_ channel: Int) -> Float { std.indices.contains(channel) ? scale / std[channel] : scale }
}
