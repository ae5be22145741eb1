import AnnealCore
import AnnealData
import Foundation
import Testing

/// Reading past damage: every byte of a file belongs to an intact record or to a damaged piece.
@Suite struct RecordSalvageTests {
    let folder: TemporaryFolder
    let path: String
    let bytes: [UInt8]
    let offsets: [Int]

    init() throws {
        folder = try TemporaryFolder()
        path = "\(folder.path)/a.rec"
        try writeRecords(path, count: 8)
        bytes = [UInt8](try Files.read(path))
        offsets = try RecordFile(path).entries.map(\.offset)
        Files.remove("\(folder.path)/a.idx")
    }

    private func salvage(_ bytes: [UInt8]) throws -> RecordSalvage {
        try RecordSalvage(try folder.file("b.rec", bytes))
    }

    private func starts(_ salvage: RecordSalvage) -> [Int] { salvage.file.entries.map(\.offset) }

    @Test func wholeFiles() throws {
        let found = try RecordSalvage(path)
        #expect(starts(found) == offsets && found.damages.isEmpty && found.indexProblems.isEmpty)
        #expect(try salvage([]).file.count == 0)
    }

    @Test func magicThatIsGone() throws {
        var bad = bytes
        bad[offsets[3]] ^= 0x10
        let found = try salvage(bad)
        #expect(starts(found) == offsets.filter { $0 != offsets[3] })
        #expect(found.damages.map(\.bytes) == [offsets[3]..<offsets[4]])
    }

    /// A length that reaches into the next record, one that ends before the record does, and one beyond the file.
    @Test(arguments: [1 << 8, -(1 << 3), 1 << 27]) func lengthsThatAreWrong(change: Int) throws {
        var bad = bytes
        let place = offsets[2] + 4
        let word = bad[place..<(place + 4)].reversed().reduce(0) { $0 << 8 | Int($1) } + change
        for i in 0..<4 { bad[place + i] = UInt8(truncatingIfNeeded: word >> (8 * i)) }
        let found = try salvage(bad)
        #expect(starts(found).filter { $0 != offsets[2] } == offsets.filter { $0 != offsets[2] })
        #expect(found.damages.count == 1)
        // A record that is too short is followed by bytes of no record; its padding or its image shows the rest.
        if change > 0 { #expect(found.damages[0].bytes == offsets[2]..<offsets[3]) }
    }

    @Test func partsThatAreMissing() throws {
        // A record in three parts, the magic twice in its payload.
        let magic: [UInt8] = [0x0A, 0x23, 0xD7, 0xCE]
        let writer = try RecordWriter("\(folder.path)/c.rec", index: nil)
        try writer.write(magic + [1, 2, 3, 4] + magic + [5])
        try writer.write([9, 9, 9, 9])
        try writer.finish()
        let whole = [UInt8](try Files.read("\(folder.path)/c.rec"))
        #expect(starts(try salvage(whole)).count == 2)
        // Without its middle part: 8 bytes of header of the empty first one, then the middle's 8 + 4.
        let cut = Array(whole[..<8] + whole[20...])
        #expect(try salvage(cut).file.count == 2)
        // Without its last part (8 + 4 bytes).
        let headless = Array(whole[..<20] + whole[32...])
        let found = try salvage(headless)
        #expect(found.file.count == 1 && found.damages.map(\.bytes) == [0..<20])
        #expect(try found.file.read(0) == [9, 9, 9, 9])
    }

    @Test func truncatedTails() throws {
        for cut in [bytes.count - 1, offsets[7] + 20, offsets[7] + 6, offsets[7] + 2] {
            let found = try salvage(Array(bytes[..<cut]))
            #expect(starts(found) == Array(offsets[..<7]), "cut at \(cut)")
            #expect(found.damages.map(\.bytes) == [offsets[7]..<cut] && found.damages[0].isTruncation)
        }
        #expect(starts(try salvage(bytes + [1, 2, 3])) == offsets)
    }

    /// Whatever is done to the bytes: no crash, and each byte is counted exactly once.
    @Test func everyByteIsAccountedFor() throws {
        var random = Random(seed: 5, purpose: .test)
        for _ in 0..<300 {
            var bad = bytes
            switch random.below(4) {
            case 0: for _ in 0...random.below(4) { bad[random.below(bad.count)] ^= UInt8(1 << random.below(8)) }
            case 1:
                let start = random.below(bad.count)
                for i in start..<min(bad.count, start + 64) { bad[i] = 0 }
            case 2: bad.removeLast(random.below(bad.count))
            default:
                let start = random.below(bad.count)
                bad.removeSubrange(start..<min(bad.count, start + random.below(200)))
            }
            let found = try salvage(bad)
            var covered = found.damages.map(\.bytes)
            for number in 0..<found.file.count {
                let start = found.file.entries[number].offset
                let length = try found.file.parts(of: number).reduce(0) { $0 + 8 + ($1.length + 3) / 4 * 4 }
                covered.append(start..<(start + length))
            }
            covered.sort { $0.lowerBound < $1.lowerBound }
            var at = 0
            for range in covered {
                #expect(range.lowerBound == at, "\(covered) of \(bad.count)")
                at = range.upperBound
            }
            #expect(at == bad.count, "\(covered) of \(bad.count)")
        }
    }

    /// Three bytes are missing from a record; those after it no longer begin at multiples of 4.
    @Test func bytesThatAreMissing() throws {
        let found = try salvage(Array(bytes[..<(offsets[2] + 50)] + bytes[(offsets[2] + 53)...]))
        #expect(starts(found) == offsets[..<2] + offsets[3...].map { $0 - 3 })
        #expect(found.damages.map(\.bytes) == [offsets[2]..<(offsets[3] - 3)])
        let whole = try RecordFile(path)
        #expect(try found.file.read(6) == whole.read(7))
    }

    /// The magic number at a position that is not a multiple of 4 is part of the payload.
    @Test func theMagicByChance() throws {
        let writer = try RecordWriter("\(folder.path)/c.rec", index: nil)
        try writer.write([1, 0x0A, 0x23, 0xD7, 0xCE, 9, 9, 9, 9, 9, 9, 9])
        try writer.write([2, 2, 2, 2])
        try writer.finish()
        let found = try RecordSalvage("\(folder.path)/c.rec")
        #expect(found.file.count == 2 && found.damages.isEmpty)
    }

    @Test func indexesAreCompared() throws {
        try Files.writeAtomically(Data("5\t0\n9\t\(offsets[1] + 4)\n".utf8), to: "\(folder.path)/a.idx")
        let problems = try RecordSalvage(path).indexProblems.map { "\($0)" }
        #expect(problems.count == 2)
        #expect(problems[0].contains("1 key of it points to no whole record; the first is 9"))
        #expect(problems[1].contains("7 records") && problems[1].contains("byte \(offsets[1])"))
    }
}
