import AnnealCore
import Foundation

/// Compiled programs on disk, so that a network is compiled only once per machine.
///
/// Loading one runs its code: files and folders that belong to other users, or that others may write to, are refused. A
/// file that is damaged or belongs to another program is replaced by compiling again.
package struct ExecutableCache: Sendable {
    package let folder: String
    /// Bytes; above this limit the least recently used files are removed.
    package var limit = 2 << 30

    private static let suffix = ".xla", mark = Array("anneal executable 1\n".utf8)

    /// In the user's cache folder; nil if there is none.
    package init?(environment: [String: String] = ProcessInfo.processInfo.environment) {
        if let cache = environment["XDG_CACHE_HOME"], cache.hasPrefix("/") {
            folder = cache + "/anneal"
        } else if let home = environment["HOME"], home.hasPrefix("/") {
            folder = home + "/.cache/anneal"
        } else {
            return nil
        }
    }

    /// - Parameter parts: everything that the compiled code depends on.
    package static func key(_ parts: [String]) -> String { SHA256.digits(of: parts.joined(separator: "\u{0}").utf8) }

    /// - Returns: nil if there is none.
    /// - Throws: why a file is not used.
    package func read(_ key: String) throws -> [UInt8]? {
        let path = path(key)
        guard Files.exists(path) else { return nil }
        try checkOwner(folder)
        try checkOwner(path)
        let data = try Files.read(path), header = Self.mark.count + 64
        let digits = data.dropFirst(Self.mark.count).prefix(64), payload = data.dropFirst(header)
        guard data.count > header, data.starts(with: Self.mark),
            digits.elementsEqual(SHA256.digits(of: payload).utf8)
        else { throw AnnealError(path, "is damaged: it is compiled again", code: .damaged) }
        // The least recently used file is removed first.
        try? FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: path)
        return Array(payload)
    }

    package func write(_ bytes: [UInt8], _ key: String) throws {
        if !Files.exists(folder) {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        try checkOwner(folder)
        // The folder may have existed before: nobody else needs to read what is trained here.
        chmod(folder, 0o700)
        try Files.writeAtomically(Data(Self.mark + Array(SHA256.digits(of: bytes).utf8) + bytes), to: path(key))
        prune()
    }

    private func path(_ key: String) -> String { Files.path(folder, key + Self.suffix) }

    private func checkOwner(_ path: String) throws {
        var info = stat()
        guard lstat(path, &info) == 0 else { return }
        guard info.st_uid == getuid(), info.st_mode & 0o022 == 0 else {
            throw AnnealError(
                path, "belongs to another user, or others may write it: it is not used",
                suggestion: "remove it", code: .ioFailure)
        }
    }

    private func prune() {
        let files = ((try? Files.names(in: folder)) ?? []).filter { $0.hasSuffix(Self.suffix) }
        var known = files.compactMap { name -> (path: String, size: Int, used: Int)? in
            let path = Files.path(folder, name)
            var info = stat()
            guard lstat(path, &info) == 0 else { return nil }
            return (path, Int(info.st_size), Int(info.st_mtim.tv_sec))
        }
        known.sort { $0.used > $1.used }
        var total = 0
        for file in known {
            total += file.size
            if total > limit { Files.remove(file.path) }
        }
    }
}
