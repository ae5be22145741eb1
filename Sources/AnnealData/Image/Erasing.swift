import AnnealCore
import Foundation

/// Random erasing and Cutout: parts of an image are painted over, so that the network uses the rest.
public struct Erasing: Sendable, Equatable, Codable {
    /// What the parts are painted with.
    public enum Value: Sendable, Equatable, Codable {
        /// The mean that normalisation subtracts: zeros for the network, to half a level.
        case mean
        /// Normal noise about that mean, with its standard deviation.
        case noise
        /// One level in all channels.
        case level(UInt8)
    }

    /// The probability that an image loses a rectangle (Zhong et al. 2017, "Random erasing data augmentation").
    public var probability: Float = 0
    /// The rectangle's share of the image.
    public var area: ClosedRange<Float> = 0.02...0.33
    /// Its height over its width, log-uniform.
    public var ratio: ClosedRange<Float> = 0.3...3.3
    /// The side of a square that every image loses, centred on a random pixel and clipped at the border (DeVries and
    /// Taylor 2017, "Cutout"); 0: none.
    public var cutout = 0
    public var value = Value.mean

    public init() {}

    var isIdentity: Bool { probability <= 0 && cutout == 0 }

    func apply(to image: inout Image, _ normalization: Normalization, _ random: inout Random) {
        if probability > 0, random.bool(probability: probability), let part = rectangle(in: image, &random) {
            paint(part, of: &image, normalization, &random)
        }
        if cutout > 0 {
            let y = random.below(image.height)
            let square = Rectangle(
                centreX: random.below(image.width), centreY: y, width: cutout, height: cutout,
                inside: (image.width, image.height))
            paint(square, of: &image, normalization, &random)
        }
    }

    /// nil when none of ten attempts is smaller than the image, as in torchvision.
    private func rectangle(in image: Image, _ random: inout Random) -> Rectangle? {
        for _ in 0..<10 {
            let target = Float(image.width * image.height) * random.uniform(area.lowerBound, area.upperBound)
            let ratio = exp(random.uniform(log(ratio.lowerBound), log(ratio.upperBound)))
            let height = Int((target * ratio).squareRoot().rounded())
            let width = Int((target / ratio).squareRoot().rounded())
            guard width < image.width, height < image.height else { continue }
            let y = random.below(image.height - height + 1)
            return Rectangle(x: random.below(image.width - width + 1), y: y, width: width, height: height)
        }
        return nil
    }

    private func paint(
        _ part: Rectangle, of image: inout Image, _ normalization: Normalization, _ random: inout Random
    ) {
        for y in part.y..<(part.y + part.height) {
            let row = (y * image.width + part.x) * image.channels
            for i in 0..<(part.width * image.channels) {
                let mean = normalization.mean(i % image.channels)
                image.pixels[row + i] =
                    switch value {
                    case .level(let level): level
                    case .mean: .rounded(mean)
                    case .noise: .rounded(mean + random.normal() / normalization.factor(i % image.channels))
                    }
            }
        }
    }
}
