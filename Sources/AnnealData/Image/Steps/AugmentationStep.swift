import AnnealCore

/// One thing that happens to an image between decoding and the network. Augmentation is a list of such steps, in the order
/// in which they are applied; another package's own steps stand in it like these.
///
/// ```swift
/// struct Posterized: AugmentationStep {
///     let name = "posterized"
///     func apply(to image: inout Image, _ context: inout AugmentationContext) {
///         if context.random.bool(probability: 0.1) { for i in image.pixels.indices { image.pixels[i] &= 0xE0 } }
///     }
/// }
/// options.steps = augmentation.steps(before: .mirror, [Posterized()])
/// ```
public protocol AugmentationStep: Sendable {
    /// For messages.
    var name: String { get }

    /// Whether the step draws from `context.random`, or asks for the epoch. What comes before the first such step is done
    /// once for an image that is kept decoded.
    var isRandom: Bool { get }

    /// - Throws: `AnnealError` without a place when the image cannot be changed so, e.g. because it is too small.
    func apply(to image: inout Image, _ context: inout AugmentationContext) throws
}

extension AugmentationStep {
    public var isRandom: Bool { true }
}

/// What a step knows apart from the image.
public struct AugmentationContext: Sendable {
    /// The sample's own stream in this epoch: whatever the number of threads, a step draws the same.
    public var random: Random
    /// The shape that the network takes: after the last step the image must have it.
    public let height: Int
    public let width: Int
    /// What comes after; it says which colour is the mean.
    public let normalization: Normalization
    /// Images of more pixels are refused.
    public let maximumPixels: Int
    /// Whether the image is to be mirrored in the end, on the way into planes, which costs nothing.
    public var isMirrored = false
    /// What the random choices of this sample follow from.
    let key: Augmentation.Key

    init(
        key: Augmentation.Key, height: Int, width: Int, normalization: Normalization,
        maximumPixels: Int = Image.maximumPixels
    ) {
        random = Random(seed: key.seed, purpose: .augment, epoch: key.epoch, index: key.sample)
        self.key = key
        self.height = height
        self.width = width
        self.normalization = normalization
        self.maximumPixels = maximumPixels
    }

    public var epoch: Int { key.epoch }
    /// The sample's number in its source.
    public var sample: Int { key.sample }
    public var seed: UInt64 { key.seed }
}

extension [any AugmentationStep] {
    /// Applies the steps in their order.
    /// - Returns: the image, and whether it is still to be mirrored.
    func applied(to source: Image, _ context: AugmentationContext) throws -> Augmentation.Result {
        var image = source, context = context
        for step in self { try step.apply(to: &image, &context) }
        guard image.width == context.width, image.height == context.height else {
            throw AnnealError(
                "",
                "after its augmentation it has \(image.width) x \(image.height) pixels, the network takes \(context.width) x \(context.height)",
                code: .mismatch)
        }
        return .init(image: image, mirrored: context.isMirrored)
    }
}
