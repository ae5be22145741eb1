import AnnealCore
import CAnnealImage

/// Turns an image into a row of the network's input, in one thread: decoded, rotated upright, augmented and, if floats
/// are needed at once, normalised.
package final class ImagePreparation {
    private let options: LoaderOptions
    /// The steps that do not depend on the epoch, and those from the first random one on.
    private let fixed: [any AugmentationStep]
    private let rest: [any AugmentationStep]
    private let decoder: ImageDecoder
    private var payload: [UInt8] = []
    private var planes: [UInt8] = []

    /// - Throws: `AnnealError` when a decoder cannot be created.
    package init(_ options: LoaderOptions) throws {
        self.options = options
        let steps = options.steps ?? options.augmentation.steps
        // A crop sets the shape; only the last step must keep the network's shape.
        let first = steps.firstIndex { $0.isRandom } ?? steps.count
        fixed = Array(steps[..<first])
        rest = Array(steps[first...])
        decoder = try ImageDecoder(maximumPixels: options.maximumPixels)
    }

    /// - Parameters:
    ///   - payload: the encoded image from `start` on.
    ///   - sample, epoch: what the random choices depend on.
    func image(
        _ payload: [UInt8], from start: Int, turnsUpright: Bool, sample: Int, epoch: Int
    ) throws -> Augmentation.Result {
        if let result = try partDecoded(
            payload, from: start, turnsUpright: turnsUpright, sample: sample, epoch: epoch)
        {
            return result
        }
        let decoded = try decoded(payload, from: start, turnsUpright: turnsUpright)
        return try augmented(decoded, sample: sample, epoch: epoch)
    }

    /// The part that does not depend on the epoch: decoded, upright, and after the steps that are not random.
    ///
    /// A large JPEG image that is resized first is decoded at 1/2, 1/4 or 1/8, as long as it is at least as large as
    /// the result.
    func decoded(_ payload: [UInt8], from start: Int, turnsUpright: Bool) throws -> Image {
        let orientation = turnsUpright ? ExifOrientation.of(payload) : 1
        guard let resize = fixed.first as? ShortSideResize else {
            return try afterFixedSteps(
                decoder.decode(payload, from: start, as: channels).turned(by: orientation))
        }
        var chosen: (part: ImageDecoder.Part, size: (width: Int, height: Int))?
        let found = try decoder.decode(payload, from: start, as: channels) { width, height in
            guard isReduced(width, height) else { return nil }
            let whole = Rectangle(x: 0, y: 0, width: width, height: height)
            let part = ImageDecoder.Part(whole, for: (resize.side, resize.side), isReduced: true)
            guard part.denominator > 1 else { return nil }
            chosen = (part, try resize.size(width, height, maximumPixels: options.maximumPixels))
            return part
        }
        guard found.isPart, let chosen else { return try afterFixedSteps(found.image.turned(by: orientation)) }
        // Resized before it is rotated, because the part's last pixels lie beyond the image.
        let image = found.image.resized(
            chosen.size.width, chosen.size.height, resize.interpolation, from: chosen.part.region)
        return try afterFixedSteps(image.turned(by: orientation), dropping: 1)
    }

    /// Decodes only the random part of an image that is used.
    /// - Returns: nil if the whole image is needed.
    private func partDecoded(
        _ payload: [UInt8], from start: Int, turnsUpright: Bool, sample: Int, epoch: Int
    ) throws -> Augmentation.Result? {
        guard fixed.isEmpty, let step = rest.first as? ResizedCropStep,
            !turnsUpright || ExifOrientation.of(payload) == 1
        else { return nil }
        var context = context(.init(seed: options.seed, epoch: epoch, sample: sample))
        // The inner nil: no part fits. It was already drawn if the format could have been read in parts.
        var chosen: Rectangle??, region: Image.Region?
        let found = try decoder.decode(payload, from: start, as: channels) { width, height in
            let part = step.crop.part(width: width, height: height, &context.random)
            chosen = .some(part)
            let decoded = part.map {
                ImageDecoder.Part($0, for: (context.width, context.height), isReduced: isReduced(width, height))
            }
            region = decoded?.region
            return decoded
        }
        var image = found.image
        if found.isPart, let region {
            image = image.resized(context.width, context.height, step.interpolation, from: region)
        } else {
            try step.apply(to: &image, part: chosen ?? step.part(of: image, &context), &context)
        }
        return try Array(rest.dropFirst()).applied(to: image, context)
    }

    private var channels: Image.Channels { Image.Channels(rawValue: options.dataShape[0]) ?? .rgb }

    /// Whether an image of this size may be decoded at a smaller size.
    private func isReduced(_ width: Int, _ height: Int) -> Bool {
        !options.decodesExactly && width * height > options.largeImage
    }

    /// - Parameter done: the number of steps that have been applied.
    private func afterFixedSteps(_ image: Image, dropping done: Int = 0) throws -> Image {
        var image = image, context = context(.init(seed: options.seed, epoch: 0, sample: 0))
        for step in fixed.dropFirst(done) { try step.apply(to: &image, &context) }
        return image
    }

    private func context(_ key: Augmentation.Key) -> AugmentationContext {
        AugmentationContext(
            key: key, height: options.dataShape[1], width: options.dataShape[2], normalization: options.normalization,
            maximumPixels: options.maximumPixels)
    }

    /// - Parameter image: after `decoded`.
    func augmented(_ image: Image, sample: Int, epoch: Int) throws -> Augmentation.Result {
        try rest.applied(to: image, context(.init(seed: options.seed, epoch: epoch, sample: sample)))
    }

    /// Writes a sample's image as normalised planes (channels, height, width); its labels are ignored.
    /// - Precondition: the row has room for `dataShape`.
    package func write(_ number: Int, of source: any SampleSource, to row: UnsafeMutableBufferPointer<Float>) throws {
        var id: UInt64?
        do {
            let header = try source.readSample(number, epoch: 0, into: &payload)
            id = header.id
            write(
                try image(
                    payload, from: header.imageStart, turnsUpright: source.turnsUpright, sample: number, epoch: 0),
                to: row)
        } catch let error as AnnealError {
            throw source.placed(error, number, id: id)
        }
    }

    /// As above, for an image that is already decoded.
    /// - Throws: `AnnealError` without a place when its channels are not the network's, or it cannot be cropped.
    package func write(_ image: Image, to row: UnsafeMutableBufferPointer<Float>) throws {
        guard image.channels == options.dataShape[0] else {
            throw AnnealError(
                "", "the image has \(image.channels.counted("channel")), but the network takes \(options.dataShape[0])",
                suggestion: "1 is gray, 3 is RGB, 4 is RGBA", code: .mismatch)
        }
        write(try augmented(try afterFixedSteps(image), sample: 0, epoch: 0), to: row)
    }

    private func write(_ result: Augmentation.Result, to row: UnsafeMutableBufferPointer<Float>) {
        let image = result.image, area = image.width * image.height
        if planes.count < image.pixels.count { planes = Array(repeating: 0, count: image.pixels.count) }
        planes.withUnsafeMutableBufferPointer { planes in
            guard let planes = planes.baseAddress, let start = row.baseAddress else { return }
            image.pixels.withUnsafeBufferPointer { pixels in
                anneal_image_to_planes(
                    pixels.baseAddress, Int32(image.width), Int32(image.height), Int32(image.channels),
                    result.mirrored ? 1 : 0, planes)
            }
            for channel in 0..<image.channels {
                anneal_image_normalize(
                    planes + channel * area, area, options.normalization.mean(channel),
                    options.normalization.factor(channel), start + channel * area)
            }
        }
    }
}
