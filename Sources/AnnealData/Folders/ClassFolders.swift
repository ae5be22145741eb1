import AnnealCore
import Foundation

/// A folder with a sub-folder for each class, for training: all images below a sub-folder belong to its class.
///
/// Hidden folders and those that systems and file servers create for themselves (@eaDir, __MACOSX) are skipped and
/// counted, as is every file that is not an image.
public struct ClassFolders: Sendable {
    /// A sub-folder with the images of one class.
    public struct Class: Sendable {
        /// The sub-folder's name; bytes that are not UTF-8 as `\xE9`.
        public var name: String
        public var path: FilePath
        public var images: [FilePath]
        public var passedOver: PassedOver
        /// Whether it is empty, or holds only hidden files.
        public var isEmpty: Bool { images.isEmpty && passedOver.isHidden }
    }

    public let path: FilePath
    /// Numeric names in numeric order, others in byte order.
    public internal(set) var classes: [Class]
    public let passedOver: PassedOver
    /// What makes the folder unusable as a set of classes; the most obvious problem first.
    public let problems: [AnnealError]

    /// Reads the folder.
    /// - Throws: `AnnealError` when it cannot be read. All other faults are in `problems`.
    public init(_ path: FilePath) throws {
        self.path = path
        var classes: [Class] = []
        var passedOver = PassedOver()
        var strays: [FilePath] = []
        for entry in try FolderListing(path).entries {
            let place = path.appending(entry.name)
            switch ImageWalk.verdict(entry, place) {
            case .image: strays.append(place)
            case .passedOver(let reason): passedOver.add(reason, place)
            case .folder: classes.append(Self.read(place, in: path))
            }
        }
        for found in classes { passedOver.add(found.passedOver) }
        let numbers = classes.compactMap { WholeNumber($0.name) }
        if numbers.count == classes.count {
            classes = zip(classes, numbers).sorted { $0.1 < $1.1 }.map(\.0)
        }
        self.classes = classes
        self.passedOver = passedOver
        problems = Self.problems(path, classes, strays)
    }

    /// Whether the names are the numbers 0 to N - 1, zero-padded or not: then they are the labels.
    public var isNumbered: Bool {
        !classes.isEmpty && classes.enumerated().allSatisfy { WholeNumber($1.name) == WholeNumber("\($0)") }
    }

    private static func read(_ folder: FilePath, in parent: FilePath) -> Class {
        var walk = ImageWalk()
        walk.enter(parent)
        var unreadable = PassedOver()
        do {
            try walk.walk(folder)
        } catch {
            unreadable.add(.unreadableFolder((error as? AnnealError)?.problem ?? "\(error)"), folder)
        }
        unreadable.add(walk.passedOver)
        return Class(name: folder.name.description, path: folder, images: walk.images, passedOver: unreadable)
    }

    private static func problems(_ path: FilePath, _ classes: [Class], _ strays: [FilePath]) -> [AnnealError] {
        var problems: [AnnealError] = []
        if let stray = strays.first {
            let others = strays.count - 1
            let more = others == 0 ? "" : ", nor \(others == 1 ? "is" : "are") \(others.counted("other image"))"
            problems.append(
                AnnealError(
                    "\(stray)", "is in no class\(more)", suggestion: "a sub-folder of \(path) is a class: move it there"
                ))
        } else if classes.allSatisfy(\.isEmpty) {
            problems.append(
                AnnealError(
                    "\(path)", "has no sub-folder with images",
                    suggestion: "a class is a sub-folder with JPEG or PNG files"))
        }
        // Swift strings are equal whether their letters are composed or decomposed.
        for (name, twins) in Dictionary(grouping: classes, by: \.name).sorted(by: { $0.key < $1.key })
        where twins.count > 1 {
            let spellings = twins.map(\.path.name.asciiDescription).joined(separator: " and ")
            problems.append(
                AnnealError(
                    "\(path)",
                    "\(twins.count) of its folders have the name \(name), in different bytes: \(spellings); one has composed letters and the other decomposed ones (NFC and NFD, as macOS writes them), or a byte is not UTF-8",
                    suggestion: "move their images into one folder"))
        }
        return problems
    }
}

extension ClassFolders {
    /// - Parameter allowsEmpty: an empty class folder counts as missing, which shifts no label.
    /// - Throws: the first problem, or `AnnealError` for a class without a usable image.
    public func check(allowsEmpty: Bool = false) throws {
        if let problem = problems.first { throw problem }
        let unusable = unusableClasses(allowsEmpty: allowsEmpty)
        guard let first = unusable.first else { return }
        let more = unusable.dropFirst().map(\.name)
        let others = more.isEmpty ? "" : "; the same is true of \(ClassNames.summary(more))"
        let remedy =
            first.passedOver.unreadable > 0
            ? "make them readable (chmod), or move the folder away"
            : "convert its images to JPEG or PNG, or move the folder away"
        throw AnnealError(
            "\(first.path)",
            "the class '\(first.name)' has no usable image: \(first.isEmpty ? "the folder is empty" : "\(first.passedOver)")\(others)",
            suggestion: first.isEmpty
                ? "add its images, or remove the folder" : remedy)
    }

    /// Classes without a usable image.
    public func unusableClasses(allowsEmpty: Bool = false) -> [Class] {
        classes.filter { $0.images.isEmpty && !(allowsEmpty && $0.isEmpty) }
    }
}

/// A number of ASCII digits, of any length.
struct WholeNumber: Comparable {
    /// Without leading zeros.
    let digits: String

    /// nil if the text has any other characters.
    init?(_ text: String) {
        guard !text.isEmpty, text.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains) else { return nil }
        let significant = text.drop { $0 == "0" }
        digits = significant.isEmpty ? "0" : String(significant)
    }

    static func < (a: WholeNumber, b: WholeNumber) -> Bool {
        let (first, second) = (a.digits.utf8.count, b.digits.utf8.count)
        return first != second ? first < second : a.digits < b.digits
    }
}
