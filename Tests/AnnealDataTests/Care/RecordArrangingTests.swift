import AnnealCore
import AnnealData
import Foundation
import Testing

@Suite struct RecordArrangingTests {
    let folder: TemporaryFolder
    let a: RecordFile
    let b: RecordFile

    init() throws {
        folder = try TemporaryFolder()
        try writeRecords("\(folder.path)/a.rec", count: 30)
        try writeRecords("\(folder.path)/b.rec", count: 10)
        (a, b) = (try RecordFile("\(folder.path)/a.rec"), try RecordFile("\(folder.path)/b.rec"))
    }

    @Test func joinedInOrder() throws {
        let arranging = RecordArranging([a, b]), out = "\(folder.path)/c.rec"
        #expect(message { try arranging.write(arranging.all, to: out, renumbers: false) }.contains("has the key 0"))
        #expect(!Files.exists(out))
        try arranging.write(arranging.all, to: out, renumbers: true)
        let joined = try RecordFile(out)
        #expect(joined.count == 40 && joined.entries.map(\.key) == Array(0..<40))
        // Only the id differs.
        let last = try joined.read(39), old = try b.read(9)
        #expect(Array(last[..<8]) == Array(old[..<8]) && last[8] == 39 && Array(last[16...]) == Array(old[16...]))
        #expect(
            message { try arranging.write(arranging.all, to: a.path, renumbers: true) }.contains("at the same time"))
    }

    @Test func duplicatesAreLeftOut() throws {
        // The first ten of both are the same images.
        let arranging = RecordArranging([a, b])
        #expect(try arranging.withoutDuplicates(arranging.all) == RecordArranging([a]).all)
        let statistics = try DataStatistics(a), shared = try statistics.shared(with: DataStatistics(b))
        #expect(shared.map(\.here) == Array(0..<10) && shared.map(\.there) == Array(0..<10))
    }

    @Test func sharesOfEachClass() throws {
        let arranging = RecordArranging([a])
        let parts = try arranging.parts(arranging.all, shares: [2.0 / 3, 1.0 / 3], byClass: true)
        #expect(parts.map(\.count) == [20, 10])
        // Three images per class: two and one.
        for label in 0..<10 { #expect(parts[0].count { $0.number % 10 == label } == 2) }
        let plain = try arranging.parts(arranging.all, shares: [0.5, 0.25], byClass: false)
        #expect(plain.map { $0.map(\.number) } == [Array(0..<15), Array(15..<23)])
        let thirds = try arranging.parts(arranging.all, shares: Array(repeating: 1.0 / 7, count: 7), byClass: false)
        #expect(thirds.map(\.count).reduce(0, +) == 30)
        #expect(arranging.shuffled(arranging.all, seed: 1) == arranging.shuffled(arranging.all, seed: 1))
        #expect(arranging.shuffled(arranging.all, seed: 1) != arranging.shuffled(arranging.all, seed: 2))
    }

    @Test func indexes() throws {
        let path = "\(folder.path)/d.idx"
        try a.writeIndex(to: path)
        #expect(try Files.readText(path) == Files.readText("\(folder.path)/a.idx"))
        try a.writeIndex(to: path, keys: .id)
        #expect(try RecordFile(a.path, index: path).entries.map(\.key) == (0..<30).map { 1000 + $0 })
    }

    @Test func statistics() throws {
        let writer = try RecordWriter("\(folder.path)/s.rec", index: nil)
        var gray = Image(width: 2, height: 1, channels: 3, filledWith: 10)
        try writer.write(IRHeader(label: 1, id: 0).packed(try gray.encoded(as: .png(level: 1))))
        gray.pixels = [10, 10, 10, 30, 50, 70]
        try writer.write(IRHeader(label: 1, id: 1).packed(try gray.encoded(as: .png(level: 1))))
        try writer.write(IRHeader(label: 2, id: 2).packed(try gray.encoded(as: .png(level: 1))))
        try writer.write(IRHeader(label: 2, id: 3).packed([1, 2, 3]))
        try writer.finish()
        let found = try DataStatistics(RecordFile("\(folder.path)/s.rec"))
        #expect(found.labels == [1: 2, 2: 1] && found.bad.map(\.number) == [3] && found.constant == [0])
        #expect(found.duplicates.map(\.numbers) == [[1, 2]] && found.duplicates[0].labelsDiffer)
        // Levels of red: 10, 10, 10, 30, 10, 30; the mean is 100 / 6.
        #expect(abs(found.colours.mean[0] - 16.667) < 0.001 && abs(found.colours.deviation[0] - 9.428) < 0.001)
        #expect(found.sizes == [.init(width: 2, height: 1): 3])
    }

    @Test func exportedImagesPackAgain() throws {
        var export = ImageExport()
        export.classNames = (0..<9).map { "class/\($0)" }
        let list = "\(folder.path)/e.lst"
        #expect(try export.write(a, to: "\(folder.path)/e", list: list) == 30)
        #expect(Files.exists("\(folder.path)/e/class/4/0001014.png") && Files.exists("\(folder.path)/e/9/0001019.png"))
        var packer = RecordPacker()
        packer.passThrough = true
        _ = try packer.pack(ImageList(file: list), root: "\(folder.path)/e", to: "\(folder.path)/again")
        #expect(try Files.read("\(folder.path)/again.rec") == Files.read(a.path))
        #expect(message { _ = try export.write(a, to: "\(folder.path)/e") }.contains("already exists"))
    }
}
