import AnnealCore
import AnnealData
import Foundation
import Testing

/// A record file damaged at 1,000 random places: bits flipped, blocks zeroed, pieces cut out.
@Suite struct DamagedTrainingTests {
    private func damaged(_ whole: [UInt8], rounds: Int, cuts: Bool) -> (bytes: [UInt8], places: Set<Int>) {
        var bytes = whole, places = Set<Int>()
        var random = Random(seed: 8, purpose: .test)
        for round in 0..<rounds {
            let at = random.below(bytes.count)
            switch cuts ? round % 20 : 1 {
            case 0: bytes.removeSubrange(at..<min(bytes.count, at + 1 + random.below(40)))
            case 5, 10: for i in at..<min(bytes.count, at + random.below(64)) { bytes[i] = 0 }
            default:
                bytes[at] ^= UInt8(1 << random.below(8))
                places.insert(at)
            }
        }
        return (bytes, places)
    }

    /// With its old index, which points astray by now, with a new one, and without: what cannot be used is skipped, all the
    /// rest is delivered.
    @Test func isTrainedOnWithoutACrash() throws {
        let folder = try TemporaryFolder(), path = "\(folder.path)/a.rec"
        try writeRecords(path, count: 3000)
        let bad = damaged([UInt8](try Files.read(path)), rounds: 1000, cuts: true).bytes
        try Files.writeAtomically(Data(bad), to: path)
        let salvage = try RecordSalvage(path)
        #expect(salvage.file.count > 1500 && !salvage.damages.isEmpty)
        let verification = try RecordVerification(salvage, .init())
        let repair = try verification.repair(to: "\(folder.path)/good.rec", quarantine: nil)
        #expect(repair.kept == salvage.file.count - verification.bad.count)
        for (file, index) in [(path, "\(folder.path)/a.idx"), ("\(folder.path)/good.rec", nil)] {
            var options = LoaderOptions(dataShape: [3, 8, 8], batchSize: 64)
            options.onBadRecord = .skip
            options.augmentation.randomCrop = true
            options.shuffle = true
            // An index that no longer belongs to the file is refused, by name; the repaired file needs no such care.
            do {
                let loader = try BatchLoader(RecordFile(file, index: index), options: options)
                let rows = try batches(loader).reduce(0) { $0 + $1.valid }
                #expect(rows > 0 && rows == loader.count - loader.badRecords.count)
                if index == nil { #expect(rows == repair.kept) }
            } catch let error as AnnealError {
                #expect(index != nil && error.place.contains("a.idx"), "\(error)")
            }
        }
    }

    /// Bits alone: the index still fits. Every record with a flipped bit is found by the manifest, and training goes on.
    @Test func everyDamagedRecordIsFound() throws {
        let folder = try TemporaryFolder(), path = "\(folder.path)/a.rec"
        try writeRecords(path, count: 3000)
        let offsets = try RecordFile(path).entries.map(\.offset), manifest = try RecordManifest(RecordFile(path))
        let (bad, places) = damaged([UInt8](try Files.read(path)), rounds: 1000, cuts: false)
        try Files.writeAtomically(Data(bad), to: path)
        var options = RecordVerification.Options()
        options.manifest = manifest
        let found = try RecordVerification(RecordSalvage(path), options)
        let blamed = Set(found.bad.map(\.offset) + found.missing.map(\.offset))
        let hit = Set(places.compactMap { place in offsets.last { $0 <= place } })
        // The padding after a payload is in no hash, but must be zeros.
        #expect(blamed == hit, "\(hit.subtracting(blamed).count) not found, \(blamed.subtracting(hit).count) too many")

        var loading = LoaderOptions(dataShape: [3, 8, 8], batchSize: 64)
        loading.onBadRecord = .skip
        if let file = try? RecordFile(path, index: "\(folder.path)/a.idx") {
            let loader = try BatchLoader(file, options: loading)
            let rows = try batches(loader).reduce(0) { $0 + $1.valid }
            #expect(rows == 3000 - loader.badRecords.count && rows > 2000)
        }
    }
}
