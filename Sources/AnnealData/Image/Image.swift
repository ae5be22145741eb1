import AnnealCore

/// An 8-bit image: rows of interleaved pixels, `pixels[(y * width + x) * channels + c]`.
public struct Image: Sendable, Equatable {
    public var width: Int
    public var height: Int
    /// 1 gray, 3 RGB, 4 RGBA.
    public var channels: Int
    public var pixels: [UInt8]

    /// - Precondition: `pixels.count == width * height * channels`.
    public init(width: Int, height: Int, channels: Int, pixels: [UInt8]) {
        precondition(
            width > 0 && height > 0 && pixels.count == width * height * channels,
            "\(pixels.count) bytes are not an image of \(width) x \(height) x \(channels)")
        self.width = width
        self.height = height
        self.channels = channels
        self.pixels = pixels
    }

    /// An image with the same level in all channels of all pixels.
    public init(width: Int, height: Int, channels: Int, filledWith value: UInt8) {
        self.init(
            width: width, height: height, channels: channels,
            pixels: Array(repeating: value, count: width * height * channels))
    }

    /// An image from a buffer of rows, e.g. from a camera.
    /// - Parameters:
    ///   - rows: interleaved 8-bit pixels, row after row from the top.
    ///   - bytesPerRow: the distance from one row to the next, if rows are padded; nil: width * channels.
    /// - Throws: `AnnealError` when there are too few bytes, or no pixels.
    /// - Throws: `AnnealError` when the bytes do not suffice, or there is no pixel.
    public init(rows: [UInt8], width: Int, height: Int, channels: Int, bytesPerRow: Int? = nil) throws {
        guard width > 0, height > 0, width <= Image.maximumPixels / height, [1, 3, 4].contains(channels) else {
            throw AnnealError("image", "cannot be \(width) x \(height) pixels of \(channels) channels")
        }
        let line = width * channels, step = bytesPerRow ?? line
        let (before, overflow) = step.multipliedReportingOverflow(by: height - 1)
        guard step >= line, !overflow, rows.count >= line, before <= rows.count - line else {
            throw AnnealError(
                "image",
                "\(rows.count) bytes are too few for \(height) rows of \(line) bytes, each \(step) after the last",
                code: .mismatch)
        }
        var pixels: [UInt8] = []
        pixels.reserveCapacity(line * height)
        for row in 0..<height { pixels += rows[row * step..<row * step + line] }
        self.init(width: width, height: height, channels: channels, pixels: pixels)
    }

    /// The layout that a decoder returns: gray for 1, RGB for 3, RGBA for 4 requested channels.
    public enum Channels: Int, Sendable {
        case asStored = 0
        case gray = 1
        case rgb = 3
        case rgba = 4
    }

    /// Unless a higher limit is given, images with more pixels are refused before memory is allocated for them (2^26,
    /// 8192 x 8192).
    public static let maximumPixels = 1 << 26
}

extension Image {
    /// The rectangle with its top left corner at (x, y).
    /// - Precondition: it lies inside the image.
    public func cropped(x: Int, y: Int, width newWidth: Int, height newHeight: Int) -> Image {
        precondition(
            x >= 0 && y >= 0 && newWidth > 0 && newHeight > 0 && x + newWidth <= width && y + newHeight <= height,
            "the crop \(newWidth) x \(newHeight) at (\(x), \(y)) is not inside \(width) x \(height)")
        if newWidth == width && newHeight == height { return self }
        let line = newWidth * channels
        let out = [UInt8](filledBy: newHeight * line) { out in
            for row in 0..<newHeight {
                out.copy(line, of: pixels, from: ((y + row) * width + x) * channels, to: row * line)
            }
        }
        return Image(width: newWidth, height: newHeight, channels: channels, pixels: out)
    }
}

extension [UInt8] {
    /// An image with uninitialised pixels that `body` must fill.
    init(filledBy count: Int, _ body: (UnsafeMutableBufferPointer<UInt8>) -> Void) {
        self.init(unsafeUninitializedCapacity: count) { buffer, initialized in
            body(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
            initialized = count
        }
    }
}

extension UnsafeMutableBufferPointer<UInt8> {
    /// - Precondition: both buffers are large enough.
    func copy(_ count: Int, of source: [UInt8], from start: Int, to target: Int) {
        precondition(start >= 0 && target >= 0 && start + count <= source.count && target + count <= self.count)
        source.withUnsafeBytes { source in
            UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(self)[target..<(target + count)])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[start..<(start + count)]))
        }
    }
}
