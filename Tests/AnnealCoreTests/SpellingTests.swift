import AnnealCore
import Testing

@Suite struct SpellingTests {
    private let names = ["train", "score", "resume", "lr", "mom", "sgd", "nag", "sgld"]

    @Test(arguments: [
        ("trian", ["train"]), ("Train", ["train"]), ("scroe", ["score"]), ("resumee", ["resume"]), ("sdg", ["sgd"]),
        ("foo", []), ("", []), ("learning-rate", []), ("entirely-different", []),
    ]) func aSlipIsRecognised(_ name: String, _ expected: [String]) {
        #expect(Spelling.misspelt(name, among: names) == expected)
    }

    /// No time is lost on names that nobody has typed.
    @Test func longNames() {
        #expect(Spelling.misspelt(String(repeating: "a", count: 1_000_000), among: names) == [])
    }

    @Test func suggestions() {
        #expect(Spelling.suggestion(for: "sdg", among: ["nag", "sgd"]) == "did you mean sgd? there are nag, sgd")
        #expect(Spelling.suggestion(for: "rmsprop", among: ["nag", "sgd"]) == "there are nag, sgd")
        #expect(Spelling.nearest(to: "fc9", among: ["conv0", "fc1", "fc12"], count: 2) == ["fc1", "fc12"])
    }
}
