import Anneal
import ArgumentParser
import Foundation

/// Converts data sets as they are downloaded to RecordIO.
struct ImportData: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import-data",
        abstract: "Convert CIFAR-10, CIFAR-100, MNIST, Fashion-MNIST or a folder of images to records.",
        discussion: """
            Writes PREFIX_train.rec and PREFIX_val.rec, each with .idx and .lst, and PREFIX_classes.txt with the names of \
            the classes for --class-names. CIFAR comes as .tar.gz, in the version for Python or the binary one, or as the \
            folder in it; the MNISTs as a folder with their four files; imagefolder is a folder of classes, or one with \
            the parts train, val and test. Sums of published archives are known: another file gets a warning.

            anneal import-data cifar10 cifar-10-python.tar.gz data/cifar10
            anneal import-data fashion-mnist /usr/share/datasets/fashion-mnist data/fashion
            anneal import-data imagefolder flowers data/flowers --resize 256
            """)

    enum Kind: String, ExpressibleByArgument, CaseIterable {
        case cifar10, cifar100, mnist
        case fashion = "fashion-mnist"
        case folder = "imagefolder"
    }

    @Argument(
        help: ArgumentHelp("Which data set.", valueName: "SET"), completion: .list(Kind.allCases.map(\.rawValue)))
    var set: String
    @Argument(help: ArgumentHelp("The archive or folder.", valueName: "SOURCE"), completion: .file())
    var source: String
    @Argument(help: ArgumentHelp("Prefix of the records' names.", valueName: "PREFIX"), completion: .file())
    var prefix: String
    @Option(
        help: ArgumentHelp(
            "For CIFAR-100: its 100 classes (fine), or the 20 superclasses (coarse).", valueName: "fine|coarse"))
    var labels: String = "fine"
    @Option(
        help: ArgumentHelp(
            "Format of the stored images; PNG is lossless. A folder's own files are copied unchanged, unless they are resized or rotated upright.",
            valueName: ".png|.jpg"), completion: .list([".png", ".jpg"]))
    var encoding: String?
    @Option(help: ArgumentHelp("JPEG quality, 1 to 100.", valueName: "N"))
    var quality: Int = 95
    @Option(
        help: ArgumentHelp(
            "For imagefolder: resize the shorter side of each image to this length; 0: no resizing.",
            valueName: "PIXELS"))
    var resize: Int = 0
    @Option(help: ArgumentHelp("Threads that decode and encode.", valueName: "N"))
    var numThread: Int = LoaderOptions.defaultThreads

    func run() throws {
        guard let kind = Kind(rawValue: set) else {
            let names = Kind.allCases.map(\.rawValue)
            throw UsageError(
                set, "is not a known data set",
                suggestion: Spelling.question(Spelling.misspelt(set, among: names))
                    + "they are \(names.joined(separator: ", "))")
        }
        guard ["fine", "coarse"].contains(labels) else {
            throw UsageError("--labels \(labels)", "is not known", suggestion: "it is fine or coarse")
        }
        _ = try DecodingOptions.checked(threads: numThread, of: "--num-thread")
        guard (1...100).contains(quality) else {
            throw UsageError("--quality", "is \(quality)", suggestion: "it is 1 to 100")
        }
        guard (0...1 << 16).contains(resize), resize == 0 || kind == .folder else {
            throw UsageError("--resize", "is \(resize)", suggestion: "it is for imagefolder, 0 to 65536 pixels")
        }
        guard Files.exists(source) else {
            throw AnnealError(
                source, "is not there",
                suggestion: Spelling.suggestion(forPath: source) ?? "name the archive or folder",
                code: .notFound)
        }
        let folder = Files.folder(of: prefix)
        if !folder.isEmpty { try Files.makeFolder(folder) }
        switch kind {
        case .cifar10: try importCIFAR(.cifar10)
        case .cifar100: try importCIFAR(labels == "fine" ? .cifar100 : .cifar100Coarse)
        case .mnist: try importIDX((0..<10).map(String.init))
        case .fashion:
            try importIDX([
                "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
                "Ankle boot",
            ])
        case .folder: try importFolder()
        }
    }

    private func imageEncoding() throws -> ImageEncoding? {
        switch encoding {
        case nil: nil
        case ".png"?: .png(level: 6)
        case ".jpg"?: .jpeg(quality: quality)
        case let other?: throw UsageError("--encoding \(other)", "is not known", suggestion: "it is .png or .jpg")
        }
    }

    // Arrays ------------------------------------------------------------------------------------------------------

    private func importCIFAR(_ kind: CIFARDataset.Kind) throws {
        try checkSum(source)
        let data = try CIFARDataset(kind, source)
        try pack(data.training, "train")
        try pack(data.validation, "val")
        try writeNames(data.classNames)
    }

    private func importIDX(_ names: [String]) throws {
        guard Files.isFolder(source) else {
            throw AnnealError(
                source, "is not a folder",
                suggestion: "name the folder with the files train-images-idx3-ubyte.gz and so on")
        }
        for (part, name) in [("train", "train"), ("t10k", "val")] {
            let images = try file("\(part)-images", "idx3-ubyte"), labels = try file("\(part)-labels", "idx1-ubyte")
            for path in [images, labels] { try checkSum(path) }
            try pack(IDXDataset(images: images, labels: labels), name)
        }
        try writeNames(names)
    }

    /// With a dash or a dot in its name, compressed or not.
    private func file(_ stem: String, _ kind: String) throws -> String {
        let names = ["-", "."].flatMap { ["\(stem)\($0)\(kind).gz", "\(stem)\($0)\(kind)"] }
        guard let found = names.map({ Files.path(source, $0) }).first(where: Files.exists) else {
            throw AnnealError(
                source, "has no \(names[0])", suggestion: "is it the folder of the four files?", code: .notFound)
        }
        return found
    }

    private func checkSum(_ path: String) throws {
        guard !Files.isFolder(path), case .differs(let sum) = try PublishedChecksums.check(path, of: set) else {
            return
        }
        printError(
            "warning: \(FilePath(path)): differs from the published file (MD5 \(sum)): it was repacked, changed or damaged"
        )
    }

    private func pack(_ images: some LabelledImages, _ part: String) throws {
        let target = "\(prefix)_\(part)"
        let progress = ProgressLine("Packing \(FilePath(target)).rec", total: images.count, unit: "images")
        try images.pack(to: target, as: imageEncoding() ?? .png(level: 6), threads: numThread) {
            progress.update(done: $0)
        }
        progress.finish("\(FilePath(target)).rec: \(Readable.counted(images.count, "image"))")
    }

    // Folders -----------------------------------------------------------------------------------------------------

    private func importFolder() throws {
        guard Files.isFolder(source) else { throw AnnealError(source, "is not a folder") }
        let root = FilePath(source)
        var packer = RecordPacker()
        packer.threads = numThread
        packer.resize = resize
        packer.encoding = try imageEncoding() ?? .jpeg(quality: quality)
        packer.copiesUpright = encoding == nil
        packer.onBadImage = .skip
        packer.isResumable = true
        guard let parts = try DataParts(root) else {
            _ = try pack(folder: root, names: nil, packer, to: prefix)
            return
        }
        var names: [String]?
        for (folder, part) in [(parts.training, "train"), (parts.validation, "val"), (parts.test, "test")] {
            guard let folder else { continue }
            names = try pack(folder: folder, names: names, packer, to: "\(prefix)_\(part)")
        }
    }

    /// - Returns: the names of the classes.
    private func pack(folder: FilePath, names: [String]?, _ packer: RecordPacker, to target: String) throws -> [String]
    {
        let folders = try ClassFolders(folder)
        try folders.check(allowsEmpty: names != nil)
        let files = try ImageFiles(folders, classNames: names)
        if !folders.passedOver.isEmpty { printError("\(folder): \(folders.passedOver)") }
        let list = files.list(below: folder)
        try packer.packShown(list, root: folder.text, to: target)
        try list.write(to: "\(target).lst")
        if names == nil { try writeNames(files.classNames) }
        return files.classNames
    }

    private func writeNames(_ names: [String]) throws {
        let path = "\(prefix)_classes.txt"
        try Files.writeAtomically(Data((names.joined(separator: "\n") + "\n").utf8), to: path)
        printError("\(FilePath(path)): \(names.count.counted("class"))")
    }
}
