import Anneal
import ArgumentParser

/// Describes the contents of a record file.
struct RecInfo: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Describe records: labels, sizes, formats, mean and deviation, duplicates.",
        discussion: """
            Decodes every image, or --limit of them. Images that are there twice have the same bytes; constant ones are of \
            one colour. --against names those that another file has too, as when validation images are trained on. A \
            folder of classes will do as well.

            anneal rec info train.rec --against val.rec
            """)
    @Argument(help: ArgumentHelp("The records.", valueName: "FILE.rec|FOLDER"), completion: .file(extensions: ["rec"]))
    var file: String
    @Option(help: ArgumentHelp("The records' index.", valueName: "FILE.idx"), completion: .file(extensions: ["idx"]))
    var idx: String?
    @Option(help: ArgumentHelp("Names of the classes, one per line, in the order of the labels.", valueName: "FILE"))
    var classNames: String?
    @Option(help: ArgumentHelp("Other records, to find images that are in both.", valueName: "FILE.rec|FOLDER"))
    var against: String?
    @Option(help: ArgumentHelp("Examine this many images, spread evenly (default: all).", valueName: "N"))
    var limit: Int?
    @OptionGroup var decoding: DecodingOptions

    func run() throws {
        try decoding.check()
        if let limit, limit < 1 { throw UsageError("--limit", "is \(limit)", suggestion: "it must be at least 1") }
        var names = try classNames.map(ClassNames.read)
        let source = try Self.open(file, idx)
        if let files = source as? ImageFiles, names == nil { names = files.classNames }
        if let kind = (source as? RecordFile)?.labelsOfOthers {
            return print("\(FilePath(file)): \(kind)")
        }
        let statistics = try statistics(source)
        print(text(source, statistics, names))
        guard let against else { return }
        let other = try Self.open(against, nil), others = try self.statistics(other)
        let shared = statistics.shared(with: others)
        print(
            shared.isEmpty
                ? "\nNo image is in \(FilePath(against)) too"
                : "\n\(shared.count.counted("image")) in \(FilePath(against)) too:"
                    + list(shared) { try "\(source.name(of: $0.here)) and \(other.name(of: $0.there)) there" })
    }

    private static func open(_ path: String, _ idx: String?) throws -> any SampleSource {
        if Files.isFolder(path) { return try ImageFiles(classFolders: path) }
        return try RecordFile(path, index: idx)
    }

    private func statistics(_ source: any SampleSource) throws -> DataStatistics {
        let total = min(limit ?? .max, source.count)
        let progress = ProgressLine("Reading \(FilePath(source.path))", total: total, unit: "images")
        let result = try DataStatistics(
            source, limit: total, threads: decoding.dataNthreads, maximumPixels: decoding.maxImagePixels
        ) { progress.update(done: $0) }
        progress.finish()
        return result
    }

    private func text(_ source: any SampleSource, _ found: DataStatistics, _ names: [String]?) -> String {
        var lines: [String] = []
        let looked = found.count < source.count ? ", \(Readable.count(found.count)) of them examined" : ""
        let bytes = (source as? RecordFile).map { ", \(Readable.count($0.size)) bytes" } ?? ""
        lines.append(
            "\(FilePath(source.path)): \(Readable.counted(source.count, "image"))\(bytes)\(looked)"
        )
        if let records = source as? RecordFile {
            let problem = records.ignoredIndex.map { "not used: \($0)" }
            lines.append(
                "index: "
                    + (problem ?? records.indexPath.map { "\(FilePath($0))" }
                        ?? "none; create one with anneal rec index"))
        }
        lines.append("formats: " + counts(found.formats.map { ($0.key.rawValue, $0.value) }))
        let kinds = [1: "gray", 3: "RGB", 4: "with alpha"]
        lines.append("channels: " + counts(found.channels.map { (kinds[$0.key] ?? "\($0.key)", $0.value) }))
        lines.append("sizes: " + counts(found.sizes.map { ("\($0.key.width)x\($0.key.height)", $0.value) }))
        func numbers(_ values: [Double]) -> String { values.map { String(format: "%.3f", $0) }.joined(separator: ",") }
        if found.colours.pixels > 0 {
            lines.append("--rgb-mean \(numbers(found.colours.mean)) --rgb-std \(numbers(found.colours.deviation))")
        }
        if found.labelWidths.keys.contains(where: { $0 != 1 }) {
            lines.append("labels in a record: " + counts(found.labelWidths.map { ("\($0.key)", $0.value) }))
        }
        lines.append("constant images: \(found.constant.count)" + list(found.constant) { try source.name(of: $0) })
        let differing = found.duplicates.count(where: \.labelsDiffer)
        lines.append(
            "images that occur more than once: \(found.duplicates.count)"
                + (differing > 0 ? ", \(differing) of them with different labels" : "")
                + list(found.duplicates) { group in
                    let places = try group.numbers.prefix(4).map { try source.name(of: $0) }
                    return places.joined(separator: ", ") + (group.numbers.count > 4 ? ", …" : "")
                        + (group.labelsDiffer ? " (labels differ)" : "")
                })
        if !found.bad.isEmpty {
            lines.append("bad: \(found.bad.count)" + list(found.bad) { "\($0.reason)" })
        }
        var table = TextTable(["label", "class", "images"], right: [0, 2])
        for (label, count) in found.labels.sorted(by: { $0.key < $1.key }).prefix(1000) {
            let number = Int(exactly: label)
            let name =
                number.flatMap { number in names.flatMap { $0.indices.contains(number) ? $0[number] : nil } } ?? ""
            table.add([number.map(String.init) ?? "\(label)", name, "\(count)"])
        }
        lines += ["", table.text]
        if found.labels.count > 1000 { lines.append("… \(found.labels.count - 1000) more labels") }
        return lines.joined(separator: "\n")
    }

    /// The most frequent first.
    private func counts(_ values: [(name: String, count: Int)]) -> String {
        let sorted = values.sorted { ($1.count, $0.name) < ($0.count, $1.name) }
        let rest = sorted.dropFirst(8).reduce(0) { $0 + $1.count }
        let shown = sorted.prefix(8).map { sorted.count == 1 ? $0.name : "\(Readable.count($0.count)) \($0.name)" }
        return (shown + (rest > 0 ? ["\(Readable.count(rest)) of \(sorted.count - 8) others"] : [])).joined(
            separator: ", ")
    }

    private func list<Item>(_ items: [Item], _ text: (Item) throws -> String) -> String {
        let shown = items.prefix(10).map { "\n  " + ((try? text($0)) ?? "?") }.joined()
        return shown + (items.count > 10 ? "\n  … and \(items.count - 10) more" : "")
    }
}
