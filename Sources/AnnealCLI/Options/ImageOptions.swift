import Anneal
import ArgumentParser

/// How images become the network's input, and the names of its classes.
struct ImageOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "Mean to subtract from each channel. auto, in training: the mean of the images, and their standard deviation.",
            valueName: "R,G,B"))
    var rgbMean: String?
    @Option(
        help: ArgumentHelp(
            "Standard deviation to divide each channel by. auto, in training: that of the images.", valueName: "R,G,B"))
    var rgbStd: String?
    @Option(
        help: ArgumentHelp(
            "Resize the shorter side of each image to this length before the crop; 0: no resizing. auto (the default): as in the model's record; without one, a folder's larger images are resized to the image shape's shorter side, and records are not resized, as in MXNet.",
            valueName: "PIXELS|auto"), completion: .list(["auto"]))
    var resize: ResizeChoice?
    @Option(
        help: ArgumentHelp("Names of the classes, one per line, in the order of the labels.", valueName: "FILE"),
        completion: .file())
    var classNames: String?
    @Option(help: ArgumentHelp("Threads that decode images.", valueName: "N"))
    var dataNthreads: Int = 4
    @Option(
        help: ArgumentHelp(
            "Refuse images with more pixels before memory is allocated for them (3 bytes per pixel).", valueName: "N"))
    var maxImagePixels: Int = Image.maximumPixels
    @Option(
        help: ArgumentHelp(
            "Decode JPEG images of more than half a million pixels at full size; by default they are decoded at 1/2, 1/4 or 1/8 if that is still larger than the result of --resize or --random-resized-crop.",
            valueName: "0|1"))
    var exactDecoding: Int = 0

    /// Whether the mean or the deviation is measured on the training images.
    var measuresColours: Bool { rgbMean == "auto" || rgbStd == "auto" }

    /// With the measured numbers in place of auto.
    func measured(_ mean: [Float], _ std: [Float]) -> ImageOptions {
        func text(_ numbers: [Float]) -> String { numbers.map { "\($0)" }.joined(separator: ",") }
        var result = self
        if rgbStd == "auto" || rgbMean == "auto" && rgbStd == nil { result.rgbStd = text(std) }
        if rgbMean == "auto" { result.rgbMean = text(mean) }
        return result
    }

    func readClassNames() throws -> [String]? { try classNames.map(ClassNames.read) }

    /// The flags' settings, and those of `base` for flags that are not given.
    func preprocessing(over base: Preprocessing) throws -> Preprocessing {
        var result = base
        let channels = base.imageShape[0]
        if let rgbMean { result.mean = try numbers("--rgb-mean", rgbMean, channels) }
        if let rgbStd { result.std = try numbers("--rgb-std", rgbStd, channels) }
        guard result.std.allSatisfy({ $0 != 0 }) else {
            throw UsageError("--rgb-std", "has a zero", suggestion: "give positive numbers")
        }
        guard result.mean.count == channels, result.std.count == channels else {
            throw UsageError(
                "--image-shape", "has \(channels.counted("channel")), but the model's mean has \(result.mean.count)",
                suggestion: "give --rgb-mean and --rgb-std too")
        }
        if case .pixels(let side)? = resize {
            guard (0...1 << 16).contains(side) else {
                throw UsageError("--resize", "is \(side)", suggestion: "it must be 0 to 65536 pixels")
            }
            result.resize = side > 0 ? side : nil
        }
        return result
    }

    private func numbers(_ flag: String, _ text: String, _ channels: Int) throws -> [Float] {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        let values = parts.compactMap { Float($0.trimmingCharacters(in: .whitespaces)) }.filter(\.isFinite)
        guard values.count == parts.count, values.count == 1 || values.count >= channels else {
            throw UsageError(
                "\(flag) \(text)", "is not \(channels.counted("number"))",
                suggestion: "write them as 123.68,116.779,103.939")
        }
        return values.count == 1 ? Array(repeating: values[0], count: channels) : Array(values.prefix(channels))
    }

    func decodesExactly() throws -> Bool {
        guard exactDecoding == 0 || exactDecoding == 1 else {
            throw UsageError("--exact-decoding", "is \(exactDecoding)", suggestion: "it must be 0 or 1")
        }
        return exactDecoding == 1
    }

    func checkedPixels() throws -> Int { try DecodingOptions.checked(pixels: maxImagePixels) }

    func checkedThreads() throws -> Int { try DecodingOptions.checked(threads: dataNthreads) }
}

/// A value of --resize.
enum ResizeChoice: ExpressibleByArgument, Encodable, Equatable {
    case pixels(Int)
    case automatic
    /// As in Anneal 0.1 without the flag: only the setting in a pre-trained model's record. For its configuration
    /// files.
    case recorded

    init?(argument: String) {
        switch argument {
        case "auto": self = .automatic
        case "recorded": self = .recorded
        default:
            guard let side = Int(argument) else { return nil }
            self = .pixels(side)
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .pixels(let side): try container.encode(side)
        case .automatic: try container.encode("auto")
        case .recorded: try container.encode("recorded")
        }
    }
}
