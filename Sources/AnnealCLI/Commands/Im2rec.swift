import Anneal
import ArgumentParser
import Foundation

/// MXNet's `im2rec.py`: lists of images, and records of the images in lists.
struct Im2rec: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "im2rec",
        abstract: "Pack image files into records, as MXNet's im2rec.py does.",
        discussion: """
            In two steps, as there: --list writes PREFIX.lst with the images below ROOT, a line each: number, label, path. \
            Without --list every list that begins with PREFIX is packed: PREFIX.lst becomes PREFIX.rec and PREFIX.idx. \
            Lists have the lines that im2rec.py writes, records the same numbers, labels and images. An image that cannot \
            be read is named and left out. A packing that was killed or that failed is continued by the same command, and \
            the result has the same bytes.

            anneal im2rec --list --recursive flowers flowers/
            anneal im2rec --resize 256 --num-thread 4 flowers flowers/
            """)

    @Flag(help: "Write lists of the images below ROOT, with labels, in place of records.")
    var list = false
    @Flag(help: "With --list: each folder with images is a class; else only ROOT's own images, all with label 0.")
    var recursive = false
    @Option(
        help: ArgumentHelp(
            "With --list: suffixes of images (default: .jpeg .jpg .png).", valueName: ".EXT..."))
    var exts: [String] = []
    @Option(help: ArgumentHelp("With --list: write this many lists, PREFIX_0.lst and so on.", valueName: "N"))
    var chunks: Int = 1
    @Option(
        help: ArgumentHelp(
            "With --list: this share goes into PREFIX_train.lst, the rest into PREFIX_val.lst.", valueName: "SHARE"))
    var trainRatio: Double = 1
    @Option(help: ArgumentHelp("With --list: this share goes into PREFIX_test.lst.", valueName: "SHARE"))
    var testRatio: Double = 0
    @Flag(help: "With --list: keep the order of the names (default: shuffle as Python does with seed 100).")
    var noShuffle = false
    @Flag(help: "Copy the files' bytes: nothing is decoded.")
    var passThrough = false
    @Option(
        help: ArgumentHelp("Resize the shorter side of each image to this length; 0: no resizing.", valueName: "PIXELS")
    )
    var resize: Int = 0
    @Flag(help: "First crop each image to its centre square.")
    var centerCrop = false
    @Option(
        help: ArgumentHelp("JPEG quality, 1 to 100, or PNG compression level, 0 to 9.", valueName: "N"))
    var quality: Int = 95
    @Option(help: ArgumentHelp("Threads that decode and encode.", valueName: "N"))
    var numThread: Int = 1
    @Option(help: ArgumentHelp("1: RGB, 0: gray, -1: as stored, with alpha.", valueName: "1|0|-1"))
    var color: Int = 1
    @Option(
        help: ArgumentHelp("Format of the stored images.", valueName: ".jpg|.png"),
        completion: .list([".jpg", ".png"]))
    var encoding: String = ".jpg"
    @Flag(help: "Store all labels of a line, not only the first.")
    var packLabel = false
    @Option(
        help: ArgumentHelp("When an image cannot be read: skip it, or stop (abort).", valueName: "POLICY"),
        completion: .list(["skip", "abort"]))
    var onBadImage: String = "skip"
    @Option(help: ArgumentHelp("Refuse images with more pixels.", valueName: "N"))
    var maxImagePixels: Int = Image.maximumPixels
    @Argument(
        help: ArgumentHelp("Prefix of the names of lists and records.", valueName: "PREFIX"), completion: .file())
    var prefix: String
    @Argument(
        help: ArgumentHelp("The folder that paths in lists are relative to.", valueName: "ROOT"), completion: .directory
    )
    var root: String

    func run() throws {
        guard Files.isFolder(root) else {
            throw AnnealError(
                root, Files.exists(root) ? "is not a folder" : "is not there",
                suggestion: Spelling.suggestion(forPath: root)
                    ?? "ROOT is the folder that paths in lists are relative to",
                code: .notFound)
        }
        if list { try writeLists() } else { try packLists() }
    }

    // Lists -------------------------------------------------------------------------------------------------------

    private func writeLists() throws {
        guard (1...1_000_000).contains(chunks) else {
            throw UsageError("--chunks", "is \(chunks)", suggestion: "it must be at least 1")
        }
        for (flag, ratio) in [("--train-ratio", trainRatio), ("--test-ratio", testRatio)]
        where !(0...1).contains(ratio) {
            throw UsageError(flag, "is \(ratio)", suggestion: "it is a share of the images, 0 to 1")
        }
        guard trainRatio == 1 || trainRatio + testRatio <= 1 else {
            throw UsageError(
                "--train-ratio and --test-ratio", "are more than 1 together",
                suggestion: "the rest is the list for validation")
        }
        let found = try ImageList.scan(root, recursive: recursive, suffixes: try suffixes())
        guard !found.list.items.isEmpty else {
            throw AnnealError(
                root, "has no files with the suffixes \(try suffixes().joined(separator: " "))",
                suggestion: recursive ? "name others with --exts" : "--recursive looks into its folders too")
        }
        let folder = Files.folder(of: prefix)
        if !folder.isEmpty { try Files.makeFolder(folder) }
        let all = noShuffle ? found.list : found.list.shuffledAsIm2rec()
        if recursive { for (label, name) in found.classes.enumerated() { print("\(FilePath(name)) \(label)") } }
        for part in all.split(chunks: chunks, trainRatio: trainRatio, testRatio: testRatio) {
            try part.list.write(to: "\(prefix)\(part.suffix).lst")
            printError("\(FilePath("\(prefix)\(part.suffix).lst")): \(part.list.items.count.counted("image"))")
        }
    }

    private func suffixes() throws -> [String] {
        let given = exts.flatMap { $0.split { $0 == "," || $0 == " " } }.map { $0.lowercased() }
        for suffix in given where !suffix.hasPrefix(".") || suffix.count < 2 {
            throw UsageError("--exts \(suffix)", "is not a suffix", suggestion: "write them as .jpg .png")
        }
        return given.isEmpty ? ImageList.imageSuffixes : given
    }

    // Records -----------------------------------------------------------------------------------------------------

    private func packLists() throws {
        let packer = try packer()
        let lists = try listFiles()
        guard !lists.isEmpty else {
            throw AnnealError(
                "\(prefix)*.lst", "there is no such list",
                suggestion:
                    "create one first: anneal im2rec --list --recursive \(shellQuoted(prefix)) \(shellQuoted(root))",
                code: .notFound)
        }
        for path in lists {
            let target = String(path.dropLast(".lst".count)), list = try ImageList(file: path)
            try packer.packShown(list, root: root, to: target, place: "\(FilePath(path)): ")
        }
    }

    /// Lists as `im2rec.py` finds them, in the order of their names: those in the prefix's folder whose names begin
    /// with it or, if the prefix is itself a folder, those in it. If that has none, it is the images' folder and the
    /// lists are next to it.
    private func listFiles() throws -> [String] {
        func lists(in folder: String, from start: String) throws -> [String] {
            try Files.names(in: folder).filter { $0.hasPrefix(start) && $0.hasSuffix(".lst") }
                .map { Files.path(folder, $0) }.filter { !Files.isFolder($0) }
        }
        let inside = Files.isFolder(prefix) ? try lists(in: prefix, from: "") : []
        return try inside.isEmpty ? lists(in: Files.folder(of: prefix), from: Files.name(of: prefix)) : inside
    }

    private func packer() throws -> RecordPacker {
        var packer = RecordPacker()
        packer.passThrough = passThrough
        guard (0...1 << 16).contains(resize) else {
            throw UsageError("--resize", "is \(resize)", suggestion: "it must be 0 to 65536 pixels")
        }
        packer.resize = resize
        packer.centerCrop = centerCrop
        switch color {
        case 1: packer.channels = .rgb
        case 0: packer.channels = .gray
        case -1: packer.channels = .asStored
        default: throw UsageError("--color", "is \(color)", suggestion: "it is 1 (RGB), 0 (gray) or -1 (as stored)")
        }
        switch encoding {
        case ".jpg":
            guard (1...100).contains(quality) else {
                throw UsageError("--quality", "is \(quality)", suggestion: "for JPEG it is 1 to 100")
            }
            packer.encoding = .jpeg(quality: quality)
        case ".png":
            // im2rec.py's own default exceeds PNG's levels, and OpenCV uses the highest one.
            guard (0...9).contains(quality) || quality == 95 else {
                throw UsageError("--quality", "is \(quality)", suggestion: "for PNG it is 0 to 9")
            }
            packer.encoding = .png(level: min(9, quality))
        default: throw UsageError("--encoding \(encoding)", "is not known", suggestion: "it is .jpg or .png")
        }
        packer.packLabel = packLabel
        packer.threads = try DecodingOptions.checked(threads: numThread, of: "--num-thread")
        guard let policy = BadRecordPolicy(rawValue: onBadImage) else {
            throw UsageError("--on-bad-image \(onBadImage)", "is not known", suggestion: "it is skip or abort")
        }
        packer.onBadImage = policy
        packer.maximumPixels = try DecodingOptions.checked(pixels: maxImagePixels)
        packer.isResumable = true
        return packer
    }
}

extension RecordPacker {
    /// Packs, and reports progress, omitted images and the result for the list.
    /// - Parameter place: the beginning of a line about an omitted image.
    func packShown(_ list: ImageList, root: String, to target: String, place: String = "") throws {
        let progress = ProgressLine("Packing \(FilePath(target)).rec", total: list.items.count, unit: "images")
        let summary = try pack(list, root: root, to: target) {
            progress.update(done: $0)
        } report: {
            progress.print("\(place)left out: \($0)")
        }
        let continued = summary.continued > 0 ? ", \(Readable.count(summary.continued)) of them packed before" : ""
        let skipped = summary.skipped.isEmpty ? "" : "; \(Readable.counted(summary.skipped.count, "image")) left out"
        progress.finish("\(FilePath(target)).rec: \(Readable.counted(summary.count, "image"))\(continued)\(skipped)")
    }
}
