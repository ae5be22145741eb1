import AnnealCore

/// Brightness, contrast, saturation, HSL shifts and PCA noise.
struct ColourStep: AugmentationStep {
    let jitter: ColourJitter
    var name: String { "colours" }

    func apply(to image: inout Image, _ context: inout AugmentationContext) {
        jitter.apply(to: &image, &context.random)
    }
}

/// Rectangles and squares that are painted over.
struct ErasingStep: AugmentationStep {
    let erasing: Erasing
    var name: String { "erasing" }

    func apply(to image: inout Image, _ context: inout AugmentationContext) {
        erasing.apply(to: &image, context.normalization, &context.random)
    }
}

/// Mirrors all images, a random half of them, or alternately.
struct MirrorStep: AugmentationStep {
    let isAlways: Bool
    let isRandomly: Bool
    let mode: Augmentation.MirrorMode
    var name: String { "mirror" }

    func apply(to image: inout Image, _ context: inout AugmentationContext) {
        // Drawn in any case: other random choices must not depend on `mirror`.
        let isFlipped = isFlipped(&context)
        if isAlways || isFlipped { context.isMirrored.toggle() }
    }

    private func isFlipped(_ context: inout AugmentationContext) -> Bool {
        guard isRandomly else { return false }
        switch mode {
        case .random: return context.random.bool()
        case .alternate:
            var first = Random(seed: context.seed, purpose: .mirror, index: context.sample)
            return first.bool() != (context.epoch % 2 == 1)
        }
    }
}
