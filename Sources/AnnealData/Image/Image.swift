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
            "\(pixels.count) bytes are no image of \(width) x \(height) x \(channels)")
        self.width = width
        self.height = height
        self.channels = channels
        self.pixels = pixels
    }

    public init(width: Int, height: Int, channels: Int, filledWith value: UInt8) {
        self.init(
            width: width, height: height, channels: channels,
            pixels: Array(repeating: value, count: width * height * channels))
    }

    /// What a decoder gives: gray for 1, RGB for 3, RGBA for 4 wanted channels.
    public enum Channels: Int, Sendable {
        case asStored = 0
        case gray = 1
        case rgb = 3
        case rgba = 4
    }

    /// Images of more pixels are refused before memory is taken for them (2^26, 8192 x 8192).
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
        var out: [UInt8] = []
        out.reserveCapacity(newWidth * newHeight * channels)
        for row in y..<(y + newHeight) {
            let start = (row * width + x) * channels
            out.append(contentsOf: pixels[start..<(start + newWidth * channels)])
        }
        return Image(width: newWidth, height: newHeight, channels: channels, pixels: out)
    }
}
