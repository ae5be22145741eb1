import AnnealCore
import AnnealData
import Foundation
import Testing

@Suite struct RecordFileTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    static let magic: [UInt8] = [0x0A, 0x23, 0xD7, 0xCE]

    /// "abc" whole; then a payload "x...magic...y" in two parts.
    static let twoRecords: [UInt8] =
        magic + [3, 0, 0, 0] + [97, 98, 99, 0]
        + magic + [4, 0, 0, 0x20] + [1, 2, 3, 4]
        + magic + [1, 0, 0, 0x60] + [9, 0, 0, 0]

    @Test func readsHandMadeBytes() throws {
        let file = try RecordFile(try folder.file("a.rec", Self.twoRecords))
        #expect(file.entries.map(\.offset) == [0, 12])
        #expect(try file.read(0) == [97, 98, 99])
        #expect(try file.read(1) == [1, 2, 3, 4] + Self.magic + [9])
        #expect(try file.parts(of: 1) == [RecordPart(flag: 1, length: 4), RecordPart(flag: 3, length: 1)])
    }

    @Test func writesTheSameBytes() throws {
        let path = "\(folder.path)/b.rec"
        let writer = try RecordWriter(path, index: "\(folder.path)/b.idx")
        try writer.write([97, 98, 99], key: 7)
        try writer.write([1, 2, 3, 4] + Self.magic + [9], key: 5)
        #expect(!Files.exists(path))
        try writer.finish()
        #expect([UInt8](try Files.read(path)) == Self.twoRecords)
        #expect(String(decoding: try Files.read("\(folder.path)/b.idx"), as: UTF8.self) == "7\t0\n5\t12\n")
        #expect(try RecordFile(path, index: "\(folder.path)/b.idx").entries.map(\.key) == [7, 5])
    }

    @Test func anUnfinishedWriterLeavesNothing() throws {
        do {
            let writer = try RecordWriter("\(folder.path)/c.rec", index: nil)
            try writer.write([1])
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test func withoutAnIndexThereAreNoRecords() throws {
        let path = "\(folder.path)/f.rec", index = "\(folder.path)/f.idx"
        try Files.makeFolder("\(index)/in the way")
        do {
            let writer = try RecordWriter(path, index: index)
            try writer.write([1])
            #expect(message { try writer.finish() }.contains(index))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["f.idx"])
    }

    @Test func payloadsOfManySizesWithTheMagicComeBack() throws {
        let payloads: [[UInt8]] =
            (0..<40).map { size in (0..<size).map { UInt8($0) } }
            + (0..<9).map {
                [UInt8](repeating: 1, count: $0) + Self.magic + Self.magic + [UInt8](repeating: 2, count: 8 - $0)
            }
        let path = "\(folder.path)/d.rec"
        let writer = try RecordWriter(path, index: nil)
        for payload in payloads { try writer.write(payload) }
        try writer.finish()
        let file = try RecordFile(path)
        #expect(file.count == payloads.count)
        for (number, payload) in payloads.enumerated() { #expect(try file.read(number) == payload) }
    }

    @Test func anEmptyFileHasNoRecords() throws {
        #expect(try RecordFile(try folder.file("e.rec")).count == 0)
    }

    @Test func errorsNameTheFileAndTheByte() throws {
        func open(_ bytes: [UInt8]) -> String {
            message { _ = try RecordFile(try folder.file("x.rec", bytes)) }
        }
        #expect(message { _ = try RecordFile("\(folder.path)/none.rec") }.contains("none.rec: No such file"))
        #expect(message { _ = try RecordFile(folder.path) }.contains("not a regular file"))
        #expect(mkfifo("\(folder.path)/pipe.rec", 0o600) == 0)
        #expect(message { _ = try RecordFile("\(folder.path)/pipe.rec") }.contains("pipe.rec: is a pipe"))
        #expect(message { _ = try RecordFile("/dev/zero") }.contains("/dev/zero: is a device"))
        #expect(open(Array("not records at all".utf8)).contains("x.rec, byte 0: no record starts here"))
        #expect(open(Array(Self.twoRecords.dropLast(30))).contains("x.rec, byte 0: truncated"))
        #expect(open(Array(Self.twoRecords.dropLast(14))).contains("x.rec, byte 12: truncated"))
        #expect(open(Array(Self.twoRecords.prefix(24))).contains("x.rec, byte 24: truncated: the last part"))
        #expect(open(Array(Self.twoRecords.dropFirst(24))).contains("x.rec, byte 0: a part with flag 3"))
        #expect(open(Self.magic + [0xFF, 0xFF, 0xFF, 0x1F]).contains("536870911 bytes"))
        #expect(
            open(Array(Self.twoRecords.prefix(12)) + [1, 2, 3, 4, 5, 6, 7, 8]).contains("x.rec, byte 12: no record"))
    }

    @Test func aForeignIndexIsRefused() throws {
        let path = try folder.file("a.rec", Self.twoRecords)
        func open(_ index: String) -> String {
            message {
                let file = try RecordFile(path, index: try folder.file("a.idx", Array(index.utf8)))
                for number in 0..<file.count { _ = try file.read(number) }
            }
        }
        #expect(open("0\t0\n1\t4096\n").contains("a.idx, line 2: key 1 has offset 4096"))
        #expect(open("0\t0\n1\t-4\n").contains("key 1 has offset -4"))
        #expect(open("0\t0\n1\t3\n").contains("key 1 has offset 3"))
        #expect(open("0\t0\n1\t8\n").contains("byte 8: no record starts here"))
        #expect(open("0\t0\n1\t8\n2\t12\n").contains("key 1 of"))
        #expect(open("0\t0\n1\t0\n").contains("a.idx, line 2: key 1 has offset 0, not above that of key 0"))
        #expect(open("0\t12\n\n1\t0\n").contains("a.idx, line 3: key 1 has offset 0, not above"))
        #expect(open("").contains("a.idx: is empty"))
        #expect(open("0\t0\n1\t99999999999999999999\n").contains("a.idx, line 2: expected a key and an offset"))
        #expect(open("0\t0\none\t12\n").contains("a.idx, line 2"))
        #expect(open("0\t0\n0\t12\n").contains("key 0 occurs twice"))
        #expect(message { _ = try RecordFile(path, index: "\(folder.path)/none.idx") }.contains("none.idx"))
    }

    /// Without `index` the one next to the file is used, unless it omits records or belongs to another file.
    @Test func theIndexNextToTheFileIsUsed() throws {
        let path = try folder.file("a.rec", Self.twoRecords)
        func open(_ index: String) throws -> RecordFile {
            _ = try folder.file("a.idx", Array(index.utf8))
            return try RecordFile(path)
        }
        let whole = try open("7\t0\n5\t12\n")
        #expect(whole.entries.map(\.key) == [7, 5] && whole.ignoredIndex == nil)
        for (index, reason) in [
            ("", "is empty"), ("0\t0\n", "leaves out the records from byte 12 to 36"),
            ("0\t12\n", "leaves out the records from byte 0 to 12"), ("0\t0\n1\t8\n2\t12\n", "byte 8: no record"),
            ("0\t0\n1\t400\n", "a.idx, line 2"), ("nonsense", "a.idx, line 1"),
        ] {
            let scanned = try open(index)
            #expect(scanned.entries.map(\.offset) == [0, 12] && scanned.indexPath == nil)
            #expect(scanned.ignoredIndex.map { "\($0)" }?.contains(reason) == true, "\(index)")
        }
        // If given, it may omit records.
        let half = try RecordFile(path, index: try folder.file("half.idx", Array("1\t12\n".utf8)))
        #expect(try half.count == 1 && half.read(0) == [1, 2, 3, 4] + Self.magic + [9])
    }

    /// More records than the index is sampled at: omissions between the samples are found when the headers are read.
    @Test func aGapInTheIndexNextToTheFileIsFound() throws {
        let path = "\(folder.path)/g.rec", index = "\(folder.path)/g.idx"
        let writer = try RecordWriter(path, index: index)
        for i in 0..<1000 { try writer.write(IRHeader(label: 0, id: UInt64(i)).packed([1])) }
        try writer.finish()
        #expect(try RecordFile(path).survey(classes: 1, like: nil)?.parts["headers"]?.count == 1000)
        let lines = String(decoding: try Files.read(index), as: UTF8.self).split(separator: "\n")
        let gap = (lines[..<503] + lines[504...]).joined(separator: "\n")
        _ = try folder.file("g.idx", Array(gap.utf8))
        let text = message { _ = try RecordFile(path).survey(classes: 1, like: nil) }
        #expect(text.contains("g.idx: leaves out the records from byte 18108 to 18144"), "\(text)")
        #expect(try RecordFile(path, index: index).survey(classes: 1, like: nil)?.count == 999)
    }

    @Test func scanningFindsRecordsOfAllSizes() throws {
        let sizes = [5, 100_000, 3, 20_000, 1, 1, 1, 70_000, 16_384, 2, 4000, 4, 9000, 0]
        let path = "\(folder.path)/sizes.rec"
        let writer = try RecordWriter(path, index: nil)
        for size in sizes { try writer.write([UInt8](repeating: 7, count: size)) }
        try writer.finish()
        let file = try RecordFile(path)
        #expect(try (0..<file.count).map { try file.read($0).count } == sizes)
    }

    @Test func aFileThatShrinksIsAnError() throws {
        let path = try folder.file("s.rec", Self.twoRecords)
        let file = try RecordFile(path)
        #expect(truncate(path, 20) == 0)
        #expect(try file.read(0) == [97, 98, 99])
        #expect(message { _ = try file.read(1) }.contains("became shorter"))
    }

    @Test func damagedFilesNeverCrash() throws {
        var random = Random(seed: 1, purpose: .test)
        for round in 0..<300 {
            var bytes = Self.twoRecords
            for _ in 0...random.below(3) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            let path = try folder.file("m.rec", Array(bytes.prefix(1 + random.below(bytes.count))))
            let index = round % 2 == 0 ? nil : try folder.file("m.idx", Array("0\t0\n1\t12\n".utf8))
            do {
                let file = try RecordFile(path, index: index)
                for number in 0..<file.count { _ = try file.read(number) }
            } catch is AnnealError {}
        }
    }
}
