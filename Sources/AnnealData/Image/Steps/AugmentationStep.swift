import AnnealCore

/// One step of the processing between decoding and the network. Augmentation is a list of steps, applied in order;
/// other packages can add their own.
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

    /// Whether the step draws from `context.random` or uses the epoch. For images that are cached decoded, the steps
    /// before the first such step are applied once.
    var isRandom: Bool { get }

    /// - Throws: `AnnealError` without a place when the step cannot be applied, e.g. because the image is too small.
    func apply(to image: inout Image, _ context: inout AugmentationContext) throws
}

extension AugmentationStep {
    public var isRandom: Bool { true }
}

/// What a step knows in addition to the image.
public struct AugmentationContext: Sendable {
    /// The sample's own stream in this epoch: a step draws the same numbers for any number of threads.
    public var random: Random
    /// The network's input shape, which the image must have after the last step.
    public let height: Int
    public let width: Int
    /// Applied afterwards; it defines the mean colour.
    public let normalization: Normalization
    /// Images with more pixels are refused.
    public let maximumPixels: Int
    /// Whether the image is to be mirrored at the end, while it is copied into planes, which costs nothing.
    public var isMirrored = false
    /// What determines the random choices for this sample.
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
    /// The sample's index in its source.
    public var sample: Int { key.sample }
    public var seed: UInt64 { key.seed }
}

extension [any AugmentationStep] {
    /// Applies the steps in order.
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
