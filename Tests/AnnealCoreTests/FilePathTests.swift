import AnnealCore
import Foundation
import Testing

@Suite struct FilePathTests {
    /// Latin-1, truncated and overlong UTF-8, a surrogate, and a character of the range that stands for bytes.
    static let names: [[UInt8]] = [
        [], Array("a/b c.jpg".utf8), [0x63, 0xE9], [0xE2, 0x82], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xFF, 0x80, 0x41],
        Array("é/日本/👍.png".utf8), [0xF4, 0x8F, 0xB8, 0x81], [0xF4, 0x8F, 0xBF, 0xBF], Array(0x80...0xFF),
    ]

    @Test(arguments: names) func textKeepsEveryByte(bytes: [UInt8]) {
        let text = FilePath(bytes: bytes).text
        #expect(FilePath(text).bytes == bytes)
        // Also through a JSON file, like a run's record.
        let json = try? JSONDecoder().decode([String].self, from: JSONEncoder().encode([text]))
        #expect(json?.first.map { FilePath($0).bytes } == bytes)
    }

    @Test func descriptionEscapesWhatATerminalWouldObey() {
        #expect(FilePath(bytes: [0x63, 0xE9, 0x2F, 0x1B, 0x5B, 0x6D]).description == "c\\xE9/\\x1B[m")
        #expect(FilePath("café 日本").description == "café 日本")
        #expect(FilePath("a\u{202E}b\nc").description == "a\\xE2\\x80\\xAEb\\x0Ac")
        #expect(FilePath("é").asciiDescription == "\\xC3\\xA9")
    }

    @Test func pathsAreEqualIfTheirBytesAre() {
        #expect("caf\u{E9}" == "cafe\u{301}")
        #expect(FilePath("caf\u{E9}") != FilePath("cafe\u{301}"))
        #expect(FilePath("Z") < FilePath("a") && FilePath("a") < FilePath("a/b"))
        #expect(FilePath("a/").appending(FilePath("b")) == FilePath("a/b"))
        #expect(FilePath("a/b/c").name == FilePath("c") && FilePath("c").name == FilePath("c"))
        #expect(FilePath(bytes: [0x61, 0, 0x62]).withCString { strlen($0) } == 0)
        #expect(FilePath("ab").withCString { strlen($0) } == 2)
    }
}
