import AnnealCore
import CAnnealImage

/// Decodes JPEG, PNG, WebP, GIF (the first frame), TIFF and BMP from memory, detected by content. Keeps the codec's
/// state from image to image: use one per thread.
public final class ImageDecoder {
    private let decoder: OpaquePointer
    private let maximumPixels: Int

    /// - Parameter maximumPixels: larger images are refused before memory is allocated for them.
    /// - Throws: `AnnealError` when memory runs out.
    public init(maximumPixels: Int = Image.maximumPixels) throws {
        guard let decoder = anneal_decoder_new() else {
            throw AnnealError("", "no memory for an image decoder", code: .outOfMemory)
        }
        self.decoder = decoder
        self.maximumPixels = maximumPixels
    }

    deinit { anneal_decoder_free(decoder) }

    /// Decodes the image in `bytes[start...]` to the same pixels as OpenCV's `imdecode` (as RGB).
    ///
    /// JPEG: libjpeg-turbo's accurate integer DCT and fancy upsampling; CMYK is converted. PNG: the high byte of 16-bit
    /// values is kept, and alpha is dropped unless RGBA is requested.
    /// JPEG data that lacks only its end marker is decoded; data that is truncated before its last pixel is damaged.
    /// - Throws: `AnnealError` without a place: not an image, a damaged one, or more pixels than allowed.
    public func decode(_ bytes: [UInt8], from start: Int = 0, as channels: Image.Channels = .rgb) throws -> Image {
        try decode(bytes, from: start, as: channels) { _ in nil }.image
    }

    /// A rectangle of an image scaled down by an integer factor, in the coordinates of the scaled image, whose width
    /// and height are those of the whole image divided by the factor and rounded up.
    struct Part: Equatable {
        var rectangle: Rectangle
        /// 1, 2, 4 or 8.
        var denominator: Int
        /// The part's position within the rectangle, which has whole pixels.
        var region: Image.Region

        /// - Parameters:
        ///   - part: of the whole image.
        ///   - size: the size that the part is resized to.
        ///   - isReduced: whether the image may be scaled down, as long as the part stays at least as large as `size`.
        init(_ part: Rectangle, for size: (width: Int, height: Int), isReduced: Bool) {
            let fitting = [8, 4, 2].first { part.width >= $0 * size.width && part.height >= $0 * size.height }
            let divisor = isReduced ? fitting ?? 1 : 1
            func reduced(_ length: Int) -> Double { Double(length) / Double(divisor) }
            func roundedUp(_ length: Int) -> Int { (length + divisor - 1) / divisor }
            let x = part.x / divisor, y = part.y / divisor
            denominator = divisor
            rectangle = Rectangle(
                x: x, y: y, width: roundedUp(part.x + part.width) - x, height: roundedUp(part.y + part.height) - y)
            region = Image.Region(
                x: reduced(part.x) - Double(x), y: reduced(part.y) - Double(y), width: reduced(part.width),
                height: reduced(part.height))
        }
    }

    /// Decodes an image, or only a part of it where its format allows.
    ///
    /// Without scaling, the part's pixels equal those of the whole image. Damage below the part goes unnoticed.
    /// - Parameter part: called with the width and height of the whole image if parts can be decoded; if it returns
    ///   nil, the whole image is decoded.
    /// - Returns: the image, and whether it is the part.
    func decode(
        _ bytes: [UInt8], from start: Int, as channels: Image.Channels,
        part: ((width: Int, height: Int)) throws -> Part?
    ) throws -> (image: Image, isPart: Bool) {
        precondition(start >= 0 && start <= bytes.count)
        return try bytes.withUnsafeBufferPointer { all in
            let encoded = UnsafeBufferPointer(rebasing: all[start...])
            var size = anneal_image_size()
            let status = anneal_decoder_begin(
                decoder, encoded.baseAddress, encoded.count, Int32(channels.rawValue), Int64(maximumPixels), &size)
            guard status != ANNEAL_IMAGE_TOO_LARGE else { throw tooLarge(Int(size.width), Int(size.height)) }
            guard status == 0 else { throw failure }
            if anneal_decoder_can_finish_part(decoder) != 0, let part = try part((Int(size.width), Int(size.height))) {
                return (try finish(part, channels: Int(size.channels)), true)
            }
            let count = Int(size.width) * Int(size.height) * Int(size.channels)
            let pixels = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
                guard anneal_decoder_finish(decoder, buffer.baseAddress, count) == 0 else { throw failure }
                initialized = count
            }
            let image = Image(
                width: Int(size.width), height: Int(size.height), channels: Int(size.channels), pixels: pixels)
            return (image, false)
        }
    }

    private func finish(_ part: Part, channels: Int) throws -> Image {
        let box = part.rectangle, count = box.width * box.height * channels
        let pixels = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            let status = anneal_decoder_finish_part(
                decoder, Int32(part.denominator), Int32(box.x), Int32(box.y), Int32(box.width), Int32(box.height),
                buffer.baseAddress, count)
            guard status == 0 else { throw failure }
            initialized = count
        }
        return Image(width: box.width, height: box.height, channels: channels, pixels: pixels)
    }

    private var failure: AnnealError { AnnealError("", String(cString: anneal_decoder_error(decoder)), code: .damaged) }

    private func tooLarge(_ width: Int, _ height: Int) -> AnnealError {
        AnnealError(
            "",
            "the image says it has \(width) x \(height) pixels, more than the limit of \(maximumPixels)",
            suggestion: "if it really is that large, allow it with --max-image-pixels \(width * height)",
            code: .unsupported)
    }
}
