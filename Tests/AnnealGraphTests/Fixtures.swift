import AnnealCore
import Foundation

/// Files under `Tests/Fixtures`, which MXNet 1.9.1 wrote.
enum Fixtures {
    static func path(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/\(name)").path
    }

    static func text(_ name: String) throws -> String { String(decoding: try Files.read(path(name)), as: UTF8.self) }
}

/// The description of the error that `body` throws; nil if it throws none.
func message(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch {
        return "\(error)"
    }
}
