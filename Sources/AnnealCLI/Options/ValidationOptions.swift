import Anneal
import ArgumentParser

/// The records or images that a network is validated on.
struct ValidationOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "Validation records, or a folder with a sub-folder for each class (in training by default the part val of the training data, if it has parts).",
            valueName: "FILE.rec|FOLDER"),
        completion: .file(extensions: ["rec"]))
    var dataVal: String?
    @Option(help: ArgumentHelp("The records' index.", valueName: "FILE.idx"), completion: .file(extensions: ["idx"]))
    var dataValIdx: String?
    @Option(
        help: ArgumentHelp("What to do with an image that cannot be decoded: abort or skip.", valueName: "POLICY"),
        completion: .list(["abort", "skip"]))
    var onBadRecord: String = "abort"
    @Option(help: TestTimeViews.help)
    var tta: TestTimeViews = .none

    /// What a path names, matched to `preprocessing`'s class names.
    func data(_ path: String, _ preprocessing: Preprocessing, classes: Int, _ images: ImageOptions) throws -> ImageData
    {
        let policy = try badRecordPolicy()
        let data = try ImageData(
            path, index: dataValIdx, flag: "--data-val", classNames: preprocessing.classNames, classes: classes,
            maximumPixels: images.checkedPixels(), policy: policy, for: .validation)
        try data.checkImages(policy)
        return data
    }

    func badRecordPolicy() throws -> BadRecordPolicy {
        guard let policy = BadRecordPolicy(rawValue: onBadRecord) else {
            throw UsageError("--on-bad-record \(onBadRecord)", "is not known", suggestion: "it is abort or skip")
        }
        return policy
    }

    func loaderOptions(_ preprocessing: Preprocessing, batchSize: Int, classes: Int, _ images: ImageOptions) throws
        -> LoaderOptions
    {
        guard batchSize > 0 else {
            throw UsageError("--batch-size", "is \(batchSize)", suggestion: "it must be at least 1")
        }
        var options = LoaderOptions(validating: preprocessing, batchSize: batchSize)
        options.threads = try images.checkedThreads()
        options.onBadRecord = try badRecordPolicy()
        options.numClasses = classes
        options.maximumPixels = try images.checkedPixels()
        options.decodesExactly = try images.decodesExactly()
        return options
    }
}

extension TestTimeViews: ExpressibleByArgument, Encodable {
    static let help = ArgumentHelp(
        "Test-time augmentation: average over views of each image, mirror (two) or mirror-shift (six). Training does so at its end.",
        valueName: "VIEWS")
}
