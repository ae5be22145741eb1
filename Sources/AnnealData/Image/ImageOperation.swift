import AnnealCore
import Foundation

/// The operations that TrivialAugment, RandAugment and AutoAugment choose from, as torchvision defines them for 8-bit
/// images.
package enum ImageOperation: CaseIterable, Sendable {
    case identity, shearX, shearY, translateX, translateY, rotate, brightness, color, contrast, sharpness, posterize,
        solarize, autoContrast, equalize, invert

    /// The largest magnitude in TrivialAugment's wide set: a tangent, pixels, degrees, an offset to a factor of 1,
    /// dropped bits, or a threshold.
    package var wideRange: Float {
        switch self {
        case .identity, .autoContrast, .equalize, .invert: 0
        case .shearX, .shearY, .brightness, .color, .contrast, .sharpness: 0.99
        case .translateX, .translateY: 32
        case .rotate: 135
        case .posterize: 6
        case .solarize: 255
        }
    }

    var isSigned: Bool {
        switch self {
        case .identity, .posterize, .solarize, .autoContrast, .equalize, .invert: false
        default: true
        }
    }

    /// The area that a map uncovers is filled with `fill`.
    /// - Precondition: the image has one channel or three.
    package func applied(to image: Image, _ magnitude: Float, fill: UInt8) -> Image {
        func warped(_ map: AffineMap) -> Image {
            image.warped(by: map, width: image.width, height: image.height, .nearest, fill: fill)
        }
        let m = Double(magnitude)
        var result = image
        switch self {
        case .identity: break
        // Pixel centres lie half a pixel from the corner that stays fixed.
        case .shearX: return warped(AffineMap(xy: m, x: m / 2))
        case .shearY: return warped(AffineMap(yx: m, y: m / 2))
        case .translateX: return warped(AffineMap(x: -m.rounded(.towardZero)))
        case .translateY: return warped(AffineMap(y: -m.rounded(.towardZero)))
        case .rotate: return warped(.rotation(degrees: m, about: image))
        case .brightness: result.truncateLevels { $0 * (1 + magnitude) }
        case .color: result.blendWithGray(1 + magnitude)
        case .contrast:
            let mean = Float(Double(image.grays.reduce(0) { $0 + Int($1) }) / Double(image.width * image.height))
            result.truncateLevels { $0 * (1 + magnitude) - mean * magnitude }
        case .sharpness: result.sharpen(1 + magnitude)
        case .posterize:
            let mask = UInt8(truncatingIfNeeded: 0xFF << Int(magnitude.rounded(.toNearestOrEven)))
            for i in result.pixels.indices { result.pixels[i] &= mask }
        case .solarize:
            let threshold = 255 - magnitude
            result.truncateLevels { $0 >= threshold ? 255 - $0 : $0 }
        case .autoContrast: result.mapChannels(Image.stretching)
        case .equalize: result.mapChannels(Image.equalizing)
        case .invert: for i in result.pixels.indices { result.pixels[i] = 255 - result.pixels[i] }
        }
        return result
    }
}

extension AffineMap {
    /// The source position for an image rotated counter-clockwise about its centre.
    fileprivate static func rotation(degrees: Double, about image: Image) -> AffineMap {
        let angle = degrees / 180 * .pi, x = Double(image.width - 1) / 2, y = Double(image.height - 1) / 2
        let c = cos(angle), s = sin(angle)
        return AffineMap(xx: c, xy: -s, x: x - c * x + s * y, yx: s, yy: c, y: y - s * x - c * y)
    }
}

extension UInt8 {
    /// Rounded down, as PyTorch converts floats to bytes.
    fileprivate static func truncated(_ value: Float) -> UInt8 { Self(Swift.min(Swift.max(value, 0), 255)) }
}

extension Image {
    /// torchvision's gray of each pixel, rounded down.
    fileprivate var grays: [UInt8] {
        guard channels == 3 else { return pixels }
        return stride(from: 0, to: pixels.count, by: 3).map {
            .truncated(0.2989 * Float(pixels[$0]) + 0.587 * Float(pixels[$0 + 1]) + 0.114 * Float(pixels[$0 + 2]))
        }
    }

    fileprivate mutating func truncateLevels(_ change: (Float) -> Float) {
        let table = (0..<256).map { UInt8.truncated(change(Float($0))) }
        for i in pixels.indices { pixels[i] = table[Int(pixels[i])] }
    }

    fileprivate mutating func blendWithGray(_ factor: Float) {
        guard channels == 3 else { return }
        let grays = grays
        for i in pixels.indices {
            pixels[i] = .truncated(Float(pixels[i]) * factor + Float(grays[i / 3]) * (1 - factor))
        }
    }

    /// Blends with the result of a 3x3 smoothing with weight 5 in the centre; border pixels are unchanged.
    fileprivate mutating func sharpen(_ factor: Float) {
        guard width > 2, height > 2 else { return }
        let old = pixels, line = width * channels
        for y in 1..<(height - 1) {
            for i in (y * line + channels)..<((y + 1) * line - channels) {
                var sum = 4 * Int(old[i])
                for row in [i - line, i, i + line] {
                    sum += Int(old[row - channels]) + Int(old[row]) + Int(old[row + channels])
                }
                let smooth = (Float(sum) / 13).rounded(.toNearestOrEven)
                pixels[i] = .truncated(Float(old[i]) * factor + smooth * (1 - factor))
            }
        }
    }

    /// Maps each channel by a table computed from its histogram.
    fileprivate mutating func mapChannels(_ table: ([Int]) -> [UInt8]) {
        for c in 0..<channels {
            var histogram = [Int](repeating: 0, count: 256)
            for i in stride(from: c, to: pixels.count, by: channels) { histogram[Int(pixels[i])] += 1 }
            let table = table(histogram)
            for i in stride(from: c, to: pixels.count, by: channels) { pixels[i] = table[Int(pixels[i])] }
        }
    }

    private static let unchanged = (0..<256).map { UInt8($0) }

    /// The lowest level that occurs becomes 0, the highest 255.
    fileprivate static func stretching(_ histogram: [Int]) -> [UInt8] {
        guard let low = histogram.firstIndex(where: { $0 > 0 }), let high = histogram.lastIndex(where: { $0 > 0 }),
            low < high
        else { return unchanged }
        let scale = 255 / Float(high - low)
        return (0..<256).map { .truncated(Float($0 - low) * scale) }
    }

    /// Histogram equalisation, in PIL's steps.
    fileprivate static func equalizing(_ histogram: [Int]) -> [UInt8] {
        guard let high = histogram.lastIndex(where: { $0 > 0 }) else { return unchanged }
        let step = (histogram.reduce(0, +) - histogram[high]) / 255
        guard step > 0 else { return unchanged }
        var below = step / 2
        return histogram.map { count in
            defer { below += count }
            return UInt8(min(below / step, 255))
        }
    }
}
