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
    @OptionGroup var augmentation: AugmentationOptions
    @OptionGroup var labels: LabelOptions

    /// - Parameter trained: of the model that is fine-tuned: its mean and deviation hold where no flag says
    ///   otherwise, and for images of the same shape its --resize.
    func preprocessing(imageShape: [Int], classNames: [String]?, over trained: Preprocessing? = nil) throws
        -> Preprocessing
    {
        let channels = imageShape[0]
        // The scripts know three channels; a fourth is left as it is.
        let mean: [Float] = [123.68, 116.779, 103.939, 0]
        let chosen = try augmentation.standardDeviation()
        var base = Preprocessing(
            imageShape: imageShape, mean: Array(mean.prefix(channels)),
            std: Array(((chosen ?? [1, 1, 1]) + [1]).prefix(channels)), classNames: classNames)
        if let trained, trained.imageShape[0] == channels, chosen == nil {
            (base.mean, base.std) = (trained.mean, trained.std)
            if trained.imageShape == imageShape { base.resize = trained.resize }
        }
        return try images.preprocessing(over: base)
    }

    /// What --data-train names, and the names of its classes: those of --class-names, else those of `earlier` (of the
    /// run that goes on), else a folder's own.
    func training(earlier: [String]? = nil) throws -> ImageData {
        guard let path = dataTrain else {
            throw UsageError(
                "--data-train", "is missing",
                suggestion: "give the training records, a .rec file, or a folder of classes")
        }
        let names = try images.readClassNames() ?? earlier
        return try ImageData(path, index: dataTrainIdx, flag: "--data-train", classNames: names)
    }

    func checkedExamples(_ count: Int) throws -> Int {
        guard let numExamples else { return count }
        guard (1...1 << 40).contains(numExamples) else {
            throw UsageError("--num-examples", "is \(numExamples)", suggestion: "it is the number of training images")
        }
        return numExamples
    }

    func trainingLoader(
        _ data: ImageData, _ preprocessing: Preprocessing, batchSize: Int, classes: Int, seed: UInt64
    ) throws -> BatchLoader {
        var options = try validation.loaderOptions(preprocessing, batchSize: batchSize, classes: classes, images)
        options.augmentation = try trainingAugmentation(preprocessing)
        options.shuffle = true
        options.seed = seed
        return try BatchLoader(data.source, options: options)
    }

    /// What training does to images.
    func trainingAugmentation(_ preprocessing: Preprocessing) throws -> Augmentation {
        var result = try augmentation.settings(channels: preprocessing.imageShape[0])
        result.resize = preprocessing.resize ?? 0
        return result
    }
}

/// `3,28,28`
func parseImageShape(_ text: String) throws -> [Int] {
    let shape = text.split(separator: ",").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
    guard shape.count == 3, text.split(separator: ",").count == 3, shape.allSatisfy({ $0 > 0 && $0 <= 1 << 16 }),
        [1, 3, 4].contains(shape[0])
    else {
        throw UsageError(
            "--image-shape \(text)", "is not channels,height,width", suggestion: "write it as 3,28,28 or 1,28,28")
    }
    return shape
}
