import Anneal
import Foundation

/// The processes of a job that its launcher has started on this host: its children.
final class OwnProcesses {
    private let launcher: pid_t
    private let name: String
    private var lastSeen: ContinuousClock.Instant?

    /// - Parameter name: the program's name.
    init(of launcher: pid_t, named name: String) {
        self.launcher = launcher
        // The kernel keeps 15 bytes of it.
        self.name = String(decoding: name.utf8.prefix(15), as: UTF8.self)
    }

    /// Whether there were some, but none for this many seconds.
    func haveBeenGone(for seconds: Int) -> Bool {
        let now = ContinuousClock.now
        if Self.text("/proc/\(launcher)/task/\(launcher)/children").split(separator: " ").contains(where: isOne) {
            lastSeen = now
        }
        return lastSeen.map { now - $0 > .seconds(seconds) } ?? false
    }

    private func isOne(_ process: Substring) -> Bool {
        Self.text("/proc/\(process)/comm").trimmingCharacters(in: .newlines) == name
    }

    private static func text(_ path: String) -> String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
