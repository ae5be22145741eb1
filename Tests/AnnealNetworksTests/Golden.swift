import Foundation
import Testing

/// A folder of cases that MXNet made, next to the package if it exists.
enum Golden {
    /// `../shared` found by walking up from this file, or ANNEAL_SHARED.
    static let shared: String? = {
        if let path = ProcessInfo.processInfo.environment["ANNEAL_SHARED"] { return path }
        var folder = URL(fileURLWithPath: #filePath)
        while folder.path != "/" {
            folder.deleteLastPathComponent()
            let candidate = folder.appendingPathComponent("shared").path
            if FileManager.default.fileExists(atPath: candidate + "/golden") { return candidate }
        }
        return nil
    }()

    /// The case folders of a kind, e.g. `networks`; empty, with a note, without the shared folder.
    static func folders(_ kind: String) -> [String] {
        guard let shared else {
            print("skipped: no folder ../shared/golden and no ANNEAL_SHARED")
            return []
        }
        let parent = "\(shared)/golden/\(kind)"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
        return names.sorted().map { "\(parent)/\($0)" }.filter {
            FileManager.default.fileExists(atPath: $0 + "/case.json")
        }
    }
}
