import AnnealCore
import AnnealData
import Foundation
import Testing

/// A record file damaged at 1,000 random places: bits flipped, blocks zeroed, pieces cut out.
@Suite struct DamagedTrainingTests {
    let folder: TemporaryFolder
    let path: String
    let whole: [UInt8]
    let offsets: [Int]
    let manifest: RecordManifest

    init() throws {
        folder = try TemporaryFolder()
        path = "\(folder.path)/a.rec"
        try writeRecords(path, count: 3000)
        whole = [UInt8](try Files.read(path))
        offsets = try RecordFile(path).entries.map(\.offset)
        manifest = try RecordManifest(RecordFile(path))
    }

    /// - Returns: the numbers of the records that are still intact, bit for bit.
    private func damage(cuts: Bool, seed: UInt64 = 8) throws -> Set<Int> {
        var bytes = whole, origin = Array(whole.indices), random = Random(seed: seed, purpose: .test)
        for round in 0..<1000 {
            let at = random.below(bytes.count)
            switch cuts ? round % 20 : 1 {
            case 0:
                let piece = at..<min(bytes.count, at + 1 + random.below(40))
                bytes.removeSubrange(piece)
                origin.removeSubrange(piece)
            case 5, 10: for i in at..<min(bytes.count, at + random.below(64)) { bytes[i] = 0 }
            default: bytes[at] ^= UInt8(1 << random.below(8))
            }
        }
        try Files.writeAtomically(Data(bytes), to: path)
        var same = Array(repeating: 0, count: offsets.count), record = 0
        for (byte, place) in zip(bytes, origin) where byte == whole[place] {
            while record + 1 < offsets.count, offsets[record + 1] <= place { record += 1 }
            same[record] += 1
        }
        let ends = offsets.dropFirst() + [whole.count]
        return Set(offsets.indices.filter { same[$0] == ends[ends.startIndex + $0] - offsets[$0] })
    }

    /// For the records that are not found to be bad: their ids, which count from 1000, and their payloads.
    private func good(_ options: RecordVerification.Options) throws -> [(number: Int, payload: [UInt8])] {
        let found = try RecordVerification(RecordSalvage(path), options), bad = Set(found.bad.map(\.number))
        #expect(!found.isWhole)
        return try (0..<found.salvage.file.count).filter { !bad.contains($0) }.map { number in
            let payload = try found.salvage.file.read(number)
            var start = 0
            return (Int(truncatingIfNeeded: try IRHeader(payload, imageStart: &start).id) - 1000, payload)
        }
    }

    /// A checksum detects every changed bit, and blames no record that was only moved.
    @Test(arguments: [false, true]) func checksumsFindEveryDamagedRecord(cuts: Bool) throws {
        let intact = try damage(cuts: cuts)
        var options = RecordVerification.Options()
        options.manifest = manifest
        options.decodes = false
        let numbers = try good(options).map { $0.number }
        #expect(intact.count > 1500 && numbers.count == Set(numbers).count)
        #expect(Set(numbers) == intact, "\(Set(numbers).symmetricDifference(intact).sorted().prefix(9))")
    }

    /// Without one, undetected damage is in headers: a label that has become another class's, an id without an index.
    @Test(arguments: [false, true]) func decodersFindEveryDamagedImage(cuts: Bool) throws {
        let original = try RecordFile(path), intact = try damage(cuts: cuts)
        let images = Set(try offsets.indices.map { try Array(original.read($0).dropFirst(24)) })
        let found = try good(.init())
        #expect(intact.subtracting(found.map { $0.number }).isEmpty)
        #expect(found.allSatisfy { images.contains(Array($0.payload.dropFirst(24))) })
    }

    /// With its old index, which is wrong by now, given or not, without an index, and as it is repaired.
    @Test(arguments: [false, true]) func isTrainedOn(cuts: Bool) throws {
        let intact = try damage(cuts: cuts), index = "\(folder.path)/a.idx"
        let verification = try RecordVerification(RecordSalvage(path), .init())
        let repair = try verification.repair(to: "\(folder.path)/good.rec", quarantine: nil)
        #expect(repair.kept == verification.salvage.file.count - verification.bad.count)
        try FileManager.default.copyItem(atPath: path, toPath: "\(folder.path)/alone.rec")
        for (name, index) in [("a", nil), ("a", index), ("alone", nil), ("good", nil)] {
            var options = LoaderOptions(dataShape: [3, 8, 8], batchSize: 64)
            options.onBadRecord = .skip
            options.numClasses = 10
            options.augmentation.randomCrop = true
            options.shuffle = true
            let opened = try RecordFile.opened("\(folder.path)/\(name).rec", index: index, onBadRecord: .skip)
            let loader = try BatchLoader(opened.file, options: options)
            let rows = try batches(loader).reduce(0) { $0 + $1.valid }
            #expect(rows == loader.count - loader.badRecords.count)
            #expect(rows <= (name == "good" ? repair.kept : 3000))
            // Keys are not ids here: with an index that was given, only the records before the first cut are left.
            if index == nil || !cuts { #expect(rows >= intact.count, "\(name): \(rows) of \(intact.count)") }
            if name == "alone" { #expect(opened.damage?.problem.contains("is damaged at ") == true) }
        }
        let refused = message { _ = try RecordFile.opened("\(folder.path)/alone.rec", onBadRecord: .abort) }
        #expect(refused.contains("alone.rec, byte "), "\(refused)")
    }

    @Test func manyWrongLabelsAreNoDamage() throws {
        var options = LoaderOptions(dataShape: [3, 8, 8], batchSize: 64)
        options.onBadRecord = .skip
        options.numClasses = 9
        let file = try RecordFile(path)
        let read = message { _ = try batches(BatchLoader(file, options: options)) }
        #expect(read.contains("record 9 (id 1009)") && read.contains("label is 9, but"), "\(read)")
        let surveyed = message { _ = try file.survey(classes: 9, like: nil, skipsBad: true) }
        #expect(surveyed.contains("label is 9, but"), "\(surveyed)")
    }
}
