import AnnealCore
import Foundation

/// MXNet's affine augmentation: one map for rotation, shear, scale and aspect ratio, about the image's centre.
public struct RandomAffine: Sendable, Equatable, Codable {
    /// Whole degrees, counter-clockwise (`max_rotate_angle` is the upper bound, its negative the lower one).
    public var rotation = 0...0
    /// Rows are shifted by up to this times their distance from the centre (`max_shear_ratio`).
    public var shear: Float = 0
    /// The new size over the old one (`min_random_scale`, `max_random_scale`).
    public var scale: ClosedRange<Float> = 1...1
    /// Of the visible part, at a constant mean of width and height (`min_aspect_ratio`, `max_aspect_ratio`).
    public var aspect: ClosedRange<Float> = 1...1

    public init() {}

    var isIdentity: Bool { rotation == 0...0 && shear == 0 && scale == 1...1 && aspect == 1...1 }

    /// The map is computed in float32, as MXNet does.
    func applied(
        to image: Image, _ interpolation: Interpolation, fill: UInt8, _ random: inout Random,
        maximumPixels: Int = Image.maximumPixels
    ) throws -> Image {
        let shear = random.uniform(-self.shear, self.shear)
        let angle = Double(rotation.lowerBound + random.below(rotation.count)) / 180 * .pi
        let a = Float(cos(angle)), b = Float(sin(angle))
        let scale = random.uniform(self.scale.lowerBound, self.scale.upperBound)
        let ratio = random.uniform(aspect.lowerBound, aspect.upperBound)
        let hs = 2 * scale / (1 + ratio), ws = ratio * hs
        let width = Float(image.width), height = Float(image.height)
        let newWidth = scale * width, newHeight = scale * height
        try Image.checkSize(Int(newWidth), Int(newHeight), maximumPixels)
        let xx = hs * a - shear * b * ws, xy = hs * b + shear * a * ws
        let yx = -b * ws, yy = a * ws
        let forward = AffineMap(
            xx: Double(xx), xy: Double(xy), x: Double((newWidth - (xx * width + xy * height)) / 2),
            yx: Double(yx), yy: Double(yy), y: Double((newHeight - (yx * width + yy * height)) / 2))
        return image.warped(
            by: forward.inverse, width: Int(newWidth), height: Int(newHeight), interpolation, fill: fill)
    }
}
