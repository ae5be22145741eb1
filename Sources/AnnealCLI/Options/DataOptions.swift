import Anneal
import ArgumentParser
import Foundation

/// The data flags of MXNet's scripts.
struct DataOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "Training records, or a folder with a sub-folder for each class.", valueName: "FILE.rec|FOLDER"))
    var dataTrain: String?
    @Option(
        help: ArgumentHelp("The records' index; without it the file is scanned.", valueName: "FILE.idx"))
    var dataTrainIdx: String?
    @OptionGroup var validation: ValidationOptions
    @Option(
        help: ArgumentHelp(
            "Training images, for the steps of the learning rate (default: what the data holds).", valueName: "N"))
    var numExamples: Int?
    @OptionGroup var images: ImageOptions
    @Option(help: ArgumentHelp("Border added to each side before cropping.", valueName: "PIXELS"))
    var padSize: Int?
    @Option(help: ArgumentHelp("Colour of the border, 0 to 255.", valueName: "VALUE"))
    var fillValue: Int = 127
    @Option(help: ArgumentHelp("Crop at random (1) or in the middle (0).", valueName: "0|1"))
    var randomCrop: Int = 0
    @Option(help: ArgumentHelp("Mirror half of the images, chosen at random.", valueName: "0|1"))
    var randomMirror: Int = 0

    func preprocessing(imageShape: [Int], classNames: [String]?) throws -> Preprocessing {
        let channels = imageShape[0]
        // The scripts know three channels; a fourth is left as it is.
        let mean: [Float] = [123.68, 116.779, 103.939, 0]
        return try images.preprocessing(
            over: Preprocessing(
                imageShape: imageShape, mean: Array(mean.prefix(channels)), std: Array(repeating: 1, count: channels),
                classNames: classNames))
    }

    /// What --data-train names, and the names of its classes: those of --class-names, else those of `earlier` (of the
    /// run that goes on), else a folder's own.
    func training(earlier: [String]? = nil) throws -> ImageData {
        guard let path = dataTrain else {
            throw UsageError(
                "--data-train", "is missing", mend: "give the training records, a .rec file, or a folder of classes")
        }
        let names = try images.readClassNames() ?? earlier
        return try ImageData(path, index: dataTrainIdx, flag: "--data-train", classNames: names)
    }

    func trainingLoader(
        _ data: ImageData, _ preprocessing: Preprocessing, batchSize: Int, classes: Int, seed: UInt64
    ) throws -> BatchLoader {
        var options = try validation.loaderOptions(preprocessing, batchSize: batchSize, classes: classes, images)
        options.augmentation.pad = padSize ?? 0
        options.augmentation.fillValue = try fill()
        options.augmentation.randomCrop = try flag("--random-crop", randomCrop)
        options.augmentation.randomMirror = try flag("--random-mirror", randomMirror)
        guard options.augmentation.pad >= 0 else {
            throw UsageError("--pad-size", "is \(options.augmentation.pad)", mend: "it must not be negative")
        }
        options.shuffle = true
        options.seed = seed
        return try BatchLoader(data.source, options: options)
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
