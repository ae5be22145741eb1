import AnnealCore
import AnnealData
import Foundation
import Testing

/// What is read and cached, without changing any pixel.
@Suite struct FeedingTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func options(_ change: (inout LoaderOptions) -> Void = { _ in }) -> LoaderOptions {
        var options = LoaderOptions(dataShape: [3, 8, 8], batchSize: 5)
        options.augmentation.resize = 9
        options.augmentation.randomCrop = true
        options.augmentation.randomMirror = true
        options.shuffle = true
        options.threads = 2
        change(&options)
        return options
    }

    /// Images of 12 x 10 are kept as 10 x 9: 270 bytes, and 160 for the rest.
    @Test(arguments: [(0, 0), (430, 1), (430 * 7 + 429, 7), (1 << 20, 23)])
    func keptImagesGiveTheSameBatches(bytes: Int, kept: Int) throws {
        let path = "\(folder.path)/a.rec"
        try writeRecords(path, count: 23)
        let plain = try BatchLoader(RecordFile(path), options: options())
        let keeping = try BatchLoader(RecordFile(path), options: options { $0.cachedBytes = bytes })
        for epoch in 0..<3 { #expect(try batches(keeping, epoch: epoch) == batches(plain, epoch: epoch)) }
        #expect(keeping.kept.images == kept && keeping.kept.bytes == kept * 430)
    }

    /// A source whose samples depend on the epoch is read in each.
    @Test func sourcesThatChangeAreNotKept() throws {
        struct Changing: SampleSource {
            let path = "changing"
            let count = 4
            let turnsUpright = false
            func readSample(_ number: Int, epoch: Int, into payload: inout [UInt8]) throws -> SampleHeader {
                payload = try Image(width: 8, height: 8, channels: 3, filledWith: UInt8(epoch)).encoded(
                    as: .png(level: 1))
                return SampleHeader(id: 0, labels: [0])
            }
            func classLabel(of number: Int) -> Float { 0 }
            func place(of number: Int, id: UInt64?) -> String { "\(number)" }
            func offset(of number: Int) -> Int { 0 }
        }
        let loader = try BatchLoader(
            Changing(),
            options: options {
                $0.cachedBytes = 1 << 20
                $0.augmentation.resize = 0
            })
        for epoch in 0..<2 { #expect(try batches(loader, epoch: epoch)[0].data[0] == Float(epoch)) }
        #expect(loader.kept.images == 0)
    }

    @Test func readingAheadChangesNothing() throws {
        let path = "\(folder.path)/a.rec"
        try writeRecords(path, count: 23)
        let plain = try batches(BatchLoader(RecordFile(path), options: options()))
        #expect(try batches(BatchLoader(RecordFile(path), options: options { $0.readsAhead = true })) == plain)
    }

    /// Bytes that this process has requested from the system.
    private func bytesRead() throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/io", encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("rchar: ") })
        return try #require(Int(line.dropFirst("rchar: ".count)))
    }

    /// 80 MB of records whose index has their positions.
    @Test func aLargeFileIsNotReadBeforeTheFirstBatch() throws {
        let path = "\(folder.path)/large.rec"
        let image = try pattern(40, 30).encoded(as: .jpeg(quality: 90))
        let payload = image + [UInt8](repeating: 7, count: 20_000 - image.count)
        let writer = try RecordWriter(path, index: "\(folder.path)/large.idx")
        for id in 0..<4000 { try writer.write(IRHeader(label: Float(id % 3), id: UInt64(id)).packed(payload), key: id) }
        try writer.finish()
        let before = try bytesRead()
        let file = try RecordFile(path)
        let survey = ImageSurvey.headers(of: file, limit: 32)
        let fingerprint = try #require(try file.survey(classes: 3, like: nil))
        let loader = try BatchLoader(file, options: options())
        let read = try bytesRead() - before
        #expect(file.isLarge && loader.count == 4000 && survey.bad.isEmpty && survey.sizeRange == "40x30")
        #expect(read < 600_000, "\(read) bytes")
        #expect(fingerprint.parts["headers"]?.count == 32)
        // The same again, and by an earlier version's full one.
        #expect(try file.survey(classes: 3, like: fingerprint) == fingerprint)
        var full = fingerprint
        full.parts["headers"]?.count = 4000
        full.parts["samples"]?.count = 1000
        let again = try #require(try file.survey(classes: 3, like: full))
        #expect(again.parts["headers"]?.count == 4000 && again.parts["samples"]?.count == 1000)
        // Record 125 is one of the 32.
        #expect(
            message { _ = try file.survey(classes: 2, like: nil) }.contains(
                "its label is 2, but there are 2 classes, from 0 to 1"))
    }

    @Test func syntheticBatches() throws {
        let source = SyntheticSource(dataShape: [1, 2, 2], batchSize: 3, classes: 2, batches: 4)
        let all = try batches(source)
        #expect(source.count == 12 && all.count == 4 && all.allSatisfy { $0 == all[0] && $0.valid == 3 })
        #expect(all[0].data.allSatisfy { (-1..<1).contains($0) } && all[0].labels.allSatisfy { $0 == 0 || $0 == 1 })
        #expect(try batches(source, from: 3).count == 1)
    }

    @Test func coloursAreMeasured() throws {
        let writer = try RecordWriter("\(folder.path)/c.rec", index: nil)
        for (id, level) in [UInt8(10), 30].enumerated() {
            let image = Image(width: 2, height: 2, channels: 3, filledWith: level)
            try writer.write(IRHeader(label: 0, id: UInt64(id)).packed(try image.encoded(as: .png(level: 1))))
        }
        try writer.write(IRHeader(label: 0, id: 9).packed([1]))
        try writer.finish()
        let file = try RecordFile("\(folder.path)/c.rec")
        for channels in [1, 3] {
            let found = try DataStatistics.Colours.measured(of: file, channels: channels)
            #expect(found.images == 2 && found.colours.mean == Array(repeating: 20, count: channels))
            #expect(found.colours.deviation == Array(repeating: 10, count: channels))
        }
    }
}
