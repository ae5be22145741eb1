import AnnealCore

/// The settings of the built-in augmentation steps: those of MXNet's ImageRecordIter (`image_aug_default.cc`) in its
/// order - resize, affine map, border, crop, colours -, then those newer than MXNet (TrivialAugment, RandAugment,
/// AutoAugment, random erasing), then the mirror. Defaults are MXNet's. `steps` is the corresponding list.
///
/// Every random choice is drawn from the sample's own stream, in the order of the steps. New steps draw nothing while
/// they are off, so that older runs keep their pixels.
public struct Augmentation: Sendable, Equatable, Codable {
    /// The shorter side is first resized to this length (`resize`); 0: no resizing.
    public var resize = 0
    /// Rotation, shear, scale and aspect ratio.
    public var affine = RandomAffine()
    /// A border on all sides before the crop (`pad`).
    public var pad = 0
    public var padMode = PadMode.constant
    /// The colour, in all channels, of a constant border and of the area that an affine map uncovers (`fill_value`).
    public var fillValue: UInt8 = 255
    /// Crop anywhere instead of in the middle (`rand_crop`).
    public var randomCrop = false
    /// A centred (or random) square with a side between these is cropped and resized to the network's shape
    /// (`min_crop_size`, `max_crop_size`); nil: a crop of the network's shape.
    public var cropSize: ClosedRange<Int>?
    /// A random part of the image is resized to the network's shape (`random_resized_crop`).
    public var resizedCrop: RandomResizedCrop?
    /// Brightness, contrast, saturation, HSL shifts and PCA noise.
    public var colour = ColourJitter()
    /// One of TrivialAugment's operations at a random strength.
    public var trivialAugment = false
    /// RandAugment: several operations at one strength; nil: off.
    public var randAugment: RandAugment?
    /// AutoAugment: a pair of operations from a policy; nil: off.
    public var autoAugment: AutoAugment?
    /// Random erasing and Cutout: rectangles and squares that are painted over.
    public var erasing = Erasing()
    /// Mirror every image (`mirror`).
    public var mirror = false
    /// Mirror half of the images (`rand_mirror`).
    public var randomMirror = false
    /// How those images are chosen.
    public var mirrorMode = MirrorMode.random
    /// `inter_method`.
    public var interpolation = Interpolation.bilinear

    public init() {}

    /// How `randomMirror` chooses.
    public enum MirrorMode: String, Sendable, Codable, CaseIterable {
        /// Independently for each image in each epoch, as in MXNet.
        case random
        /// At random in an image's first epoch, then alternating, so that any two consecutive epochs see both sides
        /// (Jordan 2024, arXiv:2404.00498).
        case alternate
    }

    /// What determines the random choices for one sample in one epoch.
    package struct Key {
        var seed: UInt64
        var epoch: Int
        /// The sample's index in its source.
        var sample: Int

        package init(seed: UInt64, epoch: Int, sample: Int) {
            self.seed = seed
            self.epoch = epoch
            self.sample = sample
        }
    }

    /// An augmented image, and whether its rows are still to be mirrored (done while they are copied into planes).
    package struct Result {
        package var image: Image
        package var mirrored: Bool
    }

    /// The enabled steps, in order.
    public var steps: [any AugmentationStep] {
        let crop = CropStep(isAnywhere: randomCrop, interpolation: interpolation)
        var steps: [any AugmentationStep] = []
        if resize > 0 { steps.append(ShortSideResize(side: resize, interpolation: interpolation)) }
        if !affine.isIdentity {
            steps.append(AffineStep(affine: affine, interpolation: interpolation, fill: fillValue))
        }
        if pad > 0 { steps.append(PadStep(border: pad, mode: padMode, fill: fillValue)) }
        if let resizedCrop {
            steps.append(ResizedCropStep(crop: resizedCrop, otherwise: crop, interpolation: interpolation))
        } else if let cropSize {
            steps.append(SquareCropStep(sides: cropSize, isAnywhere: randomCrop, interpolation: interpolation))
        } else {
            steps.append(crop)
        }
        if !colour.isIdentity { steps.append(ColourStep(jitter: colour)) }
        if trivialAugment { steps.append(TrivialAugmentStep(fill: fillValue)) }
        if let randAugment { steps.append(RandAugmentStep(settings: randAugment, fill: fillValue)) }
        if let autoAugment { steps.append(AutoAugmentStep(policy: autoAugment, fill: fillValue)) }
        if !erasing.isIdentity { steps.append(ErasingStep(erasing: erasing)) }
        if mirror || randomMirror {
            steps.append(MirrorStep(isAlways: mirror, isRandomly: randomMirror, mode: mirrorMode))
        }
        return steps
    }

    /// Where custom steps are inserted.
    public enum Place: Sendable {
        /// Before the image has the network's shape.
        case crop
        /// After it has: colours, operations and erasing follow.
        case colours
        /// After all other steps that change pixels.
        case mirror
    }

    /// The built-in steps with custom ones inserted.
    public func steps(before place: Place, _ others: [any AugmentationStep]) -> [any AugmentationStep] {
        let steps = steps
        func isCrop(_ step: any AugmentationStep) -> Bool {
            step is CropStep || step is SquareCropStep || step is ResizedCropStep
        }
        let crop = steps.firstIndex(where: isCrop) ?? steps.count
        let at =
            switch place {
            case .crop: crop
            case .colours: min(crop + 1, steps.count)
            case .mirror: steps.firstIndex { $0 is MirrorStep } ?? steps.count
            }
        return steps[..<at] + others + steps[at...]
    }

    /// Applies the steps.
    /// - Parameters:
    ///   - height, width: the network's shape.
    ///   - normalization: applied afterwards; it defines the mean colour.
    /// - Throws: `AnnealError` without a place when the image is smaller than the crop asked for, or would grow beyond
    ///   `maximumPixels`.
    package func applied(
        to source: Image, height: Int, width: Int, normalization: Normalization = Normalization(), key: Key,
        maximumPixels: Int = Image.maximumPixels
    ) throws -> Result {
        try steps.applied(
            to: source,
            AugmentationContext(
                key: key, height: height, width: width, normalization: normalization, maximumPixels: maximumPixels))
    }
}

extension Image {
    /// - Throws: `AnnealError` without a place unless an image of this size may be made.
    static func checkSize(_ width: Int, _ height: Int, _ maximumPixels: Int = Image.maximumPixels) throws {
        guard width > 0, height > 0, width <= maximumPixels / height else {
            throw AnnealError(
                "",
                "resizing would make an image of \(width) x \(height) pixels, more than the limit of \(maximumPixels)",
                suggestion: "resize to less, or allow it with --max-image-pixels")
        }
    }
}
