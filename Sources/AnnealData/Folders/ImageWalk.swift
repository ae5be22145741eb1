import AnnealCore
import Foundation

/// Finds the images in a folder and below it, for training and prediction: a folder's own files in the byte order of
/// their names, then those of its sub-folders. (`ImageList.scan` lists as `im2rec` does.)
///
/// A JPEG or PNG suffix is trusted; a file with another image suffix, or none, is opened to check.
public struct ImageWalk: Sendable {
    public private(set) var images: [FilePath] = []
    public private(set) var passedOver = PassedOver()
    /// The folders on the current path: links are followed, but not in circles.
    private var open: Set<FileIdentity> = []

    private struct FileIdentity: Hashable {
        var device: UInt
        var number: UInt
    }

    init() {}

    /// - Throws: `AnnealError` when the folder itself cannot be read.
    public init(_ folder: FilePath) throws { try walk(folder) }

    /// - Throws: `AnnealError` when the folder itself cannot be read; unreadable sub-folders are skipped.
    mutating func walk(_ folder: FilePath) throws {
        guard let identity = Self.identity(folder), open.insert(identity).inserted else {
            passedOver.add(.circularLink, folder)
            return
        }
        defer { open.remove(identity) }
        var folders: [FilePath] = []
        for entry in try FolderListing(folder).entries {
            let path = folder.appending(entry.name)
            switch Self.verdict(entry, path) {
            case .image: images.append(path)
            case .folder: folders.append(path)
            case .passedOver(let reason): passedOver.add(reason, path)
            }
        }
        for path in folders {
            do {
                try walk(path)
            } catch let error as AnnealError {
                passedOver.add(.unreadableFolder(error.problem), path)
            }
        }
    }

    /// Enters a folder without walking it, so that links back to it are noticed.
    mutating func enter(_ folder: FilePath) { Self.identity(folder).map { _ = open.insert($0) } }

    enum Verdict {
        case image
        case folder
        case passedOver(PassedOver.Reason)
    }

    static func verdict(_ entry: FolderListing.Entry, _ path: FilePath) -> Verdict {
        let isHidden = entry.name.bytes.first == UInt8(ascii: ".")
        switch entry.kind {
        case .folder:
            if isHidden { return .passedOver(.hiddenFolder) }
            let name = entry.name.description
            return systemFolders.contains(name.lowercased()) ? .passedOver(.systemFolder(name)) : .folder
        case .file:
            if isHidden { return .passedOver(.hiddenFile) }
            let suffix = suffix(of: entry.name)
            if decodedSuffixes.contains(suffix) { return .image }
            guard suffix.isEmpty || otherImageSuffixes.contains(suffix) else {
                return .passedOver(.otherFile(suffix: suffix))
            }
            // A file that cannot be opened here is reported when it is read.
            guard let format = ImageFormat(file: path) else {
                return .passedOver(suffix.isEmpty ? .otherFile(suffix: "") : .foreignImage(suffix: suffix))
            }
            return format.isDecoded ? .image : .passedOver(.foreignImage(suffix: suffix))
        case .brokenLink: return .passedOver(.brokenLink)
        case .special: return .passedOver(isHidden ? .hiddenFile : .specialFile)
        case .unreadable(let reason): return .passedOver(.unreadable(reason))
        }
    }

    /// Of JPEG and PNG files.
    static let decodedSuffixes: Set = [".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp", ".png"]

    /// Suffixes of images that are not decoded, unless the suffix is wrong.
    private static let otherImageSuffixes: Set = [
        ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".j2k", ".jxl", ".svg",
        ".ico", ".psd", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".apng", ".cr2", ".nef", ".arw", ".dng",
    ]

    /// In lower case.
    private static let systemFolders: Set = [
        "@eadir", "@tmp", "@recycle", "@recently-snapshot", "@sharebin", "@__thumb", "#recycle", "#snapshot",
        "__macosx",
        "lost+found", "$recycle.bin", "system volume information", "__pycache__",
    ]

    /// `.jpg` for `a.JPG`; empty for a name without a dot.
    private static func suffix(of name: FilePath) -> String {
        guard let dot = name.bytes.lastIndex(of: UInt8(ascii: ".")) else { return "" }
        return FilePath(bytes: name.bytes[dot...]).description.lowercased()
    }

    private static func identity(_ folder: FilePath) -> FileIdentity? {
        var info = stat()
        guard folder.withCString({ stat($0, &info) }) == 0 else { return nil }
        return FileIdentity(device: UInt(info.st_dev), number: UInt(info.st_ino))
    }
}
