import AnnealCore
import AnnealData
import Testing

/// Bad records that processes have found before they train.
@Suite struct UnusableSamplesTests {
    private let folder: TemporaryFolder
    private let file: RecordFile
    private let bad = [0, 6, 7, 13, 22]

    init() throws {
        folder = try TemporaryFolder()
        try writeRecords("\(folder.path)/a.rec", count: 23, bad: Set(bad))
        file = try RecordFile("\(folder.path)/a.rec")
    }

    private func options(shuffle: Bool) -> LoaderOptions {
        var options = LoaderOptions(dataShape: [3, 8, 8], batchSize: 4)
        options.threads = 2
        options.shuffle = shuffle
        options.seed = 7
        options.augmentation.randomCrop = true
        options.augmentation.randomMirror = true
        options.onBadRecord = .skip
        return options
    }

    @Test func eachProcessLooksAtItsPart() throws {
        let parts = try [0..<7, 7..<23].map { try UnusableSamples(file, $0, options: options(shuffle: true)) }
        #expect(parts.map { $0.bad.map(\.number) } == [[0, 6], [7, 13, 22]])
        #expect(parts[1].bad[0].id == 1007 && parts[1].bad[0].offset == file.entries[7].offset)
        try UnusableSamples(parts.flatMap(\.bad)).check(of: 23, in: file)
        let all = UnusableSamples(parts.flatMap(\.bad))
        #expect(message { try all.check(of: 5, in: file) }.contains("none of its 5 images can be used"))
    }

    /// What several processes read of each batch is what a single process reads that skips the bad records as it meets
    /// them.
    @Test(arguments: [true, false]) func theRowsAreThoseOfOneProcess(shuffle: Bool) throws {
        let alone = try BatchLoader(file, options: options(shuffle: shuffle))
        let found = try UnusableSamples(file, 0..<23, options: options(shuffle: shuffle)).bad, row = 3 * 64
        for rows in [[0, 1], [2, 3], [3, 0]] {
            var shared = options(shuffle: shuffle)
            shared.rows = rows
            shared.leftOut = found
            let loader = try BatchLoader(file, options: shared)
            for epoch in 0..<2 {
                for from in [0, 2] {
                    let expected = try batches(alone, epoch: epoch, from: from)
                    let got = try batches(loader, epoch: epoch, from: from)
                    #expect(got.map(\.valid) == expected.map(\.valid))
                    for (a, b) in zip(got, expected) {
                        for (place, number) in rows.enumerated() {
                            #expect(a.labels[place] == b.labels[number])
                            #expect(
                                a.data[(place * row)..<((place + 1) * row)]
                                    == b.data[(number * row)..<((number + 1) * row)])
                        }
                    }
                }
            }
            #expect(loader.badRecords.map(\.number) == bad)
        }
    }

    /// Many labels outside the classes come from another data set.
    @Test func manyWrongLabelsAreNoDamage() throws {
        var options = options(shuffle: false)
        options.numClasses = 6
        let found = try UnusableSamples(file, 0..<23, options: options)
        #expect(message { try found.check(of: 23, in: file) }.contains("but there are 6 classes, from 0 to 5"))
    }
}
