import AnnealCore
import CAnnealImage

/// Decodes JPEG and PNG from memory. Keeps the codec's state from image to image: one for each thread.
public final class ImageDecoder {
    private let decoder: OpaquePointer

    /// - Throws: `AnnealError` when there is no memory.
    public init() throws {
        guard let decoder = ani_decoder_new() else { throw AnnealError("", "no memory for an image decoder") }
        self.decoder = decoder
    }

    deinit { ani_decoder_free(decoder) }

    /// Decodes the image in `bytes[start...]`, to the pixels that OpenCV's `imdecode` gives (as RGB).
    ///
    /// JPEG: libjpeg-turbo's accurate integer DCT and fancy upsampling; CMYK is converted. PNG: 16 bit keeps the high
    /// byte, alpha is dropped unless RGBA is asked for.
    /// - Throws: `AnnealError` without a place: no image, a damaged one, or more than `Image.maximumPixels`.
    public func decode(_ bytes: [UInt8], from start: Int = 0, as channels: Image.Channels = .rgb) throws -> Image {
        precondition(start >= 0 && start <= bytes.count)
        return try bytes.withUnsafeBufferPointer { all in
            let encoded = UnsafeBufferPointer(rebasing: all[start...])
            var size = ani_size()
            let status = ani_decoder_begin(
                decoder, encoded.baseAddress, encoded.count, Int32(channels.rawValue), Int64(Image.maximumPixels), &size
            )
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

    private var failure: AnnealError { AnnealError("", String(cString: ani_decoder_error(decoder))) }
}
