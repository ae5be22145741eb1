import Anneal
import ArgumentParser

extension PadMode: ExpressibleByArgument {}
extension Augmentation.MirrorMode: ExpressibleByArgument {}

/// How training's images are augmented: MXNet's flags first, in its order, then newer ones.
struct AugmentationOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "Border added to each side before cropping (default: 4 in train, 0 in fine-tune).", valueName: "PIXELS"))
    var padSize: Int?
    @Option(help: "Content of the border: one colour, or the image mirrored at its edge.")
    var padMode: PadMode = .constant
    @Option(help: ArgumentHelp("Colour of the border and of other uncovered parts, 0 to 255.", valueName: "VALUE"))
    var fillValue: Int = 127
    @Option(help: ArgumentHelp("Crop at a random position (1) or the centre (0, the default).", valueName: "0|1"))
    var randomCrop: Int?
    @Option(help: ArgumentHelp("Mirror a random half of the images (default: 0).", valueName: "0|1"))
    var randomMirror: Int?
    @Option(help: "Choose the mirrored half again in each epoch, or randomly in the first and then alternate.")
    var mirrorMode: Augmentation.MirrorMode = .random
    @Option(
        help: ArgumentHelp(
            "Resize a part of random area and aspect ratio to the image shape, in place of a crop (default: 0).",
            valueName: "0|1"))
    var randomResizedCrop: Int?
    @Option(
        help: ArgumentHelp(
            "Smallest share of the image's area for --random-resized-crop (default: 1).", valueName: "SHARE"))
    var minRandomArea: Float?
    @Option(
        help: ArgumentHelp(
            "Largest share of the image's area for --random-resized-crop (default: 1).", valueName: "SHARE"))
    var maxRandomArea: Float?
    @Option(
        help: ArgumentHelp("Smallest aspect ratio (default: 1 minus --max-random-aspect-ratio).", valueName: "RATIO"))
    var minRandomAspectRatio: Float?
    @Option(
        help: ArgumentHelp(
            "Largest aspect ratio; without --min-random-aspect-ratio, the largest deviation from 1 (default: 0).",
            valueName: "RATIO"))
    var maxRandomAspectRatio: Float?
    @Option(help: ArgumentHelp("Zoom before the crop by at least this factor.", valueName: "FACTOR"))
    var minRandomScale: Float = 1
    @Option(help: ArgumentHelp("Zoom before the crop by at most this factor.", valueName: "FACTOR"))
    var maxRandomScale: Float = 1
    @Option(
        help: ArgumentHelp("Crop squares of at least this side and resize them to the shape.", valueName: "PIXELS"))
    var minCropSize: Int?
    @Option(help: ArgumentHelp("Crop squares of at most this side and resize them to the shape.", valueName: "PIXELS"))
    var maxCropSize: Int?
    @Option(help: ArgumentHelp("Shift the hue by up to this, 180 being the whole circle.", valueName: "N"))
    var maxRandomH: Int = 0
    @Option(help: ArgumentHelp("Shift the saturation by up to this, of 255.", valueName: "N"))
    var maxRandomS: Int = 0
    @Option(help: ArgumentHelp("Shift the lightness by up to this, of 255.", valueName: "N"))
    var maxRandomL: Int = 0
    @Option(help: ArgumentHelp("Rotate by up to this, both ways.", valueName: "DEGREES"))
    var maxRandomRotateAngle: Int = 0
    @Option(help: ArgumentHelp("Shear rows by up to this, both ways.", valueName: "RATIO"))
    var maxRandomShearRatio: Float = 0
    @Option(help: ArgumentHelp("Multiply the brightness by 1 plus or minus up to this (default: 0).", valueName: "X"))
    var brightness: Float?
    @Option(help: ArgumentHelp("Multiply the contrast by 1 plus or minus up to this (default: 0).", valueName: "X"))
    var contrast: Float?
    @Option(help: ArgumentHelp("Multiply the saturation by 1 plus or minus up to this (default: 0).", valueName: "X"))
    var saturation: Float?
    @Option(help: ArgumentHelp("Noise along the principal colours, AlexNet's lighting (default: 0).", valueName: "SD"))
    var pcaNoise: Float?
    @Option(
        help: ArgumentHelp(
            "Use the usual settings for ImageNet where other flags set nothing (in MXNet it has no effect).",
            discussion: """
                --random-resized-crop 1 --min-random-area 0.08 --min-random-aspect-ratio 0.75 --max-random-aspect-ratio \
                1.3333 --random-mirror 1 --brightness 0.4 --contrast 0.4 --saturation 0.4 --pca-noise 0.1 --pad-size 0 \
                --rgb-mean 123.68,116.779,103.939 --rgb-std 58.393,57.12,57.375. MXNet's script applies it after the \
                flags are parsed, so that there it does nothing.
                """, valueName: "0|1"))
    var useImagenetDataAugmentation: Int = 0
    @Flag(help: "One operation of TrivialAugment's wide set at a random strength for each image.")
    var trivialAugment = false
    @Option(
        help: ArgumentHelp(
            "RandAugment: number of operations per image and their strength, 0 to 30; 2,9 is usual.",
            valueName: "N,M"))
    var randAugment: String?
    @Option(
        help: ArgumentHelp(
            "AutoAugment: a pair of operations from a published policy.", valueName: "cifar10|imagenet"),
        completion: .list(["cifar10", "imagenet"]))
    var autoAugment: String?
    @Option(help: ArgumentHelp("Probability that a rectangle of 2 to 33 % of an image is erased.", valueName: "P"))
    var randomErasing: Float = 0
    @Option(help: ArgumentHelp("Erase a square of this side from each image.", valueName: "PIXELS"))
    var cutout: Int = 0
    @Option(
        help: ArgumentHelp(
            "What --random-erasing and --cutout paint: mean, noise, or a level.", valueName: "mean|noise|0...255"),
        completion: .list(["mean", "noise"]))
    var erasingValue: String = "mean"

    /// --rgb-std of ImageNet, if requested.
    func standardDeviation() throws -> [Float]? { try isImageNet() ? [58.393, 57.12, 57.375] : nil }

    /// Sets flags that were not given.
    mutating func fill(_ script: ScriptDefaults) {
        padSize = padSize ?? (useImagenetDataAugmentation == 1 ? 0 : script.padSize)
    }

    private func isImageNet() throws -> Bool {
        try flag("--use-imagenet-data-augmentation", useImagenetDataAugmentation)
    }

    func settings(channels: Int) throws -> Augmentation {
        let imageNet = try isImageNet()
        var result = Augmentation()
        result.pad = padSize ?? 0
        result.padMode = padMode
        result.fillValue = try level("--fill-value", fillValue)
        result.randomCrop = try flag("--random-crop", randomCrop ?? 0)
        result.randomMirror = try flag("--random-mirror", randomMirror ?? (imageNet ? 1 : 0))
        result.mirrorMode = mirrorMode
        guard result.randomMirror || mirrorMode == .random else {
            throw UsageError(
                "--mirror-mode \(mirrorMode.rawValue)", "says how to mirror, but nothing is mirrored",
                suggestion: "give --random-mirror 1")
        }
        result.cropSize = try cropSizes()
        let widest = maxRandomAspectRatio ?? (imageNet ? 4 / 3 : 0)
        let narrowest = minRandomAspectRatio ?? (imageNet && maxRandomAspectRatio == nil ? 3 / 4 : nil)
        let ratio = try range("random-aspect-ratio", narrowest ?? 1 - widest, narrowest == nil ? 1 + widest : widest)
        let area = try range("random-area", minRandomArea ?? (imageNet ? 0.08 : 1), maxRandomArea ?? 1)
        if try flag("--random-resized-crop", randomResizedCrop ?? (imageNet ? 1 : 0)) {
            result.resizedCrop = RandomResizedCrop(area: area, ratio: ratio)
        } else {
            guard area == 1...1 else {
                throw UsageError(
                    "--min-random-area and --max-random-area", "are for the random resized crop",
                    suggestion: "give --random-resized-crop 1")
            }
            result.affine.aspect = ratio
        }
        result.affine.scale = try range("random-scale", minRandomScale, maxRandomScale)
        guard (0...360).contains(maxRandomRotateAngle) else {
            throw UsageError(
                "--max-random-rotate-angle", "is \(maxRandomRotateAngle)", suggestion: "it must be 0 to 360 degrees")
        }
        result.affine.rotation = -maxRandomRotateAngle...maxRandomRotateAngle
        result.affine.shear = maxRandomShearRatio
        result.colour = colours(imageNet: imageNet)
        result.trivialAugment = trivialAugment
        result.randAugment = try randAugmentSettings()
        result.autoAugment = try autoAugment.map { name in
            guard let policy = AutoAugment(rawValue: name) else {
                throw UsageError("--auto-augment \(name)", "is not known", suggestion: "it is cifar10 or imagenet")
            }
            return policy
        }
        result.erasing.probability = randomErasing
        result.erasing.cutout = cutout
        result.erasing.value = try erasedValue()
        try flagErrors { try result.check(channels: channels) }
        return result
    }

    private func colours(imageNet: Bool) -> ColourJitter {
        var result = ColourJitter()
        result.brightness = brightness ?? (imageNet ? 0.4 : 0)
        result.contrast = contrast ?? (imageNet ? 0.4 : 0)
        result.saturation = saturation ?? (imageNet ? 0.4 : 0)
        result.pcaNoise = pcaNoise ?? (imageNet ? 0.1 : 0)
        result.randomH = maxRandomH
        result.randomS = maxRandomS
        result.randomL = maxRandomL
        return result
    }

    private func randAugmentSettings() throws -> RandAugment? {
        guard let randAugment else { return nil }
        let numbers = randAugment.split(separator: ",", omittingEmptySubsequences: false).compactMap { Int($0) }
        guard numbers.count == 2 else {
            throw UsageError(
                "--rand-augment \(randAugment)", "is not two numbers",
                suggestion: "write the number of operations and their strength as 2,9")
        }
        return RandAugment(operations: numbers[0], magnitude: numbers[1])
    }

    private func cropSizes() throws -> ClosedRange<Int>? {
        // MXNet uses -1 to disable one.
        switch (minCropSize.flatMap { $0 == -1 ? nil : $0 }, maxCropSize.flatMap { $0 == -1 ? nil : $0 }) {
        case (nil, nil): return nil
        case (let low?, let high?): return try range("crop-size", low, high)
        default:
            throw UsageError(
                "--min-crop-size and --max-crop-size", "are not both given", suggestion: "give both or none")
        }
    }

    private func erasedValue() throws -> Erasing.Value {
        switch erasingValue {
        case "mean": return .mean
        case "noise": return .noise
        default:
            guard let value = UInt8(erasingValue) else {
                throw UsageError(
                    "--erasing-value \(erasingValue)", "is not known", suggestion: "it is mean, noise, or 0 to 255")
            }
            return .level(value)
        }
    }

    private func range<Value: Comparable>(_ name: String, _ low: Value, _ high: Value) throws -> ClosedRange<Value> {
        guard low <= high else {
            throw UsageError(
                "--min-\(name) and --max-\(name)", "span \(low) to \(high)", suggestion: "the first must not be larger")
        }
        return low...high
    }

    private func level(_ name: String, _ value: Int) throws -> UInt8 {
        guard let level = UInt8(exactly: value) else {
            throw UsageError(name, "is \(value)", suggestion: "it must be 0 to 255")
        }
        return level
    }

    private func flag(_ name: String, _ value: Int) throws -> Bool {
        guard value == 0 || value == 1 else { throw UsageError(name, "is \(value)", suggestion: "it must be 0 or 1") }
        return value == 1
    }
}
