import AnnealCore
import Foundation

/// The entries of a folder, with links resolved.
struct FolderListing {
    enum Kind: Equatable {
        case file
        case folder
        case brokenLink
        /// A pipe, a socket or a device.
        case special
        /// The system's reason.
        case unreadable(String)
    }

    struct Entry {
        var name: FilePath
        var kind: Kind
    }

    /// In byte order of their names.
    let entries: [Entry]

    /// - Throws: `AnnealError` when the folder cannot be listed or entered.
    init(_ folder: FilePath) throws {
        guard let stream = folder.withCString({ opendir($0) }) else {
            let code = errno
            throw AnnealError(
                "\(folder)", "the folder cannot be read: \(Self.reason(code))", code: .init(errno: code))
        }
        defer { closedir(stream) }
        guard folder.withCString({ access($0, X_OK) }) == 0 else {
            let code = errno
            throw AnnealError(
                "\(folder)", "the folder can be listed but not entered: \(Self.reason(code))",
                suggestion: "chmod +x it", code: .init(errno: code))
        }
        var entries: [Entry] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            let name = FilePath(nameOf: entry)
            if name.isDots { continue }
            entries.append(
                Entry(name: name, kind: Self.kind(of: name, in: dirfd(stream), type: Int(entry.pointee.d_type))))
        }
        guard errno == 0 else {
            throw AnnealError("\(folder)", "the folder cannot be read to its end: \(Self.reason(errno))")
        }
        self.entries = entries.sorted { $0.name < $1.name }
    }

    private static func kind(of name: FilePath, in folder: Int32, type: Int) -> Kind {
        // Most file systems return the type with the entry; links must be followed.
        if type == Int(DT_REG) { return .file }
        if type == Int(DT_DIR) { return .folder }
        var info = stat()
        guard name.withCString({ fstatat(folder, $0, &info, 0) }) == 0 else {
            return errno == ENOENT || errno == ELOOP ? .brokenLink : .unreadable(reason(errno))
        }
        switch info.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR: return .folder
        default: return .special
        }
    }

    private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}
