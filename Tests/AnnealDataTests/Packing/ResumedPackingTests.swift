import AnnealCore
import AnnealData
import Foundation
import Testing

/// A packing that was interrupted is continued, with the same result.
@Suite struct ResumedPackingTests {
    let folder: TemporaryFolder
    let root: String
    let list: ImageList

    init() throws {
        folder = try TemporaryFolder()
        root = "\(folder.path)/images"
        try Files.makeFolder(root)
        for number in 0..<300 {
            let image = try pattern(9, 7, seed: number).encoded(as: .png(level: 1))
            try Files.writeAtomically(Data(image), to: "\(root)/\(1000 + number).png")
        }
        list = try ImageList.scan(root, recursive: false).list
    }

    private var packer: RecordPacker {
        var packer = RecordPacker()
        packer.threads = 1
        packer.isResumable = true
        packer.secondsBetweenMarks = 0
        return packer
    }

    private func file(_ name: String) -> String { "\(folder.path)/\(name)" }

    private func expectSameFiles(_ a: String, _ b: String) throws {
        for suffix in ["rec", "idx"] {
            #expect(try Files.read(file("\(a).\(suffix)")) == Files.read(file("\(b).\(suffix)")))
        }
    }

    /// Packs until image 250 fails, then again with the image repaired.
    private func packInTwoParts(_ packer: RecordPacker, between: () throws -> Void = {}) throws -> RecordPacker.Summary
    {
        let bad = "\(root)/1250.png", good = try Files.read(bad)
        try Files.writeAtomically(Data("broken".utf8), to: bad)
        #expect(message { _ = try packer.pack(list, root: root, to: file("parts")) }.contains("1250.png"))
        #expect(!Files.exists(file("parts.rec")) && !Files.exists(file("parts.idx")))
        try Files.writeAtomically(good, to: bad)
        try between()
        return try packer.pack(list, root: root, to: file("parts"))
    }

    @Test func bytesAreThoseOfOnePacking() throws {
        _ = try packer.pack(list, root: root, to: file("whole"))
        let summary = try packInTwoParts(packer)
        // Chunks of 64: three are done before the one with image 250.
        #expect(summary.count == 300 && summary.continued == 192)
        try expectSameFiles("whole", "parts")
        #expect(try Files.names(in: folder.path).filter { $0.contains("packing") } == [])
    }

    /// Whatever was written after the last mark, in the records and in the journal, is dropped.
    @Test func tornEndsAreDropped() throws {
        _ = try packer.pack(list, root: root, to: file("whole"))
        let summary = try packInTwoParts(packer) {
            for (name, torn) in [("parts.rec.packing", "\u{1}half a record"), ("parts.rec.packing.log", "mark 290 99")]
            {
                try Files.writeAtomically(Files.read(file(name)) + Data(torn.utf8), to: file(name))
            }
        }
        #expect(summary.continued == 192)
        try expectSameFiles("whole", "parts")
    }

    @Test func imagesThatWereLeftOutStayOut() throws {
        let gone = "\(root)/1003.png"
        Files.remove(gone)
        var packer = packer
        packer.onBadImage = .skip
        _ = try packer.pack(list, root: root, to: file("whole"))
        // The journal of a packing that ended after 128 images.
        let whole = try RecordFile(file("whole.rec"))
        let end = whole.entries[127].offset
        try Files.writeAtomically(try Files.read(file("whole.rec")).prefix(end), to: file("parts.rec.packing"))
        let hash = packer.fingerprint(list, root: root)
        let journal = "anneal-packing 1 \(hash)\nskipped 3 \(gone)\tcannot be read\nmark 128 \(end)\n"
        try Files.writeAtomically(Data(journal.utf8), to: file("parts.rec.packing.log"))
        let summary = try packer.pack(list, root: root, to: file("parts"))
        #expect(summary.continued == 128 && summary.count == 299 && summary.skipped.map(\.place) == [gone])
        try expectSameFiles("whole", "parts")
    }

    @Test func otherListsAndOptionsBeginAgain() throws {
        var other = packer
        other.centerCrop = true
        _ = try other.pack(list, root: root, to: file("whole"))
        let bad = "\(root)/1250.png", good = try Files.read(bad)
        try Files.writeAtomically(Data("broken".utf8), to: bad)
        #expect(message { _ = try packer.pack(list, root: root, to: file("parts")) }.contains("1250.png"))
        try Files.writeAtomically(good, to: bad)
        #expect(try other.pack(list, root: root, to: file("parts")).continued == 0)
        try expectSameFiles("whole", "parts")
    }

    /// Records that are not what the journal says are packed again.
    @Test func damagedRecordsBeginAgain() throws {
        _ = try packer.pack(list, root: root, to: file("whole"))
        let summary = try packInTwoParts(packer) {
            var bytes = try Files.read(file("parts.rec.packing"))
            bytes[0] ^= 1
            try Files.writeAtomically(bytes, to: file("parts.rec.packing"))
        }
        #expect(summary.continued == 0)
        try expectSameFiles("whole", "parts")
    }

    @Test func imagesAreNotOverwritten() throws {
        let image = try Files.read("\(root)/1000.png")
        try Files.writeAtomically(image, to: "\(root)/set.rec")
        let list = ImageList([.init(id: 0, labels: [0], path: "set.rec")])
        let error = message { _ = try RecordPacker().pack(list, root: root, to: "\(root)/set") }
        #expect(error.contains("set.rec: is one of the images and would be overwritten"))
        #expect(try Files.read("\(root)/set.rec") == image)
    }
}
