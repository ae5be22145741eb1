import AnnealCore
import Foundation

/// JPEG and PNG files as samples: a folder of classes, or any paths without labels.
public struct ImageFiles: SampleSource {
    public let path: String
    /// By label; empty when the files have none.
    public let classNames: [String]
    public var count: Int { files.count }
    public var turnsUpright: Bool { true }

    private let files: [(path: String, label: Int)]
    /// A larger file is no image that could be decoded: `Image.maximumPixels` as 16-bit RGBA.
    private static let maximumBytes = 8 * Image.maximumPixels

    /// Files without labels, in this order. Each is opened when it is read.
    public init(paths: [String]) {
        path = "images"
        classNames = []
        files = paths.map { ($0, 0) }
    }

    /// A folder of classes: the images of each sub-folder are a class of its name, those of a sub-folder's sub-folder
    /// one of the name `a/b`, as `im2rec` lists them. Hidden files and folders are passed over.
    ///
    /// - Parameter known: the classes by label, where a model fixes them: folders are matched by name, so that a missing
    ///   one shifts no label. nil: the folders themselves, in the byte order of their names.
    /// - Throws: `AnnealError` naming an image outside a class, a class that is not among those known, or a folder
    ///   without images.
    public init(classFolders folder: String, classNames known: [String]? = nil) throws {
        let (list, found) = try ImageList.scan(folder)
        let items = list.items.filter { !ImageList.isHidden($0.path) }
        if let stray = items.first(where: { !$0.path.contains("/") }) {
            throw AnnealError(
                Files.path(folder, stray.path), "is in no class",
                suggestion: "a sub-folder of \(folder) is a class: move it there")
        }
        guard !items.isEmpty else {
            throw AnnealError(
                folder, "has no sub-folder with images",
                suggestion: "a class is a sub-folder with \(ImageList.imageSuffixes.joined(separator: ", ")) files")
        }
        let used = Set(items.map { Files.folder(of: $0.path) }), folders = found.filter(used.contains)
        let names = known ?? folders
        let table = ClassNames.labels(names)
        var labels: [String: Int] = [:]
        for name in folders {
            guard let label = table[name] else {
                throw AnnealError(
                    Files.path(folder, name), "the class '\(name)' is not among the \(names.count) known ones",
                    suggestion: "they are \(ClassNames.summary(names))")
            }
            labels[name] = label
        }
        path = folder
        classNames = names
        files = items.map { (Files.path(folder, $0.path), labels[Files.folder(of: $0.path)] ?? 0) }
    }

    public func readSample(_ number: Int, into payload: inout [UInt8]) throws -> SampleHeader {
        let bytes = try FileBytes(files[number].path)
        guard bytes.size <= Self.maximumBytes else {
            throw AnnealError("", "\(bytes.size) bytes are too many for an image")
        }
        payload.removeAll(keepingCapacity: true)
        try bytes.append(bytes.size, at: 0, to: &payload)
        return SampleHeader(id: UInt64(number), labels: [Float(files[number].label)])
    }

    public func classLabel(of number: Int) -> Float { Float(files[number].label) }

    public func place(of number: Int, id: UInt64?) -> String { files[number].path }
    public func offset(of number: Int) -> Int { 0 }
}

extension ImageList {
    /// The paths of all images in a folder and below, hidden ones left out; `folder` stands before each.
    public static func images(below folder: String) throws -> [String] {
        try scan(folder).list.items.map(\.path).filter { !isHidden($0) }.map { Files.path(folder, $0) }
    }

    /// Whether a name in a relative path starts with a dot.
    static func isHidden(_ path: String) -> Bool { path.hasPrefix(".") || path.contains("/.") }
}
