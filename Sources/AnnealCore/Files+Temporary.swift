import Foundation

extension Files {
    /// The name of a file until it is complete: it contains the process's id, so that leftovers can be recognised, and
    /// random digits, so that nobody can create a link there beforehand.
    static func temporary(_ path: String) -> String {
        "\(path).\(getpid())-\(String(UInt64.random(in: .min ... .max), radix: 36)).tmp"
    }

    /// The file that a temporary name belongs to, and the process that created it. Version 0.1 wrote no random digits.
    private static func temporaryParts(_ name: String) -> (file: String, process: pid_t)? {
        guard let match = name.wholeMatch(of: /(.+)\.([0-9]+)(?:-[0-9a-z]+)?\.tmp/),
            let process = pid_t(match.2), process > 0
        else { return nil }
        return (String(match.1), process)
    }

    /// Replaces a small file atomically without syncing it: for files that are soon rewritten.
    /// - Returns: whether it succeeded.
    @discardableResult
    package static func replaceUnsynced(_ path: String, with data: Data) -> Bool {
        let temporary = temporary(path)
        let descriptor = withPath(temporary) { open($0, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666) }
        guard descriptor >= 0 else { return false }
        let isWritten = data.withUnsafeBytes { write($0, to: descriptor) } == nil
        close(descriptor)
        let isRenamed = isWritten && withPath(temporary) { from in withPath(path) { rename(from, $0) == 0 } }
        if !isRenamed { remove(temporary) }
        return isRenamed
    }

    /// Removes temporary files that killed processes of this user left behind.
    /// - Parameters:
    ///   - folder: empty for the current directory.
    ///   - isOurs: whether the caller writes a file of this name; leftovers of other files stay.
    public static func removeLeftovers(in folder: String, where isOurs: (String) -> Bool) {
        for name in (try? names(in: folder)) ?? [] {
            guard let (file, process) = temporaryParts(name), isOurs(file), kill(process, 0) != 0, errno == ESRCH
            else { continue }
            let path = Files.path(folder, name)
            var info = stat()
            guard withPath(path, { lstat($0, &info) }) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_uid == geteuid()
            else { continue }
            remove(path)
        }
    }
}
