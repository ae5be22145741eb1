import Anneal
import ArgumentParser

/// Checks every image of a data set before hours are spent on it.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Decode every image of a folder or a record file, and list those that cannot be used.",
        discussion: """
            Names each bad image with the reason, and what was skipped; then counts images by class, formats and sizes. \
            The exit code is 1 if anything is bad: an image or its label, a class without images, images next to the \
            parts of a data set, or a link, file or folder that cannot be read. A folder has a sub-folder for each class, or \
            the parts train, val and test of such folders: then each part is checked.

            anneal check animals
            anneal check cifar10_train.rec --class-names cifar10.txt
            """)

    @Argument(help: ArgumentHelp("A folder of classes, or records.", valueName: "FOLDER|FILE.rec"))
    var data: String
    @Option(
        help: ArgumentHelp(
            "The records' index (default: the .idx next to them; without one they are scanned).", valueName: "FILE.idx")
    )
    var idx: String?
    @Option(help: ArgumentHelp("Names of the classes, one per line, in the order of the labels.", valueName: "FILE"))
    var classNames: String?
    @OptionGroup var decoding: DecodingOptions

    func run() throws {
        try decoding.check()
        let names = try classNames.map(ClassNames.read)
        guard Files.isFolder(data) else {
            if try report(RecordFile(data, index: idx), names) > 0 { throw ExitCode.failure }
            return
        }
        guard idx == nil else {
            throw UsageError(
                "--idx", "is the index of records, \(FilePath(data)) is a folder", suggestion: "leave it out")
        }
        let parts = try DataParts(FilePath(data))
        let folders = parts.map { [$0.training, $0.validation, $0.test].compactMap { $0 } } ?? [FilePath(data)]
        var bad = 0
        if let parts, let strays = parts.strayDescription {
            StandardStream.output.write("\(parts.path): \(strays)\n\n")
            bad += parts.strays.count
        }
        for folder in folders {
            if folders.count > 1 { StandardStream.output.write("\(folder)\n") }
            bad += try check(ClassFolders(folder), names)
            if folder != folders.last { StandardStream.output.write("\n") }
        }
        if bad > 0 { throw ExitCode.failure }
    }

    /// Decodes what can be decoded, whatever else is wrong with the folder.
    /// - Returns: the number of problems.
    private func check(_ folders: ClassFolders, _ names: [String]?) throws -> Int {
        var errors = folders.problems
        for unusable in folders.unusableClasses() {
            errors.append(
                AnnealError("\(unusable.path)", "the class '\(unusable.name)' has no usable image"))
        }
        if let names { errors += ImageFiles.unknownClasses(folders, among: names) }
        for error in errors { print("\(error)") }
        // Images of unknown classes are decoded too, under their folders' names.
        var source = try ImageFiles(folders, classNames: names.flatMap { errors.isEmpty ? $0 : nil })
        source.maximumPixels = decoding.maxImagePixels
        let bad = try source.count > 0 ? report(source, source.classNames) : 0
        if !folders.passedOver.isEmpty { StandardStream.output.write("\(folders.passedOver)\n") }
        let unreadable = folders.passedOver.unreadable
        if unreadable > 0 {
            StandardStream.output.write("\(unreadable) of these cannot be read, which counts as bad\n")
        }
        return errors.count + bad + unreadable
    }

    /// - Returns: the number of bad images.
    private func report(_ source: some SampleSource, _ names: [String]?) throws -> Int {
        guard source.count > 0 else { throw AnnealError(source.path, "has no images") }
        try source.checkImages()
        let progress = ProgressLine("Checking", total: source.count, unit: "images")
        let survey = try ImageSurvey.decoding(
            source, classes: names?.count, threads: decoding.dataNthreads, maximumPixels: decoding.maxImagePixels
        ) {
            progress.update(done: $0)
        }
        progress.finish()
        for bad in survey.bad { print("\(bad.reason)") }

        // A label that is not a class's adds no row to the table.
        let classes = 0..<(names?.count ?? 1 << 24)
        let badLabels = survey.bad.compactMap { try? source.classLabel(of: $0.number) }.compactMap { Int(exactly: $0) }
            .filter(classes.contains)
        let labels = Set(survey.classCounts.keys).union(badLabels).union(names?.indices ?? 0..<0)
        let badCounts = Dictionary(badLabels.map { ($0, 1) }, uniquingKeysWith: +)
        var table = TextTable(["class", "images", "bad"], right: [1, 2])
        for label in labels.sorted() {
            let name = names.flatMap { $0.indices.contains(label) ? $0[label] : nil } ?? "\(label)"
            table.add([name, "\(survey.classCounts[label] ?? 0)", "\(badCounts[label] ?? 0)"])
        }
        let good = survey.count - survey.bad.count
        let images = good > 0 ? "; \(survey.summary)" : ""
        StandardStream.output.write(
            "\(table.text)\n\(Readable.counted(survey.count, "image")) in \(labels.count.counted("class")), \(survey.bad.count) bad\(images)\n"
        )
        // Without names, training takes the number of classes from a flag.
        if names == nil, let highest = labels.max(), highest + 1 > labels.count {
            StandardStream.output.write(
                "The labels go up to \(highest): training takes --num-classes \(highest + 1), and \((highest + 1 - labels.count).counted("class")) would have no images\n"
            )
        }
        return survey.bad.count
    }
}
