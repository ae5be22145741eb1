import AnnealData
import Testing

@Suite struct ImageListTests {
    @Test func readsAndWritesLines() throws {
        let folder = try TemporaryFolder()
        let text = "3\t1.000000\ta b/c.jpg\n0\t0.500000\t-2.000000\td.png\n"
        let list = try ImageList(file: try folder.file("a.lst", Array(text.utf8)))
        #expect(list.items[0] == .init(id: 3, labels: [1], path: "a b/c.jpg"))
        #expect(list.items[1].labels == [0.5, -2])
        #expect(list.lines.map { $0 + "\n" }.joined() == text)
        #expect(
            try ImageList(file: try folder.file("b.lst", Array("1\t2\tx.png\r\n\n".utf8))).items.first?.path == "x.png")
    }

    @Test func badLinesAreNamed() throws {
        let folder = try TemporaryFolder()
        func read(_ text: String) -> String {
            message { _ = try ImageList(file: try folder.file("a.lst", Array(text.utf8))) }
        }
        #expect(read("1\t2\tx.png\n5 6\n").contains("a.lst, line 2"))
        #expect(read("one\t2\tx.png").contains("\"one\" is not an id"))
        #expect(read("1\tcat\tx.png").contains("\"cat\" is not a label"))
        #expect(read("1\tnan\tx.png").contains("\"nan\" is not a label"))
    }
}
