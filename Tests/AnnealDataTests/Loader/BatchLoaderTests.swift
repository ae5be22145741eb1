import AnnealCore
import AnnealData
import Foundation
import Testing

@Suite struct BatchLoaderTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func records(_ count: Int, bad: Set<Int> = []) throws -> RecordFile {
        let path = "\(folder.path)/a.rec"
        try writeRecords(path, count: count, bad: bad)
        return try RecordFile(path)
    }

    private func options(_ batch: Int, _ change: (inout LoaderOptions) -> Void = { _ in }) -> LoaderOptions {
        var options = LoaderOptions(dataShape: [3, 8, 8], batchSize: batch)
        options.threads = 2
        change(&options)
        return options
    }

    /// Everything random at once.
    private func busy(_ options: inout LoaderOptions) {
        options.shuffle = true
        options.seed = 7
        options.augmentation.pad = 2
        options.augmentation.randomCrop = true
        options.augmentation.randomMirror = true
        options.normalization = Normalization(mean: [100, 50, 20], std: [2, 3, 4], scale: 0.5)
    }

    @Test func centerCropInPlanesOfFloats() throws {
        let loader = try BatchLoader(
            try records(3), options: options(2) { $0.normalization = Normalization(mean: [1, 2, 3], std: [2, 4, 8]) })
        let first = try #require(try batches(loader).first)
        let image = pattern(12, 10, seed: 0)
        for (c, (mean, std)) in [(Float(1), Float(2)), (2, 4), (3, 8)].enumerated() {
            for y in 0..<8 {
                for x in 0..<8 {
                    let pixel = Float(image.pixels[((y + 1) * 12 + x + 2) * 3 + c])
                    #expect(first.data[c * 64 + y * 8 + x] == (pixel - mean) * (1 / std))
                }
            }
        }
        #expect(first.labels == [0, 1])
    }

    @Test func theLastBatchIsFilledFromTheStart() throws {
        let all = try batches(try BatchLoader(try records(10), options: options(4)))
        #expect(all.map(\.valid) == [4, 4, 2])
        #expect(all[2].labels == [8, 9, 0, 1])
        let row = 3 * 64
        #expect(all[2].data[(2 * row)...] == all[0].data[..<(2 * row)])
    }

    @Test func aBatchMayBeLargerThanTheSet() throws {
        let all = try batches(try BatchLoader(try records(3), options: options(8)))
        #expect(all.map(\.valid) == [3])
        #expect(all[0].labels == [0, 1, 2, 0, 1, 2, 0, 1])
    }

    @Test func rollingOverGoesOnAfterTheWrappedRows() throws {
        let loader = try BatchLoader(try records(10), options: options(4) { $0.lastBatch = .rollsOver })
        #expect(try batches(loader, epoch: 0).map(\.labels) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]])
        #expect(try batches(loader, epoch: 1).map(\.labels) == [[2, 3, 4, 5], [6, 7, 8, 9]])
        #expect(try batches(loader, epoch: 2).map(\.labels) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]])
        #expect(try batches(loader, epoch: 0, from: 2).map(\.valid) == [4])
    }

    @Test func threadsDoNotChangeAPixel() throws {
        let file = try records(53)
        let expected = try batches(
            try BatchLoader(
                file,
                options: options(8) {
                    busy(&$0)
                    $0.threads = 1
                }), epoch: 3)
        for threads in [2, 3, 5] {
            let loader = try BatchLoader(
                file,
                options: options(8) {
                    busy(&$0)
                    $0.threads = threads
                    $0.prefetch = 1 + threads
                })
            #expect(try batches(loader, epoch: 3) == expected)
        }
        #expect(expected.count == 7 && expected[6].valid == 5)
    }

    @Test func epochsDifferAndRepeat() throws {
        let loader = try BatchLoader(try records(40), options: options(10, busy))
        let first = try batches(loader, epoch: 0)
        let second = try batches(loader, epoch: 1)
        #expect(first != second)
        #expect(try batches(loader, epoch: 0) == first)
        #expect(first.flatMap(\.labels).sorted() == second.flatMap(\.labels).sorted())
        let other = try BatchLoader(
            try records(40),
            options: options(10) {
                busy(&$0)
                $0.seed = 8
            })
        #expect(try batches(other, epoch: 0) != first)
    }

    @Test func everySampleComesOnceInAShuffledEpoch() throws {
        let loader = try BatchLoader(
            try records(37),
            options: options(5) {
                $0.shuffle = true
                $0.seed = 3
            })
        var seen: [Float] = []
        for batch in try batches(loader) { seen += batch.labels.prefix(batch.valid) }
        #expect(seen.sorted() == (0..<37).map { Float($0 % 10) }.sorted())
        #expect(seen != (0..<37).map { Float($0 % 10) })
    }

    @Test func startsAtAnyBatch() throws {
        let loader = try BatchLoader(try records(30), options: options(4, busy))
        let all = try batches(loader, epoch: 2)
        for batch in 0...all.count {
            #expect(try batches(loader, epoch: 2, from: batch) == Array(all.dropFirst(batch)))
        }
        // Again in the middle of an epoch, with batches made ahead.
        try loader.start(epoch: 2, atBatch: 1)
        _ = try nextBatch(loader)
        #expect(try batches(loader, epoch: 2) == all)
    }

    @Test func partsAreRunsOfTheFile() throws {
        let file = try records(10)
        let parts = try (0..<3).map { part in
            try batches(
                try BatchLoader(
                    file,
                    options: options(4) {
                        $0.numParts = 3
                        $0.partIndex = part
                    })
            ).flatMap { $0.labels.prefix($0.valid) }
        }
        #expect(parts == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]])
        let empty = try records(4)
        #expect(
            message {
                _ = try BatchLoader(
                    empty,
                    options: options(4) {
                        $0.numParts = 3
                        $0.partIndex = 2
                    })
            }.contains("part 2 of 3 has no records"))
    }

    @Test func aBadRecordIsNamed() throws {
        let loader = try BatchLoader(try records(10, bad: [6]), options: options(4))
        try loader.start(epoch: 0, atBatch: 0)
        #expect(try nextBatch(loader)?.valid == 4)
        for _ in 0..<2 {
            let text = message { _ = try nextBatch(loader) }
            #expect(text.contains("a.rec, record 6 (id 1006), byte "))
            #expect(text.contains("neither a JPEG nor a PNG"))
        }
        #expect(try batches(loader, from: 2).count == 1, "works on after an error")
    }

    @Test func badRecordsAreSkippedAndListedOnce() throws {
        let file = try records(23, bad: [0, 6, 7, 22])
        let loader = try BatchLoader(
            file,
            options: options(4) {
                busy(&$0)
                $0.onBadRecord = .skip
            })
        for epoch in 0..<2 {
            let all = try batches(loader, epoch: epoch)
            #expect(all.map(\.valid) == [4, 4, 4, 4, 3])
            let labels = all.flatMap { $0.labels.prefix($0.valid) }.sorted()
            let expected = (0..<23).filter { ![0, 6, 7, 22].contains($0) }.map { Float($0 % 10) }
            #expect(labels == expected.sorted())
            for batch in all.indices {
                let fresh = try BatchLoader(
                    file,
                    options: options(4) {
                        busy(&$0)
                        $0.onBadRecord = .skip
                        $0.threads = 3
                    })
                #expect(try batches(fresh, epoch: epoch, from: batch) == Array(all.dropFirst(batch)))
            }
        }
        #expect(loader.badRecords.map(\.number) == [0, 6, 7, 22])
        #expect(loader.badRecords.map(\.id) == [1000, 1006, 1007, 1022])
        #expect(loader.badRecords[1].offset == file.entries[6].offset)
    }

    @Test func nothingButBadRecordsIsAnError() throws {
        let loader = try BatchLoader(try records(3, bad: [0, 1, 2]), options: options(2) { $0.onBadRecord = .skip })
        #expect(message { _ = try batches(loader) }.contains("none of its 3 images can be used"))
    }

    @Test(arguments: BadRecordPolicy.allCases) func aLabelOutOfRangeIsNamed(policy: BadRecordPolicy) throws {
        let loader = try BatchLoader(
            try records(10),
            options: options(4) {
                $0.numClasses = 6
                $0.onBadRecord = policy
            })
        let text = message { _ = try batches(loader) }
        #expect(text.contains("record 6 (id 1006)") && text.contains("label 6.0 is outside 0 ..< 6"))
    }

    @Test func labelsOfAnotherNumberAreAnError() throws {
        let loader = try BatchLoader(try records(2), options: options(2) { $0.labelWidth = 3 })
        #expect(message { _ = try batches(loader) }.contains("it has 1 labels, 3 are wanted"))
    }

    @Test func labelsComeFromAList() throws {
        let list = ImageList((0..<4).map { .init(id: 1000 + $0, labels: [Float(50 + $0)], path: "x") })
        let loader = try BatchLoader(try records(4), options: options(4) { $0.relabel(with: list) })
        #expect(try batches(loader)[0].labels == [50, 51, 52, 53])
        let short = try BatchLoader(try records(5), options: options(5) { $0.relabel(with: list) })
        #expect(message { _ = try batches(short) }.contains("id 1004 is not in the list"))
    }

    @Test func settingsThatMakeNoSenseAreNamed() throws {
        let file = try records(2)
        func problem(_ change: (inout LoaderOptions) -> Void) -> String {
            message { _ = try BatchLoader(file, options: options(2, change)) }
        }
        #expect(problem { $0.dataShape = [2, 8, 8] }.contains("image shape: (2, 8, 8)"))
        #expect(problem { $0.dataShape = [3, 8] }.contains("image shape"))
        #expect(problem { $0.batchSize = 0 }.contains("batch size"))
        #expect(problem { $0.normalization.std = [0] }.contains("std"))
        #expect(problem { $0.partIndex = 1 }.contains("part: 1 of 1"))
    }

    @Test func manyLoadersComeAndGo() throws {
        let file = try records(20)
        for round in 0..<40 {
            let loader = try BatchLoader(file, options: options(4) { $0.threads = 1 + round % 4 })
            if round % 3 == 0 { continue }
            try loader.start(epoch: round, atBatch: round % 5)
            if round % 3 == 1 { _ = try nextBatch(loader) }
        }
    }
}
