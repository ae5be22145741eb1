import AnnealCore
import AnnealData
import Foundation
import Testing

@Suite struct RecordVerificationTests {
    let folder: TemporaryFolder
    let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = "\(folder.path)/a.rec"
        try writeRecords(path, count: 20)
    }

    private func verify(
        _ path: String, _ change: (inout RecordVerification.Options) -> Void = { _ in }
    ) throws -> RecordVerification {
        var options = RecordVerification.Options()
        change(&options)
        return try RecordVerification(RecordSalvage(path), options)
    }

    private func changed(_ name: String, _ change: (inout [UInt8]) -> Void) throws -> String {
        var bytes = [UInt8](try Files.read(path))
        change(&bytes)
        return try folder.file(name, bytes)
    }

    @Test func nothingIsWrong() throws {
        #expect(try verify(path).isWhole)
        #expect(try verify(path) { $0.classes = 10 }.isWhole)
        #expect(try verify(path) { $0.classes = 9 }.bad.map(\.number) == [9, 19])
    }

    @Test func damageThatImagesAndHeadersShow() throws {
        let offsets = try RecordFile(path).entries.map(\.offset)
        let image = try changed("image.rec") { $0[offsets[4] + 8 + 24 + 60] ^= 4 }
        #expect(try verify(image).bad.map(\.number) == [4])
        #expect(try verify(image) { $0.decodes = false }.isWhole)
        // The label's highest byte makes it negative.
        let label = try changed("label.rec") { $0[offsets[5] + 8 + 7] |= 0x80 }
        #expect(try verify(label).bad.map(\.number) == [5])
        let flag = try changed("flag.rec") { $0[offsets[6] + 8 + 2] = 9 }
        #expect(try verify(flag).bad.first?.reason.problem.contains("announces") == true)
    }

    /// A manifest detects every changed bit.
    @Test func everyBit() throws {
        let manifest = "\(path).sha256"
        try RecordManifest(RecordFile(path)).write(to: manifest)
        let read = try RecordManifest(file: manifest)
        let again = try RecordManifest(RecordFile(path))
        #expect(read.lines.count == 20 && read == again)
        #expect(read.lines[3].sha256 == SHA256.digits(of: try RecordFile(path).read(3)))
        let offsets = try RecordFile(path).entries.map(\.offset), size = try Files.read(path).count
        var random = Random(seed: 2, purpose: .test)
        for _ in 0..<60 {
            let place = random.below(size)
            let number = (offsets.lastIndex { $0 <= place }) ?? 0
            let bad = try changed("bit.rec") { $0[place] ^= UInt8(1 << random.below(8)) }
            let found = try verify(bad) {
                $0.manifest = read
                $0.decodes = false
            }
            #expect(!found.isWhole, "a bit of byte \(place)")
            // Only its record is blamed, however the bytes after it are read.
            let blamed = found.bad.map(\.offset) + found.missing.map(\.offset)
            #expect(Set(blamed) == [offsets[number]], "byte \(place): \(blamed)")
        }
        #expect(message { _ = try RecordManifest(file: path) }.contains("is not a manifest"))
    }

    @Test func repairKeepsTheGoodOnes() throws {
        let offsets = try RecordFile(path).entries.map(\.offset), whole = try RecordFile(path)
        try Files.writeAtomically(try Files.read("\(folder.path)/a.idx"), to: "\(folder.path)/b.idx")
        let bad = try changed("b.rec") {
            $0[offsets[4] + 8 + 24 + 60] ^= 4
            $0[offsets[7]] = 0
            $0.removeLast(5)
        }
        let found = try verify(bad), out = "\(folder.path)/good.rec", quarantine = "\(folder.path)/q.rec"
        let repair = try found.repair(to: out, quarantine: quarantine)
        #expect(repair.kept == 17 && repair.quarantined == 3)
        let good = try RecordFile(out)
        #expect(good.indexPath != nil && good.count == 17)
        let kept = (0..<20).filter { ![4, 7, 19].contains($0) }
        for (number, old) in kept.enumerated() { #expect(try good.read(number) == whole.read(old)) }
        let text = try Files.readText("\(quarantine).txt")
        #expect(text.split(separator: "\n").count == 4 && text.contains("0\t\(offsets[4])\t"))
        #expect(try RecordFile(quarantine).count == 3)
        #expect(
            message { _ = try found.repair(to: bad, quarantine: nil) }.contains("read and written at the same time"))
    }
}
