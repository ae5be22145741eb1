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

    /// Each process reads a run of the file of its own; what does not fill a batch comes last.
    @Test func processesReadFixedParts() throws {
        let records = try records(23), runs = [0..<8, 8..<8, 8..<23]
        var orders: [[Int]] = []
        for epoch in 0..<2 {
            var read: [[Int]] = []
            for rows in [0..<3, 3..<3, 3..<8] where !rows.isEmpty {
                let loader = try BatchLoader(
                    records,
                    options: options(8) {
                        busy(&$0)
                        $0.rows = Array(rows)
                        $0.partRows = [3, 0, 5]
                    })
                try loader.start(epoch: epoch, atBatch: 0)
                var numbers: [Int] = [], data = [Float](repeating: 0, count: rows.count * 192)
                var labels = [Float](repeating: 0, count: rows.count)
                while try data.withUnsafeMutableBufferPointer({ data in
                    try labels.withUnsafeMutableBufferPointer { labels in
                        try loader.next(into: BatchSlot(data: data, labels: labels))
                    }
                }) > 0 {
                    let whole = loader.sampleNumbers
                    numbers += whole
                    guard whole.count == 8 else { continue }
                    for (row, number) in zip(rows, whole[rows]) {
                        #expect(labels[row - rows.lowerBound] == Float(number % 10))
                    }
                    for (run, part) in zip(runs, [0..<3, 3..<3, 3..<8]) {
                        #expect(whole[part].allSatisfy { run.contains($0) })
                    }
                }
                #expect(numbers.sorted() == Array(0..<23))
                read.append(numbers)
            }
            #expect(read[0] == read[1])
            orders.append(read[0])
        }
        #expect(orders[0] != orders[1])
        var wrong = options(8)
        wrong.partRows = [3, 4]
        #expect(throws: AnnealError.self) { try BatchLoader(records, options: wrong) }
    }

    @Test func rowsKnowTheirSamples() throws {
        let records = try records(10, bad: [2, 3])
        let loader = try BatchLoader(records, options: options(4) { $0.onBadRecord = .skip })
        var data = [Float](repeating: 0, count: 4 * 192), labels = [Float](repeating: 0, count: 4)
        var seen: [[Int]] = []
        try loader.start(epoch: 0, atBatch: 0)
        try data.withUnsafeMutableBufferPointer { data in
            try labels.withUnsafeMutableBufferPointer { labels in
                while try loader.next(into: BatchSlot(data: data, labels: labels)) > 0 {
                    seen.append(loader.sampleNumbers)
                    #expect(zip(loader.sampleNumbers, labels).allSatisfy { Float($0) == $1 })
                }
            }
        }
        // The bad ones are left out, and the padding of the last batch is not counted.
        #expect(seen == [[0, 1, 4, 5], [6, 7, 8, 9]])
        #expect(loader.sampleNumbers.isEmpty)
        #expect(try records.name(of: 3) == "1003")
        let chosen = SampleSubset(records, numbers: [7, 1])
        #expect(chosen.count == 2)
        #expect(try chosen.classLabel(of: 0) == 7)
        #expect(try chosen.name(of: 1) == "1001")
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
        // Again in the middle of an epoch, with prefetched batches.
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
            #expect(text.contains("bytes that are no image"))
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
        #expect(text.contains("record 6 (id 1006)") && text.contains("label is 6, but there are 6 classes"))
    }

    @Test(arguments: [Float(0.5), -1, 2.000001, .nan, .infinity]) func aLabelThatIsNotAClassIsRefused(label: Float)
        throws
    {
        let path = "\(folder.path)/half.rec"
        let writer = try RecordWriter(path, index: nil)
        for (id, label) in [(7, Float(1)), (8, label)] {
            try writer.write(
                IRHeader(label: label, id: UInt64(id)).packed(try pattern(8, 8).encoded(as: .png(level: 1))))
        }
        try writer.finish()
        let file = try RecordFile(path), place = "half.rec, record 1 (id 8), byte "
        let expected = label == -1 ? "its label is -1, but" : "its label \(label) is not a whole number"
        let loader = try BatchLoader(file, options: options(2) { $0.numClasses = 6 })
        for text in [message { _ = try batches(loader) }, message { _ = try file.survey(classes: 6, like: nil) }] {
            #expect(text.contains(place) && text.contains(expected), "\(text)")
        }
        #expect(file.classCounts(6) == [0, 1, 0, 0, 0, 0])
        // The list of labels that replaces the records' own.
        let list = ImageList([.init(id: 7, labels: [2], path: "x"), .init(id: 8, labels: [label], path: "y")])
        let listed = message {
            _ = try BatchLoader(
                file,
                options: options(2) {
                    $0.numClasses = 6
                    $0.relabel(with: list)
                })
        }
        #expect(listed.contains("list of labels, id 8: \(expected)"), "\(listed)")
        // Without classes any number is accepted.
        #expect(try batches(BatchLoader(file, options: options(2)))[0].labels[0] == 1)
    }

    /// insightface's files: record 0 and those at the end hold numbers of records.
    @Test func recordsAboutOtherRecordsAreRecognised() throws {
        let path = "\(folder.path)/faces.rec", index = "\(folder.path)/faces.idx"
        let image = try pattern(8, 8).encoded(as: .jpeg(quality: 90))
        let writer = try RecordWriter(path, index: index)
        try writer.write(IRHeader(labels: [4, 6], id: 0).packed([]), key: 0)
        for id in 1...3 { try writer.write(IRHeader(label: Float(id / 2), id: UInt64(id)).packed(image), key: id) }
        for id in 4...5 { try writer.write(IRHeader(labels: [1, 3], id: UInt64(id)).packed([]), key: id) }
        try writer.finish()
        let text = message {
            _ = try BatchLoader(
                RecordFile(path),
                options: options(2) {
                    $0.numClasses = 2
                    $0.onBadRecord = .skip
                })
        }
        #expect(text.contains("faces.rec, record 0, byte 0: several labels and no image"), "\(text)")
        #expect(text.contains("awk '$1 > 0 && $1 < 4' \(index)"), "\(text)")
        let lines = String(decoding: try Files.read(index), as: UTF8.self).split(separator: "\n")
        func some(_ range: Range<Int>) throws -> RecordFile {
            let text = lines[range].joined(separator: "\n")
            return try RecordFile(path, index: try folder.file("some.idx", Array(text.utf8)))
        }
        #expect(try batches(BatchLoader(some(1..<4), options: options(3))).map(\.labels) == [[0, 1, 1]])
        let end = message { _ = try BatchLoader(some(1..<6), options: options(2)) }
        #expect(end.contains("record 4, byte") && end.contains("awk '$1 < 4'"), "\(end)")
    }

    @Test func labelsOfAnotherNumberAreAnError() throws {
        let loader = try BatchLoader(try records(2), options: options(2) { $0.labelWidth = 3 })
        #expect(message { _ = try batches(loader) }.contains("it has 1 labels, expected 3"))
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

    /// Rows whose pixels are split into planes 16 at a time, and the remaining pixels.
    @Test(arguments: [1, 3, 4], [1, 15, 16, 17, 47, 64]) func planesOfAnyWidth(channels: Int, width: Int) throws {
        let image = pattern(width, 3, channels)
        for isMirrored in [false, true] {
            var options = LoaderOptions(dataShape: [channels, 3, width], batchSize: 1)
            options.augmentation.mirror = isMirrored
            let batch = try batches(BatchLoader(ImageBytes(image.encoded(as: .png(level: 1))), options: options))[0]
            let expected = (0..<channels * 3 * width).map { place in
                let (c, y, x) = (place / (3 * width), place / width % 3, place % width)
                return Float(image.pixels[(y * width + (isMirrored ? width - 1 - x : x)) * channels + c])
            }
            #expect(batch.data == expected)
        }
    }
}
