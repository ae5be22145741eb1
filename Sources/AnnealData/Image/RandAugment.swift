import AnnealCore

/// TrivialAugment (Müller and Hutter 2021, arXiv:2103.10158): one operation, at one of 31 strengths, both uniformly at
/// random.
/// Operations and the "wide" strengths are those of torchvision's `TrivialAugmentWide` on 8-bit images.
struct TrivialAugmentStep: AugmentationStep {
    let fill: UInt8
    var name: String { "TrivialAugment" }

    func apply(to image: inout Image, _ context: inout AugmentationContext) {
        let operation = ImageOperation.searched[context.random.below(ImageOperation.searched.count)]
        let strength = Float(context.random.below(31)) / 30
        let range = operation.wideRange
        let magnitude = operation.isSigned && context.random.bool() ? -range * strength : range * strength
        image = operation.applied(to: image, magnitude, fill: fill)
    }
}

/// RandAugment (Cubuk et al. 2019, arXiv:1909.13719): several operations, chosen uniformly, all at one strength.
/// Operations and strengths are those of torchvision's `RandAugment` with 31 strengths.
public struct RandAugment: Sendable, Equatable, Codable {
    /// The number of operations applied to each image, one after the other.
    public var operations: Int
    /// 0 ... 30
    public var magnitude: Int

    /// - Parameters:
    ///   - operations: the number of operations per image.
    ///   - magnitude: their strength, 0 ... 30.
    public init(operations: Int = 2, magnitude: Int = 9) {
        self.operations = operations
        self.magnitude = magnitude
    }
}

struct RandAugmentStep: AugmentationStep {
    let settings: RandAugment
    let fill: UInt8
    var name: String { "RandAugment" }

    func apply(to image: inout Image, _ context: inout AugmentationContext) {
        for _ in 0..<settings.operations {
            let operation = ImageOperation.searched[context.random.below(ImageOperation.searched.count)]
            let strength = Float(settings.magnitude) / 30
            image = operation.applied(to: image, strength: strength, fill: fill, &context.random)
        }
    }
}

/// AutoAugment (Cubuk et al. 2018, arXiv:1805.09501): one of 25 pairs of operations, each with its probability and
/// strength, found by search on a data set.
public enum AutoAugment: String, Sendable, Equatable, Codable, CaseIterable {
    case cifar10
    case imagenet
}

struct AutoAugmentStep: AugmentationStep {
    let policy: AutoAugment
    let fill: UInt8
    var name: String { "AutoAugment" }

    func apply(to image: inout Image, _ context: inout AugmentationContext) {
        let pairs = policy.pairs, pair = pairs[context.random.below(pairs.count)]
        for part in [pair.0, pair.1] where context.random.bool(probability: part.probability) {
            image = part.operation.applied(
                to: image, strength: Float(part.magnitude) / 9, fill: fill, &context.random)
        }
    }
}

extension ImageOperation {
    /// The operations that TrivialAugment and RandAugment choose from.
    package static let searched: [ImageOperation] = [
        .identity, .shearX, .shearY, .translateX, .translateY, .rotate, .brightness, .color, .contrast, .sharpness,
        .posterize, .solarize, .autoContrast, .equalize,
    ]

    /// The largest magnitude of RandAugment and AutoAugment on an image of this size.
    package func range(width: Int, height: Int) -> Float {
        switch self {
        case .identity, .autoContrast, .equalize, .invert: 0
        case .shearX, .shearY: 0.3
        case .translateX: 150 / 331 * Float(width)
        case .translateY: 150 / 331 * Float(height)
        case .rotate: 30
        case .brightness, .color, .contrast, .sharpness: 0.9
        case .posterize: 4
        case .solarize: 255
        }
    }

    /// At a fraction of its largest magnitude, with either sign.
    package func applied(to image: Image, strength: Float, fill: UInt8, _ random: inout Random) -> Image {
        let magnitude = range(width: image.width, height: image.height) * strength
        return applied(to: image, isSigned && random.bool() ? -magnitude : magnitude, fill: fill)
    }
}
