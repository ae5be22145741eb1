import Anneal
import ArgumentParser
import Foundation

/// The data flags of MXNet's scripts.
struct DataOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "Training records, or a folder with a sub-folder for each class, or with the parts train and val of such folders.",
            valueName: "FILE.rec|FOLDER"),
        completion: .file(extensions: ["rec"]))
    var dataTrain: String?
    @Option(
        help: ArgumentHelp(
            "The records' index (default: the .idx next to them; without one they are scanned).", valueName: "FILE.idx"),
        completion: .file(extensions: ["idx"]))
    var dataTrainIdx: String?
    @OptionGroup var validation: ValidationOptions
    @Option(
        help: ArgumentHelp(
            "Hold this share of each class's training images out for validation, chosen by --seed.", valueName: "SHARE")
    )
    var valSplit: Double?
    @Option(
        help: ArgumentHelp(
            "Training images, for the steps of the learning rate (default: what the data holds).", valueName: "N"))
    var numExamples: Int?
    @Option(
        help: ArgumentHelp(
            "Keep decoded training images in this much memory (500M, 2G); what does not fit is decoded in each epoch.",
            valueName: "BYTES"))
    var cacheDecoded: String?
    @Option(
        help: ArgumentHelp(
            "Read the training records from start to end in the background when training begins, for disks that are slow to find a place.",
            valueName: "0|1"))
    var readAhead: Int = 0
    @Option(
        help: ArgumentHelp(
            "Train on random numbers, 500 batches an epoch, to time training without data.", valueName: "0|1"))
    var benchmark: Int = 0
    @OptionGroup var images: ImageOptions
    @OptionGroup var augmentation: AugmentationOptions
    @OptionGroup var labels: LabelOptions

    /// How the images of `data` become the network's input.
    /// - Parameters:
    ///   - recorded: the preprocessing of the run or checkpoint that training continues: images keep its size.
    ///   - trained: the preprocessing of the model that is fine-tuned: its mean and deviation are used unless a flag is
    ///     given, and so is its --resize for images of the same shape.
    func preprocessing(
        of data: ImageData, imageShape: [Int], recorded: Preprocessing? = nil, over trained: Preprocessing? = nil
    ) throws -> Preprocessing {
        let channels = imageShape[0]
        // The scripts know three channels; a fourth is left unchanged.
        let mean: [Float] = [123.68, 116.779, 103.939, 0]
        let chosen = try augmentation.standardDeviation()
        var base = Preprocessing(
            imageShape: imageShape, mean: Array(mean.prefix(channels)),
            std: Array(((chosen ?? [1, 1, 1]) + [1]).prefix(channels)), classNames: data.classNames)
        if let trained, trained.imageShape[0] == channels, chosen == nil {
            (base.mean, base.std) = (trained.mean, trained.std)
            if trained.imageShape == imageShape { base.resize = trained.resize }
        }
        let shortSide = min(imageShape[1], imageShape[2])
        if let recorded {
            base.resize = recorded.resize
        } else if base.resize == nil, images.resize != .recorded, data.folders != nil,
            data.survey.longestShortSide > shortSide
        {
            base.resize = shortSide
        }
        guard images.measuresColours else { return try images.preprocessing(over: base) }
        // The initial settings of a run stay.
        if let recorded, recorded.mean.count == channels {
            return try images.measured(recorded.mean, recorded.std).preprocessing(over: base)
        }
        let found = try DataStatistics.Colours.measured(
            of: data.source, channels: channels, threads: images.checkedThreads(),
            maximumPixels: images.checkedPixels())
        let std = found.colours.deviation.map { $0 > 0 ? Self.rounded($0) : 1 }
        return try images.measured(found.colours.mean.map(Self.rounded), std).preprocessing(over: base)
    }

    private static func rounded(_ value: Double) -> Float { Float((value * 1000).rounded() / 1000) }

    /// What --data-train names, and the names of its classes: those of --class-names, else those of `earlier` (the run
    /// that training continues), else a folder's own.
    func training(earlier: [String]? = nil) throws -> ImageData {
        if try isBenchmark() { return try .synthetic(classNames: try images.readClassNames() ?? earlier) }
        guard let path = dataTrain else {
            throw UsageError(
                "--data-train", "is missing",
                suggestion: "give the training records, a .rec file, or a folder of classes")
        }
        let names = try images.readClassNames() ?? earlier
        let policy = try validation.badRecordPolicy()
        let data = try ImageData(
            path, index: dataTrainIdx, flag: "--data-train", classNames: names, maximumPixels: images.checkedPixels(),
            policy: policy, for: .training)
        try data.checkImages(policy)
        return data
    }

    /// Whether random numbers are used in place of images.
    func isBenchmark() throws -> Bool {
        guard benchmark == 0 || benchmark == 1 else {
            throw UsageError("--benchmark", "is \(benchmark)", suggestion: "it must be 0 or 1")
        }
        return benchmark == 1
    }

    /// --cache-decoded: `2G`, `500M`, or bytes.
    func cachedBytes() throws -> Int {
        guard let cacheDecoded else { return 0 }
        let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]
        let unit = cacheDecoded.last.flatMap { units[Character($0.uppercased())] }
        let number = Double(unit == nil ? cacheDecoded : String(cacheDecoded.dropLast()))
        guard let number, number >= 0, number * Double(unit ?? 1) < 0x1p60 else {
            throw UsageError(
                "--cache-decoded \(cacheDecoded)", "is not a number of bytes", suggestion: "write it as 500M or 2G")
        }
        return Int(number * Double(unit ?? 1))
    }

    /// The validation data: --data-val, or the part of the data set meant for it.
    func validationPath(_ training: ImageData) throws -> String? {
        // As in MXNet's scripts.
        if try isBenchmark() { return nil }
        guard valSplit != nil, let path = validation.dataVal ?? training.validationPath else {
            return validation.dataVal ?? training.validationPath
        }
        throw UsageError(
            "--val-split", "\(FilePath(path)) validates already",
            suggestion: validation.dataVal != nil
                ? "give --data-val or --val-split"
                : "leave it out, or name the part to split: --data-train \(training.source.path)")
    }

    /// Removes --val-split's images from `training`; nil without the flag.
    func holdOut(from training: inout ImageData, seed: UInt64) throws -> ImageData? {
        guard let valSplit else { return nil }
        guard valSplit > 0, valSplit < 1 else {
            throw UsageError("--val-split", "is \(valSplit)", suggestion: "it is a share of the images, e.g. 0.1")
        }
        let parts = try flagErrors {
            do {
                return try training.source.holdingOut(valSplit, seed: seed)
            } catch let error as AnnealError {
                throw error.within("--val-split \(valSplit)")
            }
        }
        var heldOut = training
        training.source = parts.training
        heldOut.source = parts.validation
        return heldOut
    }

    func checkedExamples(_ count: Int) throws -> Int {
        guard let numExamples else { return count }
        guard (1...1 << 40).contains(numExamples) else {
            throw UsageError("--num-examples", "is \(numExamples)", suggestion: "it is the number of training images")
        }
        return numExamples
    }

    func trainingLoader(
        _ data: ImageData, _ preprocessing: Preprocessing, batchSize: Int, classes: Int, seed: UInt64,
        rows: [Int]? = nil, partRows: [Int] = [], group: (any ProcessGroup)? = nil
    ) throws -> BatchLoader {
        var options = try validation.loaderOptions(preprocessing, batchSize: batchSize, classes: classes, images)
        options.augmentation = try trainingAugmentation(preprocessing)
        options.shuffle = true
        options.seed = seed
        options.cachedBytes = try cachedBytes()
        options.readsAhead = readAhead == 1
        (options.rows, options.partRows) = (rows, partRows)
        try group?.agreeOnBadRecords(of: data.source, &options)
        return try BatchLoader(data.source, options: options)
    }

    /// How training augments images.
    func trainingAugmentation(_ preprocessing: Preprocessing) throws -> Augmentation {
        var result = try augmentation.settings(channels: preprocessing.imageShape[0])
        // Crops of a different size are taken from the whole image, unless a flag says how large it must be.
        let isOwnRule = images.resize == nil || images.resize == .automatic
        let cropsAnySize = result.resizedCrop != nil || result.cropSize != nil
        result.resize = isOwnRule && cropsAnySize ? 0 : preprocessing.resize ?? 0
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
