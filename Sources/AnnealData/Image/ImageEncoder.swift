import AnnealCore
import CAnnealImage

/// The format of a written image.
public enum ImageEncoding: Sendable, Equatable {
    /// Quality 1 ... 100, chroma at half the resolution, as OpenCV writes it (its default: 95).
    case jpeg(quality: Int)
    /// Compression level 0 ... 9.
    case png(level: Int)
}

extension Image {
    /// - Throws: `AnnealError` without a place when the encoder refuses the image, e.g. RGBA as JPEG.
    public func encoded(as encoding: ImageEncoding) throws -> [UInt8] {
        var out = anneal_image_bytes()
        defer { anneal_image_bytes_free(&out) }
        let status: Int32
        switch encoding {
        case .jpeg(let quality):
            guard channels != 4, width <= 65_500, height <= 65_500 else {
                throw AnnealError("", "\(width) x \(height) x \(channels) cannot be a JPEG image", code: .unsupported)
            }
            status = anneal_encode_jpeg(
                pixels, Int32(width), Int32(height), Int32(channels), Int32(min(100, max(1, quality))), &out)
        case .png(let level):
            guard channels == 1 || channels == 3 || channels == 4 else {
                throw AnnealError("", "\(channels) channels cannot be a PNG image", code: .unsupported)
            }
            status = anneal_encode_png(
                pixels, Int32(width), Int32(height), Int32(channels), Int32(min(9, max(0, level))), &out)
        }
        guard status == 0 else {
            let message = withUnsafeBytes(of: out.error) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            throw AnnealError("", message)
        }
        return Array(UnsafeBufferPointer(start: out.data, count: out.length))
    }
}
