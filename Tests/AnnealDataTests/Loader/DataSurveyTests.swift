import AnnealCore
import AnnealData
import Foundation
import Testing

@Suite struct DataSurveyTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    /// Records of 40 bytes; one of them has something odd.
    private func records(_ name: String, count: Int = 2000, label: Float = 0, pixel: UInt8 = 1, size: Int = 1) throws
        -> DataFingerprint
    {
        let path = "\(folder.path)/\(name).rec"
        let writer = try RecordWriter(path, index: nil)
        for id in 0..<count {
            let isOdd = id == 3
            try writer.write(
                IRHeader(label: isOdd ? label : 0, id: UInt64(id))
                    .packed([UInt8](repeating: 1, count: 39) + [UInt8](repeating: pixel, count: isOdd ? size : 1)))
        }
        try writer.finish()
        return try #require(try RecordFile(path).survey(classes: 2, like: nil))
    }

    @Test func recordsThatChangedAreToldByWhat() throws {
        let before = try records("a")
        #expect(try records("b").difference(from: before) == nil, "the name does not count")
        #expect(try records("c", count: 1999).difference(from: before) == "it had 2000 records, now it has 1999")
        #expect(try records("d", size: 9).difference(from: before) == "it had 144000 bytes, now it has 144008")
        #expect(try records("e", label: 1).difference(from: before) == "labels or ids have changed")
        #expect(try records("f", pixel: 2).difference(from: before) == "some images have changed")
    }

    /// An earlier fingerprint that covers fewer headers is compared on those only.
    @Test func asManyHeadersAsBefore() throws {
        let path = "\(folder.path)/many.rec", image: [UInt8] = [1]
        let writer = try RecordWriter(path, index: nil)
        for id in 0..<(130 * 1024) { try writer.write(IRHeader(label: 0, id: UInt64(id)).packed(image)) }
        try writer.finish()
        let file = try RecordFile(path)
        let whole = try #require(try file.survey(classes: 1, like: nil))
        #expect(whole.parts["headers"]?.count == 130 * 1024)
        var part = whole
        part.parts["headers"]?.count = 1
        let again = try #require(try file.survey(classes: 1, like: part))
        #expect(again.parts["headers"]?.count == 128 * 1024)
        #expect(try file.survey(classes: 1, like: again) == again)
    }

    @Test(arguments: [0, 1]) func aRecordWithoutAnImageIsNamed(labels: Int) throws {
        let path = "\(folder.path)/empty.rec"
        let writer = try RecordWriter(path, index: nil)
        for id in 0..<9 {
            let header =
                labels == 0
                ? IRHeader(label: 0, id: UInt64(id))
                : IRHeader(labels: Array(repeating: 0, count: labels), id: UInt64(id))
            try writer.write(header.packed(id == 5 ? [] : [1]))
        }
        try writer.finish()
        let file = try RecordFile(path), text = message { _ = try file.survey(classes: 1, like: nil) }
        #expect(
            text.contains("empty.rec, record 5 (id 5), byte") && text.contains("has a label but no image"), "\(text)")
        #expect(try file.survey(classes: 1, like: nil, skipsBad: true)?.count == 9)
    }

    @Test func foldersThatChangedAreToldByClass() throws {
        let root = "\(folder.path)/images"
        func write(_ name: String, _ size: Int) throws {
            try Files.makeFolder(Files.folder(of: "\(root)/\(name)"))
            try Data(count: size).write(to: URL(fileURLWithPath: "\(root)/\(name)"))
        }
        func survey(_ root: String) throws -> DataFingerprint {
            try #require(try ImageFiles(classFolders: root).survey(classes: 3, like: nil))
        }
        for name in ["cat/1.png", "cat/2.png", "dog/1.png"] { try write(name, 10) }
        let before = try survey(root)
        #expect(before.count == 3 && before.bytes == 30)
        try write("cat/3.png", 1)
        #expect(try survey(root).difference(from: before) == "class cat had 2 images, now it has 3")
        try FileManager.default.removeItem(atPath: "\(root)/cat/2.png")
        #expect(try survey(root).difference(from: before) == "class cat has files with different names or sizes")
        try FileManager.default.removeItem(atPath: "\(root)/cat/3.png")
        try write("cat/2.png", 10)
        #expect(try survey(root) == before)
        try FileManager.default.moveItem(atPath: root, toPath: "\(folder.path)/moved")
        #expect(try survey("\(folder.path)/moved") == before)
        try write("cow/1.png", 1)
        #expect(try survey(root).difference(from: before)?.contains("class cow is new") == true)
    }
}
