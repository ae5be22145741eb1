import AnnealCore
import CAnnealImage

/// Decodes JPEG and PNG from memory. Keeps the codec's state from image to image: one for each thread.
public final class ImageDecoder {
    private let decoder: OpaquePointer
    private let maximumPixels: Int

    /// - Parameter maximumPixels: larger images are refused before memory is taken for them.
    /// - Throws: `AnnealError` when there is no memory.
    public init(maximumPixels: Int = Image.maximumPixels) throws {
        guard let decoder = ani_decoder_new() else {
            throw AnnealError("", "no memory for an image decoder", code: .outOfMemory)
        }
        self.decoder = decoder
        self.maximumPixels = maximumPixels
    }

    deinit { ani_decoder_free(decoder) }

    /// Decodes the image in `bytes[start...]`, to the pixels that OpenCV's `imdecode` gives (as RGB).
    ///
    /// JPEG: libjpeg-turbo's accurate integer DCT and fancy upsampling; CMYK is converted. PNG: 16 bit keeps the high
    /// byte, alpha is dropped unless RGBA is asked for.
    /// JPEG data that lacks only its end marker is decoded; data that is cut off before its last pixel is damaged.
    /// - Throws: `AnnealError` without a place: no image, a damaged one, or more pixels than are allowed.
    public func decode(_ bytes: [UInt8], from start: Int = 0, as channels: Image.Channels = .rgb) throws -> Image {
        precondition(start >= 0 && start <= bytes.count)
        return try bytes.withUnsafeBufferPointer { all in
            let encoded = UnsafeBufferPointer(rebasing: all[start...])
            var size = ani_size()
            let status = ani_decoder_begin(
                decoder, encoded.baseAddress, encoded.count, Int32(channels.rawValue), Int64(maximumPixels), &size)
            guard status != ANI_TOO_LARGE else { throw tooLarge(Int(size.width), Int(size.height)) }
            guard status == 0 else { throw failure }
            let count = Int(size.width) * Int(size.height) * Int(size.channels)
            let pixels = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
                guard ani_decoder_finish(decoder, buffer.baseAddress, count) == 0 else { throw failure }
                initialized = count
            }
            return Image(
                width: Int(size.width), height: Int(size.height), channels: Int(size.channels), pixels: pixels)
        }
    }

    private var failure: AnnealError { AnnealError("", String(cString: ani_decoder_error(decoder)), code: .damaged) }

    private func tooLarge(_ width: Int, _ height: Int) -> AnnealError {
        AnnealError(
            "",
            "the image says it has \(width) x \(height) pixels, more than \(maximumPixels) are refused",
            suggestion: "if it really is that large, allow it with --max-image-pixels \(width * height)",
            code: .unsupported)
    }
}
