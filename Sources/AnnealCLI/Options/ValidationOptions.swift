import Anneal
import ArgumentParser

/// The records or images that a network is validated on.
struct ValidationOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "Validation records, or a folder with a sub-folder for each class.", valueName: "FILE.rec|FOLDER"))
    var dataVal: String?
    @Option(help: ArgumentHelp("The records' index.", valueName: "FILE.idx"))
    var dataValIdx: String?
    @Option(help: ArgumentHelp("What to do with an image that cannot be decoded: abort or skip.", valueName: "POLICY"))
    var onBadRecord: String = "abort"
    @Option(help: TestTimeViews.help)
    var tta: TestTimeViews = .none

    /// Of what a path names, matched to `preprocessing`'s class names.
    func loader(
        _ path: String, _ preprocessing: Preprocessing, batchSize: Int, classes: Int, _ images: ImageOptions
    ) throws -> BatchLoader {
        let data = try ImageData(
            path, index: dataValIdx, flag: "--data-val", classNames: preprocessing.classNames, classes: classes)
        return try BatchLoader(
            data.source, options: try loaderOptions(preprocessing, batchSize: batchSize, classes: classes, images))
    }

    func loaderOptions(_ preprocessing: Preprocessing, batchSize: Int, classes: Int, _ images: ImageOptions) throws
        -> LoaderOptions
    {
        guard let policy = BadRecordPolicy(rawValue: onBadRecord) else {
            throw UsageError("--on-bad-record \(onBadRecord)", "is not known", suggestion: "it is abort or skip")
        }
        guard batchSize > 0 else {
            throw UsageError("--batch-size", "is \(batchSize)", suggestion: "it must be at least 1")
        }
        var options = LoaderOptions(validating: preprocessing, batchSize: batchSize)
        options.threads = try images.checkedThreads()
        options.onBadRecord = policy
        options.numClasses = classes
        return options
    }
}

extension TestTimeViews: ExpressibleByArgument, Encodable {
    static let help = ArgumentHelp(
        "Judge each image by several views: none, mirror (two) or mirror-shift (six). Training does so at its end.",
        valueName: "VIEWS")
}

/// What a data flag names: records, or a folder of classes.
struct ImageData {
    let source: any SampleSource
    /// The classes by label: those that were given, else a folder's own; nil for records without names.
    let classNames: [String]?

    /// - Parameters:
    ///   - classNames: the classes by label, where they are known; folders are matched to them.
    ///   - classes: how many the network has; nil where the data decides.
    init(_ path: String, index: String?, flag: String, classNames: [String]?, classes: Int? = nil) throws {
        guard Files.isFolder(path) else {
            source = try RecordFile(path, index: index)
            self.classNames = classNames
            return
        }
        guard index == nil else {
            throw UsageError("\(flag)-idx", "is the index of records, \(path) is a folder", suggestion: "leave it out")
        }
        let files = try ImageFiles(classFolders: path, classNames: classNames)
        if let classes, files.classNames.count != classes {
            throw UsageError(
                "\(flag) \(path)",
                "has \(files.classNames.count) classes, the network \(classes), and it knows no names to match them by",
                suggestion: "give --class-names FILE with the \(classes) names in the order of the labels")
        }
        source = files
        self.classNames = files.classNames
    }
}
