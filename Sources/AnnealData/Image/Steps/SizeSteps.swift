import AnnealCore

/// Resizes the shorter side to this length; the other keeps the ratio, rounded down (MXNet's `resize`).
struct ShortSideResize: AugmentationStep {
    let side: Int
    let interpolation: Interpolation
    var name: String { "resize" }
    var isRandom: Bool { false }

    func apply(to image: inout Image, _ context: inout AugmentationContext) throws {
        let size = try size(image.width, image.height, maximumPixels: context.maximumPixels)
        image = image.resized(width: size.width, height: size.height, interpolation)
    }

    /// The size of the resized image.
    /// - Throws: `AnnealError` without a place when it would be too large.
    func size(_ width: Int, _ height: Int, maximumPixels: Int) throws -> (width: Int, height: Int) {
        let long = side * max(width, height) / min(width, height)
        try Image.checkSize(side, long, maximumPixels)
        return height > width ? (side, long) : (long, side)
    }
}

/// Rotation, shear, scale and aspect ratio in one map.
struct AffineStep: AugmentationStep {
    let affine: RandomAffine
    let interpolation: Interpolation
    let fill: UInt8
    var name: String { "affine map" }

    func apply(to image: inout Image, _ context: inout AugmentationContext) throws {
        image = try affine.applied(
            to: image, interpolation, fill: fill, &context.random, maximumPixels: context.maximumPixels)
    }
}

/// A border on all sides (`pad`).
struct PadStep: AugmentationStep {
    let border: Int
    let mode: PadMode
    let fill: UInt8
    var name: String { "border" }
    var isRandom: Bool { false }

    func apply(to image: inout Image, _ context: inout AugmentationContext) {
        switch mode {
        case .constant: image = image.padded(border, with: fill)
        case .reflect: image = image.paddedByReflection(border)
        }
    }
}

/// A crop of the network's shape, in the centre or anywhere. An image that is too low is first enlarged to the height,
/// keeping the ratio; if it is then too narrow, to the width.
struct CropStep: AugmentationStep {
    let isAnywhere: Bool
    let interpolation: Interpolation
    var name: String { "crop" }
    var isRandom: Bool { isAnywhere }

    func apply(to image: inout Image, _ context: inout AugmentationContext) throws {
        image = try enlarged(image, context)
        image = image.cropped(
            Self.place(in: image, width: context.width, height: context.height, isAnywhere, &context.random))
    }

    private func enlarged(_ source: Image, _ context: AugmentationContext) throws -> Image {
        var image = source
        let (height, width) = (context.height, context.width)
        if image.height < height {
            let newWidth = Int(Float(height) / Float(image.height) * Float(image.width))
            try Image.checkSize(newWidth, height, context.maximumPixels)
            image = image.resized(width: newWidth, height: height, interpolation)
        }
        if image.width < width {
            let newHeight = Int(Float(width) / Float(image.width) * Float(image.height))
            try Image.checkSize(width, newHeight, context.maximumPixels)
            image = image.resized(width: width, height: newHeight, interpolation)
        }
        return image
    }

    /// A rectangle inside the image.
    static func place(in image: Image, width: Int, height: Int, _ isAnywhere: Bool, _ random: inout Random) -> Rectangle
    {
        let spare = (x: image.width - width, y: image.height - height)
        guard isAnywhere else { return Rectangle(x: spare.x / 2, y: spare.y / 2, width: width, height: height) }
        let y = random.below(spare.y + 1)
        return Rectangle(x: random.below(spare.x + 1), y: y, width: width, height: height)
    }
}

/// A square with a side between two lengths, resized to the network's shape (`min_crop_size`, `max_crop_size`).
struct SquareCropStep: AugmentationStep {
    let sides: ClosedRange<Int>
    let isAnywhere: Bool
    let interpolation: Interpolation
    var name: String { "square crop" }

    func apply(to image: inout Image, _ context: inout AugmentationContext) throws {
        guard image.width >= sides.upperBound, image.height >= sides.upperBound else {
            throw AnnealError(
                "", "an image of \(image.width) x \(image.height) is smaller than the crop size \(sides.upperBound)")
        }
        let side = sides.count == 1 ? sides.lowerBound : sides.lowerBound + context.random.below(sides.count)
        image = image.cropped(CropStep.place(in: image, width: side, height: side, isAnywhere, &context.random))
            .resized(width: context.width, height: context.height, interpolation)
    }
}

/// A part of random area and aspect ratio, resized to the network's shape (`random_resized_crop`).
struct ResizedCropStep: AugmentationStep {
    let crop: RandomResizedCrop
    /// If no attempt fits, the crop that MXNet uses without it.
    let otherwise: CropStep
    let interpolation: Interpolation
    var name: String { "random resized crop" }

    func apply(to image: inout Image, _ context: inout AugmentationContext) throws {
        try apply(to: &image, part: part(of: image, &context), &context)
    }

    func part(of image: Image, _ context: inout AugmentationContext) -> Rectangle? {
        crop.part(width: image.width, height: image.height, &context.random)
    }

    /// - Parameter part: the chosen part; nil if none fits.
    func apply(to image: inout Image, part: Rectangle?, _ context: inout AugmentationContext) throws {
        guard let part else { return try otherwise.apply(to: &image, &context) }
        image = image.cropped(part).resized(width: context.width, height: context.height, interpolation)
    }
}

extension Image {
    func cropped(_ part: Rectangle) -> Image { cropped(x: part.x, y: part.y, width: part.width, height: part.height) }
}
