import AnnealCore

/// MXNet's `random_resized_crop`: a part of random area and aspect ratio, in ten attempts (Szegedy et al. 2015).
public struct RandomResizedCrop: Sendable, Equatable, Codable {
    /// The part's share of the image (`min_random_area`, `max_random_area`).
    public var area: ClosedRange<Float>
    /// One side over the other; which one is longer is random (`min_aspect_ratio`, `max_aspect_ratio`).
    public var ratio: ClosedRange<Float>

    public init(area: ClosedRange<Float> = 1...1, ratio: ClosedRange<Float> = 1...1) {
        self.area = area
        self.ratio = ratio
    }

    /// nil when no attempt fits into the image, or nothing is random: then MXNet crops the centre.
    func part(width imageWidth: Int, height imageHeight: Int, _ random: inout Random) -> Rectangle? {
        guard area != 1...1 || ratio != 1...1 else { return nil }
        let whole = Float(imageWidth * imageHeight)
        for _ in 0..<10 {
            let target = whole * random.uniform(area.lowerBound, area.upperBound)
            let ratio = random.uniform(ratio.lowerBound, ratio.upperBound)
            var height = Int((target / ratio).squareRoot().rounded())
            var width = Int((target * ratio).squareRoot().rounded())
            if random.bool() { swap(&width, &height) }
            guard (1...imageWidth).contains(width), (1...imageHeight).contains(height) else { continue }
            let y = random.below(imageHeight - height + 1)
            return Rectangle(x: random.below(imageWidth - width + 1), y: y, width: width, height: height)
        }
        return nil
    }
}

/// A rectangle of pixels, with its top left corner at (x, y).
struct Rectangle: Equatable {
    var x: Int
    var y: Int
    var width: Int
    var height: Int

    /// The square around (centreX, centreY), from half a side before it, clipped to the image.
    init(centreX: Int, centreY: Int, width: Int, height: Int, inside size: (width: Int, height: Int)) {
        x = min(max(centreX - width / 2, 0), size.width)
        y = min(max(centreY - height / 2, 0), size.height)
        self.width = min(max(centreX - width / 2 + width, 0), size.width) - x
        self.height = min(max(centreY - height / 2 + height, 0), size.height) - y
    }

    init(x: Int, y: Int, width: Int, height: Int) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }
}
