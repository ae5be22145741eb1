import AnnealCore

/// What happens to an image between decoding and the network, as MXNet's ImageRecordIter does it
/// (`image_aug_default.cc`) and in its order: resize, affine map, border, crop, colours; then what is newer than MXNet
/// (TrivialAugment, erased rectangles); then the mirror. Defaults are MXNet's.
///
/// Every random choice is drawn from the sample's own stream, in the order of `applied`. New augmentations take their
/// place there, and draw nothing while they are off, so that older runs keep their pixels.
public struct Augmentation: Sendable, Equatable, Codable {
    /// The shorter side becomes this long first (`resize`); 0: it is left.
    public var resize = 0
    /// Rotation, shear, scale and aspect ratio.
    public var affine = RandomAffine()
    /// A border on all sides before the crop (`pad`).
    public var pad = 0
    public var padMode = PadMode.constant
    /// The colour, in all channels, of a constant border and of what an affine map brings in (`fill_value`).
    public var fillValue: UInt8 = 255
    /// Crop anywhere instead of in the middle (`rand_crop`).
    public var randomCrop = false
    /// A centered (or random) square of a side between these is cropped and resized to the wanted shape
    /// (`min_crop_size`, `max_crop_size`); nil: a crop of the wanted shape.
    public var cropSize: ClosedRange<Int>?
    /// A random part of the image is resized to the wanted shape (`random_resized_crop`).
    public var resizedCrop: RandomResizedCrop?
    /// Brightness, contrast, saturation, HSL shifts and PCA noise.
    public var colour = ColourJitter()
    /// One of TrivialAugment's operations at a random strength.
    public var trivialAugment = false
    /// Rectangles and squares that are painted over.
    public var erasing = Erasing()
    /// Mirror every image (`mirror`).
    public var mirror = false
    /// Mirror half of the images (`rand_mirror`).
    public var randomMirror = false
    /// Which half that is.
    public var mirrorMode = MirrorMode.random
    /// `inter_method`.
    public var interpolation = Interpolation.bilinear

    public init() {}

    /// How `randomMirror` chooses.
    public enum MirrorMode: String, Sendable, Codable, CaseIterable {
        /// Anew for each image in each epoch, as MXNet.
        case random
        /// At random in an image's first epoch, then every other epoch, so that each two epochs see both sides
        /// (Jordan 2024, arXiv:2404.00498).
        case alternate
    }

    /// What the random choices of one sample in one epoch follow from.
    package struct Key {
        var seed: UInt64
        var epoch: Int
        /// The sample's number in its source.
        var sample: Int

        package init(seed: UInt64, epoch: Int, sample: Int) {
            self.seed = seed
            self.epoch = epoch
            self.sample = sample
        }
    }

    /// An augmented image, and whether its rows are still to be mirrored (done on the way into planes).
    package struct Result {
        package var image: Image
        package var mirrored: Bool
    }

    /// - Parameters:
    ///   - height, width: the wanted shape.
    ///   - normalization: what comes after; it says which colour is the mean.
    /// - Throws: `AnnealError` without a place when the image is smaller than the crop asked for, or would grow beyond
    ///   `maximumPixels`.
    package func applied(
        to source: Image, height: Int, width: Int, normalization: Normalization = Normalization(), key: Key,
        maximumPixels: Int = Image.maximumPixels
    ) throws -> Result {
        var random = Random(seed: key.seed, purpose: .augment, epoch: key.epoch, index: key.sample)
        var image = source
        if resize > 0 {
            let long = max(image.width, image.height)
            try Image.checkSize(resize, resize * long / min(image.width, image.height), maximumPixels)
            image = image.resizedShortSide(to: resize, interpolation)
        }
        if !affine.isIdentity {
            image = try affine.applied(
                to: image, interpolation, fill: fillValue, &random, maximumPixels: maximumPixels)
        }
        switch padMode {
        case .constant: image = image.padded(pad, with: fillValue)
        case .reflect: image = image.paddedByReflection(pad)
        }
        image = try cropped(image, height: height, width: width, &random, maximumPixels)
        if !colour.isIdentity { colour.apply(to: &image, &random) }
        if trivialAugment { image = TrivialAugment.applied(to: image, fill: fillValue, &random) }
        if !erasing.isIdentity { erasing.apply(to: &image, normalization, &random) }
        // Drawn in any case: what is random does not hang on `mirror`.
        let isFlipped = isFlipped(key, &random)
        return Result(image: image, mirrored: mirror || isFlipped)
    }

    private func isFlipped(_ key: Key, _ random: inout Random) -> Bool {
        guard randomMirror else { return false }
        switch mirrorMode {
        case .random: return random.bool()
        case .alternate:
            var first = Random(seed: key.seed, purpose: .mirror, index: key.sample)
            return first.bool() != (key.epoch % 2 == 1)
        }
    }

    private func cropped(
        _ image: Image, height: Int, width: Int, _ random: inout Random, _ maximumPixels: Int
    ) throws -> Image {
        if let part = resizedCrop?.part(of: image, &random) {
            return image.cropped(x: part.x, y: part.y, width: part.width, height: part.height)
                .resized(width: width, height: height, interpolation)
        }
        if let cropSize {
            return try squareCrop(image, cropSize, &random).resized(width: width, height: height, interpolation)
        }
        let image = try enlarged(image, height: height, width: width, maximumPixels)
        let corner = self.corner(in: image, width: width, height: height, &random)
        return image.cropped(x: corner.x, y: corner.y, width: width, height: height)
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
    private func enlarged(_ source: Image, height: Int, width: Int, _ maximumPixels: Int) throws -> Image {
        var image = source
        if image.height < height {
            let newWidth = Int(Float(height) / Float(image.height) * Float(image.width))
            try Image.checkSize(newWidth, height, maximumPixels)
            image = image.resized(width: newWidth, height: height, interpolation)
        }
        if image.width < width {
            let newHeight = Int(Float(width) / Float(image.width) * Float(image.height))
            try Image.checkSize(width, newHeight, maximumPixels)
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
}

extension Image {
    /// - Throws: `AnnealError` without a place unless an image of this size may be made.
    static func checkSize(_ width: Int, _ height: Int, _ maximumPixels: Int = Image.maximumPixels) throws {
        guard width > 0, height > 0, width <= maximumPixels / height else {
            throw AnnealError(
                "",
                "resizing would make an image of \(width) x \(height) pixels, more than \(maximumPixels) are refused",
                suggestion: "resize to less, or allow it with --max-image-pixels")
        }
    }
}
