import Anneal
import ArgumentParser
import Foundation

/// The data flags of MXNet's scripts.
struct DataOptions: ParsableArguments {
    @Option(name: .customLong("data-train"), help: ArgumentHelp("Training records.", valueName: "FILE.rec"))
    var trainingPath: String?
    @Option(
        name: .customLong("data-train-idx"),
        help: ArgumentHelp("Their index; without it the file is scanned.", valueName: "FILE.idx"))
    var trainingIndex: String?
    @Option(name: .customLong("data-val"), help: ArgumentHelp("Validation records.", valueName: "FILE.rec"))
    var validationPath: String?
    @Option(name: .customLong("data-val-idx"), help: ArgumentHelp("Their index.", valueName: "FILE.idx"))
    var validationIndex: String?
    @Option(
        help: ArgumentHelp(
            "Training images, for the steps of the learning rate (default: what the records hold).", valueName: "N"))
    var numExamples: Int?
    @Option(help: ArgumentHelp("Mean that is subtracted from each channel.", valueName: "R,G,B"))
    var rgbMean: String?
    @Option(help: ArgumentHelp("What each channel is divided by.", valueName: "R,G,B"))
    var rgbStd: String?
    @Option(help: ArgumentHelp("Border added to each side before cropping.", valueName: "PIXELS"))
    var padSize: Int?
    @Option(help: ArgumentHelp("Colour of the border, 0 to 255.", valueName: "VALUE"))
    var fillValue: Int = 127
    @Option(help: ArgumentHelp("Crop at random (1) or in the middle (0).", valueName: "0|1"))
    var randomCrop: Int = 0
    @Option(help: ArgumentHelp("Mirror half of the images, chosen at random.", valueName: "0|1"))
    var randomMirror: Int = 0
    @Option(help: ArgumentHelp("Threads that decode images.", valueName: "N"))
    var dataNthreads: Int = 4
    @Option(help: ArgumentHelp("What to do with an image that cannot be decoded: abort or skip.", valueName: "POLICY"))
    var onBadRecord: String = "abort"

    /// The script's own values where the flags do not say otherwise.
    struct Defaults {
        var padSize = 0
        var mean: [Float] = [123.68, 116.779, 103.939]
    }

    func preprocessing(imageShape: [Int], _ defaults: Defaults) throws -> Preprocessing {
        let channels = imageShape[0]
        func numbers(_ flag: String, _ text: String?, _ fallback: [Float]) throws -> [Float] {
            guard let text else { return Array(fallback.prefix(channels)) }
            let values = text.split(separator: ",").compactMap { Float($0.trimmingCharacters(in: .whitespaces)) }
            guard values.count == text.split(separator: ",").count, values.count == 1 || values.count >= channels else {
                throw UsageError(
                    "\(flag) \(text)", "is not \(channels) numbers", mend: "write them as 123.68,116.779,103.939")
            }
            return values.count == 1 ? Array(repeating: values[0], count: channels) : Array(values.prefix(channels))
        }
        let std = try numbers("--rgb-std", rgbStd, [1, 1, 1])
        guard std.allSatisfy({ $0 != 0 }) else {
            throw UsageError("--rgb-std", "has a zero", mend: "give positive numbers")
        }
        return Preprocessing(imageShape: imageShape, mean: try numbers("--rgb-mean", rgbMean, defaults.mean), std: std)
    }

    func trainingLoader(
        _ preprocessing: Preprocessing, batchSize: Int, numClasses: Int, seed: UInt64, _ defaults: Defaults
    ) throws -> BatchLoader {
        guard let path = trainingPath else {
            throw UsageError("--data-train", "is missing", mend: "give the training records, a .rec file")
        }
        var augmentation = Augmentation()
        augmentation.pad = padSize ?? defaults.padSize
        augmentation.fillValue = try fill()
        augmentation.randomCrop = try flag("--random-crop", randomCrop)
        augmentation.randomMirror = try flag("--random-mirror", randomMirror)
        guard augmentation.pad >= 0 else {
            throw UsageError("--pad-size", "is \(augmentation.pad)", mend: "it must not be negative")
        }
        var options = try loaderOptions(preprocessing, batchSize: batchSize, numClasses: numClasses)
        options.augmentation = augmentation
        options.shuffle = true
        options.seed = seed
        return try BatchLoader(try records(path, trainingIndex, "--data-train"), options: options)
    }

    func validationLoader(_ preprocessing: Preprocessing, batchSize: Int, numClasses: Int?) throws -> BatchLoader? {
        guard let path = validationPath else { return nil }
        let options = try loaderOptions(preprocessing, batchSize: batchSize, numClasses: numClasses)
        return try BatchLoader(try records(path, validationIndex, "--data-val"), options: options)
    }

    private func loaderOptions(_ preprocessing: Preprocessing, batchSize: Int, numClasses: Int?) throws -> LoaderOptions
    {
        guard let policy = BadRecordPolicy(rawValue: onBadRecord) else {
            throw UsageError("--on-bad-record \(onBadRecord)", "is not known", mend: "it is abort or skip")
        }
        guard dataNthreads > 0 else {
            throw UsageError("--data-nthreads", "is \(dataNthreads)", mend: "it must be at least 1")
        }
        guard batchSize > 0 else { throw UsageError("--batch-size", "is \(batchSize)", mend: "it must be at least 1") }
        var options = LoaderOptions(dataShape: Shape(preprocessing.imageShape), batchSize: batchSize)
        options.normalization = Normalization(mean: preprocessing.mean, std: preprocessing.std)
        options.threads = dataNthreads
        options.onBadRecord = policy
        options.numClasses = numClasses
        return options
    }

    private func records(_ path: String, _ index: String?, _ flag: String) throws -> RecordFile {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
            throw AnnealError(
                "\(flag) \(path)", "is a folder", mend: "name a .rec file; folders of images are yet to come")
        }
        return try RecordFile(path, index: index)
    }

    private func fill() throws -> UInt8 {
        guard let value = UInt8(exactly: fillValue) else {
            throw UsageError("--fill-value", "is \(fillValue)", mend: "it must be 0 to 255")
        }
        return value
    }

    private func flag(_ name: String, _ value: Int) throws -> Bool {
        guard value == 0 || value == 1 else { throw UsageError(name, "is \(value)", mend: "it must be 0 or 1") }
        return value == 1
    }
}

/// `3,28,28`
func parseImageShape(_ text: String) throws -> [Int] {
    let shape = text.split(separator: ",").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
    guard shape.count == 3, text.split(separator: ",").count == 3, shape.allSatisfy({ $0 > 0 && $0 <= 1 << 16 }),
        [1, 3, 4].contains(shape[0])
    else {
        throw UsageError(
            "--image-shape \(text)", "is not channels,height,width", mend: "write it as 3,28,28 or 1,28,28")
    }
    return shape
}
