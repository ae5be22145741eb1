import AnnealCore
import Foundation
import Testing

@Suite struct SpellingTests {
    private let names = ["train", "score", "resume", "lr", "mom", "sgd", "nag", "sgld"]

    @Test(arguments: [
        ("trian", ["train"]), ("Train", ["train"]), ("Nag", ["nag"]), ("scroe", ["score"]), ("resumee", ["resume"]),
        ("sdg", ["sgd"]),
        ("foo", []), ("", []), ("learning-rate", []), ("entirely-different", []),
    ]) func aSlipIsRecognised(_ name: String, _ expected: [String]) {
        #expect(Spelling.misspelt(name, among: names) == expected)
    }

    /// No time is spent on names that nobody would type.
    @Test func longNames() {
        #expect(Spelling.misspelt(String(repeating: "a", count: 1_000_000), among: names) == [])
    }

    @Test func pathsThatAreThere() throws {
        let folder = NSTemporaryDirectory() + "anneal-spelling-" + UUID().uuidString
        defer { Files.removeFolder(folder) }
        try Files.makeFolder(folder + "/runs/2026-11-23-train")
        try Files.makeFolder(folder + "/other")
        let meant = folder + "/runs/2026-11-23-train"
        #expect(Spelling.existingPath(like: folder + "/runz/2026-11-23-train") == meant)
        #expect(Spelling.existingPath(like: folder + "/runz/2026-11-23-trian") == meant)
        #expect(Spelling.existingPath(like: meant) == nil)
        #expect(Spelling.existingPath(like: folder + "/none/2026-11-23-train") == nil)
    }

    @Test func suggestions() {
        #expect(
            Spelling.suggestion(for: "sdg", among: ["nag", "sgd"]) == "did you mean sgd? it must be one of nag, sgd")
        #expect(Spelling.suggestion(for: "rmsprop", among: ["nag", "sgd"]) == "it must be one of nag, sgd")
        #expect(Spelling.nearest(to: "fc9", among: ["conv0", "fc1", "fc12"], count: 2) == ["fc1", "fc12"])
    }
}
