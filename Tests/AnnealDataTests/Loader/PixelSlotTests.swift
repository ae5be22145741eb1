import AnnealCore
import AnnealData
import Testing

/// Batches as 8-bit pixels, for devices that normalise them.
@Suite struct PixelSlotTests {
    private func loader(_ folder: TemporaryFolder) throws -> BatchLoader {
        let path = folder.path + "/train.rec"
        try writeRecords(path, count: 10, width: 6, height: 5)
        var options = LoaderOptions(dataShape: [3, 5, 6], batchSize: 4)
        options.normalization = Normalization(mean: [100, 120.5, 90], std: [60, 50, 70], scale: 0.5)
        options.augmentation.randomMirror = true
        options.shuffle = true
        return try BatchLoader(RecordFile(path), options: options)
    }

    /// An epoch's batches, scaled as on a device.
    private func scaled(_ source: some BatchSource) throws -> [Batch] {
        let scaling = try #require(source.pixelScaling), area = source.dataShape[1] * source.dataShape[2]
        try source.start(epoch: 1, atBatch: 0)
        var all: [Batch] = []
        while true {
            var pixels = [UInt8](repeating: 7, count: source.batchSize * source.dataShape.count)
            var labels = [Float](repeating: -1, count: source.batchSize * source.labelWidth)
            let valid = try pixels.withUnsafeMutableBufferPointer { pixels in
                try labels.withUnsafeMutableBufferPointer {
                    try source.next(into: BatchSlot(pixels: pixels, labels: $0))
                }
            }
            guard valid > 0 else { return all }
            let data = pixels.enumerated().map { index, pixel in
                let channel = index / area % source.dataShape[0]
                return (Float(pixel) - scaling.mean[channel]) * scaling.factor[channel]
            }
            all.append(Batch(valid: valid, data: data, labels: labels))
        }
    }

    @Test func theyAreWhatTheFloatsAreMadeOf() throws {
        let folder = try TemporaryFolder(), loader = try loader(folder)
        let found = try scaled(loader), expected = try batches(loader, epoch: 1)
        #expect(expected.count == 3)
        #expect(found == expected)
    }

    @Test func rectanglesAreExchangedInThem() throws {
        let folder = try TemporaryFolder()
        var labels = SoftLabels()
        labels.cutmix = 1
        let source = try SoftLabelSource(loader(folder), labels: labels, classes: 10)
        let found = try scaled(source), expected = try batches(source, epoch: 1)
        #expect(found == expected)
        let plain = try batches(loader(TemporaryFolder()), epoch: 1)
        #expect(plain.map(\.data) != expected.map(\.data))
    }

    /// Blended images lie between the levels.
    @Test func mixupGivesFloats() throws {
        var labels = SoftLabels()
        labels.mixup = 0.2
        let source = try SoftLabelSource(loader(TemporaryFolder()), labels: labels, classes: 10)
        #expect(source.pixelScaling == nil)
    }
}
