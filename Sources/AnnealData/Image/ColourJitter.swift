import AnnealCore

/// MXNet's colour changes, in its order. Amounts of 0 leave the image unchanged.
///
/// For contrast and saturation the gray value swaps the weights of red and blue, as in MXNet, which takes its BGR
/// pixels for RGB there.
public struct ColourJitter: Sendable, Equatable, Codable {
    /// Levels are multiplied by 1 ± up to this.
    public var brightness: Float = 0
    /// Distances from the mean gray are multiplied by 1 ± up to this.
    public var contrast: Float = 0
    /// Distances from each pixel's gray are multiplied by 1 ± up to this.
    public var saturation: Float = 0
    /// Largest shift of the hue, in steps of 2 degrees (`random_h`).
    public var randomH = 0
    /// Largest shift of the saturation in HSL, 255 being all of it (`random_s`).
    public var randomS = 0
    /// Largest shift of the lightness, 255 being all of it (`random_l`).
    public var randomL = 0
    /// Standard deviation of the noise along the colours' principal components (`pca_noise`; Krizhevsky et al. 2012).
    public var pcaNoise: Float = 0

    public init() {}

    var isIdentity: Bool { self == ColourJitter() }
    /// Whether it only applies to images with three channels.
    var wantsRGB: Bool { saturation > 0 || randomH > 0 || randomS > 0 || randomL > 0 || pcaNoise > 0 }

    /// - Precondition: the image has three channels, or one where `wantsRGB` is false.
    func apply(to image: inout Image, _ random: inout Random) {
        if brightness > 0 || contrast > 0 || saturation > 0 { jitter(&image, &random) }
        if randomH > 0 || randomS > 0 || randomL > 0 {
            let h = shift(randomH, &random), s = shift(randomS, &random), l = shift(randomL, &random)
            image.shiftHSL(h: h, s: s, l: l)
        }
        if pcaNoise > 0 {
            let alphas = (0..<3).map { _ in random.normal() * pcaNoise }
            // Eigenvectors of ImageNet's colours in R, G, B, times their eigenvalues.
            let vectors: [[Float]] = [
                [55.46 * -0.5675, 4.794 * 0.7192, 1.148 * 0.4009],
                [55.46 * -0.5808, 4.794 * -0.0045, 1.148 * -0.8140],
                [55.46 * -0.5836, 4.794 * -0.6948, 1.148 * 0.4203],
            ]
            image.add(vectors.map { zip($0, alphas).reduce(0) { $0 + $1.0 * $1.1 } })
        }
    }

    private func jitter(_ image: inout Image, _ random: inout Random) {
        let brightness = 1 + random.uniform(-brightness, brightness)
        let contrast = 1 + random.uniform(-contrast, contrast)
        let saturation = 1 + random.uniform(-saturation, saturation)
        for change in random.permutation(3) {
            switch change {
            case 0: image.mapLevels { $0 * brightness }
            case 1:
                let offset = (1 - contrast) * image.meanGray
                image.mapLevels { $0 * contrast + offset }
            default: image.saturate(by: saturation)
            }
        }
    }

    /// A whole number in -amount ... amount; small ones are likelier.
    private func shift(_ amount: Int, _ random: inout Random) -> Int {
        let first = random.uniform()
        let share = (first + 4 * random.uniform()) / 5
        return Int(share * Float(amount) * 2 - Float(amount))
    }
}

extension Image {
    /// Each level independently, rounded (halves to even) and clamped to 0 ... 255, as in OpenCV's `convertTo`.
    mutating func mapLevels(_ change: (Float) -> Float) {
        let table = (0..<256).map { UInt8.rounded(change(Float($0))) }
        for i in pixels.indices { pixels[i] = table[Int(pixels[i])] }
    }

    /// The level itself if there is one channel. Else OpenCV's fixed-point gray, with red and blue swapped as in MXNet.
    private func gray(at start: Int) -> Int {
        guard channels > 1 else { return Int(pixels[start]) }
        let sum = Int(pixels[start]) * 1868 + Int(pixels[start + 1]) * 9617 + Int(pixels[start + 2]) * 4899
        return (sum + 8192) >> 14
    }

    var meanGray: Float {
        let sum = stride(from: 0, to: pixels.count, by: channels).reduce(0) { $0 + gray(at: $1) }
        return Float(Double(sum) / Double(width * height))
    }

    /// Blends each pixel with its gray: 0 gives gray, 1 leaves it unchanged.
    mutating func saturate(by factor: Float) {
        for start in stride(from: 0, to: pixels.count, by: channels) {
            let gray = Float(gray(at: start)) * (1 - factor)
            for c in start..<(start + channels) { pixels[c] = .rounded(Float(pixels[c]) * factor + gray) }
        }
    }

    /// Adds a number to each channel and truncates.
    mutating func add(_ offsets: [Float]) {
        for i in pixels.indices {
            pixels[i] = UInt8(min(max(Float(pixels[i]) + offsets[i % channels], 0), 255))
        }
    }
}

extension UInt8 {
    /// The nearest level, halves to even.
    static func rounded(_ value: Float) -> UInt8 {
        Self(Swift.min(Swift.max(value.rounded(.toNearestOrEven), 0), 255))
    }
}
