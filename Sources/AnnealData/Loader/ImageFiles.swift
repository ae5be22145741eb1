import AnnealCore
import Foundation

/// Image files as samples: a folder of classes, or any paths without labels.
public struct ImageFiles: SampleSource {
    public let path: String
    /// By label; empty when the files have none.
    public let classNames: [String]
    public var count: Int { files.count }
    public var turnsUpright: Bool { true }
    public var dependsOnEpoch: Bool { false }

    private let files: [(path: FilePath, label: Int)]
    /// The folder that contains `files`.
    let folder: FilePath
    var paths: [FilePath] { files.map(\.path) }
    /// Larger files are refused without reading them completely.
    public var maximumPixels = Image.maximumPixels

    /// Files without labels, in this order. Each is opened when it is read.
    public init(paths: [FilePath]) {
        path = "images"
        folder = FilePath("")
        classNames = []
        files = paths.map { ($0, 0) }
    }

    public init(paths: [String]) { self.init(paths: paths.map { FilePath($0) }) }

    /// A folder of classes: see `ClassFolders`, and `init(_:classNames:)` for `known`.
    public init(classFolders folder: String, classNames known: [String]? = nil) throws {
        let folders = try ClassFolders(FilePath(folder))
        try folders.check(allowsEmpty: known != nil)
        try self.init(folders, classNames: known)
    }

    /// The images of the folders, class by class.
    ///
    ///   - known: the classes by label, if a model fixes them: folders are matched by name, so that a missing one
    ///     shifts no label. nil: the folders themselves, in their order. A known `a/b` is the folder b of the class a.
    /// - Throws: `AnnealError` for a class that is not among the known ones.
    public init(_ folders: ClassFolders, classNames known: [String]? = nil) throws {
        let names = known ?? folders.classes.map(\.name)
        let table = ClassNames.Table(names)
        let isNested = known?.contains { $0.contains("/") } ?? false
        var files: [(path: FilePath, label: Int)] = []
        files.reserveCapacity(folders.classes.reduce(0) { $0 + $1.images.count })
        for (position, found) in folders.classes.enumerated() where !found.images.isEmpty {
            let label = known == nil ? position : table.label(of: found.name)
            for image in found.images {
                let nested = isNested ? Self.nestedLabel(image, below: folders.path, table) : nil
                guard let label = nested ?? label else { throw Self.unknownClass(found, among: names) }
                files.append((image, label))
            }
        }
        path = folders.path.description
        folder = folders.path
        classNames = names
        self.files = files
    }

    /// An error for each class that is not among the known ones.
    public static func unknownClasses(_ folders: ClassFolders, among known: [String]) -> [AnnealError] {
        folders.classes.compactMap { found in
            var alone = folders
            alone.classes = [found]
            do {
                _ = try ImageFiles(alone, classNames: known)
                return nil
            } catch {
                return error as? AnnealError
            }
        }
    }

    private static func unknownClass(_ found: ClassFolders.Class, among names: [String]) -> AnnealError {
        guard names.filter({ $0 == found.name }).count < 2 else {
            return AnnealError(
                "\(found.path)", "several classes have the name '\(found.name)', so the folder's label is not known",
                suggestion: "give each class its own name")
        }
        return AnnealError(
            "\(found.path)", "the class '\(found.name)' is not among the \(names.count) known ones",
            suggestion: "they are \(ClassNames.summary(names))")
    }

    /// The label of the deepest folder above an image that has a class's name, as a path below the root.
    private static func nestedLabel(_ image: FilePath, below root: FilePath, _ table: ClassNames.Table) -> Int? {
        let start = root.bytes.count + (root.bytes.last == UInt8(ascii: "/") ? 0 : 1)
        var rest = image.bytes.dropFirst(start)
        while let slash = rest.lastIndex(of: UInt8(ascii: "/")) {
            rest = rest[..<slash]
            if let label = table.label(of: FilePath(bytes: rest).description) { return label }
        }
        return nil
    }

    /// The files as a list for a packer, with paths relative to a folder above them.
    public func list(below folder: FilePath) -> ImageList {
        ImageList(
            files.enumerated().map { number, file in
                let rest = file.path.bytes.dropFirst(folder.bytes.count).drop { $0 == UInt8(ascii: "/") }
                return .init(id: number, labels: [Float(file.label)], path: FilePath(bytes: rest).text)
            })
    }

    public func readSample(_ number: Int, epoch: Int, into payload: inout [UInt8]) throws -> SampleHeader {
        try read(number, into: &payload, atMost: .max)
    }

    public func readBeginning(of number: Int, atMost count: Int, into payload: inout [UInt8]) throws -> SampleHeader {
        try read(number, into: &payload, atMost: count)
    }

    private func read(_ number: Int, into payload: inout [UInt8], atMost count: Int) throws -> SampleHeader {
        let bytes = try FileBytes(files[number].path)
        // 16-bit RGBA.
        guard bytes.size <= 8 * maximumPixels else {
            throw AnnealError(
                "", "\(bytes.size) bytes are too many for an image of at most \(maximumPixels) pixels",
                suggestion: "allow larger ones with --max-image-pixels", code: .unsupported)
        }
        payload.removeAll(keepingCapacity: true)
        try bytes.append(min(bytes.size, count), at: 0, to: &payload)
        return SampleHeader(id: UInt64(number), labels: [Float(files[number].label)])
    }

    public func classLabel(of number: Int) -> Float { Float(files[number].label) }

    public func place(of number: Int, id: UInt64?) -> String { files[number].path.description }
    public func offset(of number: Int) -> Int { 0 }
}
