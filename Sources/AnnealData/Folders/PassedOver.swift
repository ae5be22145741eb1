import AnnealCore

/// What a walk through folders skipped, counted by reason.
public struct PassedOver: Sendable, Equatable, CustomStringConvertible {
    /// Why a file or folder was skipped.
    public enum Reason: Sendable, Hashable {
        /// An image by its name or content, but in a format that is not read.
        case foreignImage(suffix: String)
        case otherFile(suffix: String)
        case brokenLink
        /// A link to a folder on the current path.
        case circularLink
        case specialFile
        case hiddenFile
        case hiddenFolder
        /// Created by a system or a file server for itself, e.g. @eaDir.
        case systemFolder(String)
        case emptyFolder
        /// With the system's reason.
        case unreadable(String)
        case unreadableFolder(String)

        /// Whether it obviously is not an image.
        var isHarmless: Bool {
            switch self {
            case .otherFile, .hiddenFile, .hiddenFolder, .systemFolder, .emptyFolder: true
            case .foreignImage, .brokenLink, .circularLink, .specialFile, .unreadable, .unreadableFolder: false
            }
        }
    }

    public private(set) var counts: [Reason: Int] = [:]
    /// The first path for each reason.
    private var first: [Reason: FilePath] = [:]

    public init() {}

    public var isEmpty: Bool { counts.isEmpty }
    public var total: Int { counts.values.reduce(0, +) }
    /// Whether everything skipped obviously is not an image.
    public var isHarmless: Bool { counts.keys.allSatisfy(\.isHarmless) }
    /// Links, files and folders that are broken or cannot be read.
    public var unreadable: Int {
        counts.reduce(0) { sum, item in
            switch item.key {
            case .brokenLink, .circularLink, .specialFile, .unreadable, .unreadableFolder: sum + item.value
            default: sum
            }
        }
    }
    /// Whether there was nothing, or only hidden files.
    var isHidden: Bool { counts.keys.allSatisfy { $0 == .hiddenFile || $0 == .hiddenFolder } }

    mutating func add(_ reason: Reason, _ path: FilePath) {
        counts[reason, default: 0] += 1
        if first[reason] == nil { first[reason] = path }
    }

    mutating func add(_ other: PassedOver) {
        counts.merge(other.counts, uniquingKeysWith: +)
        first.merge(other.first) { own, _ in own }
    }

    /// `skipped 35 files: 30 .heic (unsupported images), 5 broken links (the first: cat/7.jpg)`
    public var description: String {
        let parts = counts.map { (count: $0.value, isHarmless: $0.key.isHarmless, text: text($0.key, $0.value)) }
            .sorted { a, b in
                if a.isHarmless != b.isHarmless { return b.isHarmless }
                return a.count != b.count ? a.count > b.count : a.text < b.text
            }
        let shown = parts.prefix(8), rest = parts.dropFirst(8).reduce(0) { $0 + $1.count }
        let hasFolders = counts.keys.contains { $0.isFolder }, hasFiles = counts.keys.contains { !$0.isFolder }
        let isMixed = hasFolders && hasFiles
        let what = isMixed ? "\(total) files and folders" : total.counted(hasFolders ? "folder" : "file")
        return "skipped \(what): "
            + (shown.map(\.text) + (rest > 0 ? ["\(rest) others"] : [])).joined(separator: ", ")
    }

    private func text(_ reason: Reason, _ count: Int) -> String {
        let example = first[reason].map { " (the first: \($0))" } ?? ""
        func counted(_ one: String, _ many: String) -> String { "\(count) \(count == 1 ? one : many)" }
        switch reason {
        case .foreignImage(let suffix):
            return "\(count) \(suffix.isEmpty ? "without a suffix" : suffix) (unsupported images)"
        case .otherFile(let suffix): return "\(count) \(suffix.isEmpty ? "without a suffix" : suffix)"
        case .brokenLink: return counted("broken link", "broken links") + example
        case .circularLink: return counted("circular link", "circular links") + example
        case .specialFile: return counted("pipe, socket or device", "pipes, sockets or devices") + example
        case .hiddenFile: return counted("hidden file", "hidden files")
        case .hiddenFolder: return counted("hidden folder", "hidden folders")
        case .systemFolder(let name): return counted("\(name) folder", "\(name) folders")
        case .emptyFolder: return counted("empty folder", "empty folders")
        case .unreadable(let why): return "\(count) that cannot be read: \(why)" + example
        case .unreadableFolder(let why):
            return counted("folder", "folders") + " that cannot be read: \(why)" + example
        }
    }
}

extension PassedOver.Reason {
    fileprivate var isFolder: Bool {
        switch self {
        case .hiddenFolder, .systemFolder, .emptyFolder, .circularLink, .unreadableFolder: true
        default: false
        }
    }
}
