import Foundation

extension Files {
    /// What a file is written as before it is renamed: it names the process, so that leftovers can be told.
    static func temporary(_ path: String) -> String { "\(path).\(getpid()).tmp" }

    /// Removes what killed processes left half written of files whose paths begin with `prefix`.
    public static func removeLeftovers(prefix: String) {
        let folder = Files.folder(of: prefix), stem = Files.name(of: prefix)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)) ?? []
        for name in names where name.hasPrefix(stem) {
            let parts = name.split(separator: ".")
            guard parts.count > 2, parts.last == "tmp", let process = pid_t(parts[parts.count - 2]), process > 0,
                kill(process, 0) != 0, errno == ESRCH
            else { continue }
            unlink(Files.path(folder, name))
        }
    }

    /// Gives a file a second name, in place of what had that name: by a link, or where the file system has none by a copy.
    public static func linkAtomically(_ path: String, to other: String) throws {
        let temporary = temporary(other)
        unlink(temporary)
        if link(path, temporary) == 0 {
            // Both names of one file already: rename leaves both, and nothing is to be done.
            guard rename(temporary, other) == 0 else {
                let reason = String(cString: strerror(errno))
                unlink(temporary)
                throw AnnealError(other, "cannot be replaced: \(reason)")
            }
            unlink(temporary)
            syncFolder(of: other)
        } else {
            try writeAtomically(read(path), to: other)
        }
    }

    /// A rename reaches the disk with its folder.
    static func syncFolder(of path: String) {
        let folder = Files.folder(of: path)
        let parent = open(folder.isEmpty ? "." : folder, O_RDONLY | O_CLOEXEC)
        guard parent >= 0 else { return }
        fsync(parent)
        close(parent)
    }
}
