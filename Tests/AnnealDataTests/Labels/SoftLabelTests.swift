import AnnealCore
import AnnealData
import Foundation
import Testing

@Suite struct SoftLabelTests {
    private let classes = 4

    /// Images of one level, which equals their label.
    private func plain(_ count: Int = 22, batch: Int = 8) throws -> InMemorySource {
        let labels = (0..<count).map { Float($0 % classes) }
        let data = labels.flatMap { Array(repeating: $0, count: 2 * 6 * 5) }
        return try InMemorySource(
            data: Tensor([count, 2, 6, 5], data), labels: Tensor([count], labels), batchSize: batch)
    }

    private func source(seed: UInt64 = 1, _ change: (inout SoftLabels) -> Void) throws -> SoftLabelSource {
        var labels = SoftLabels()
        change(&labels)
        return try SoftLabelSource(plain(), labels: labels, classes: classes, seed: seed)
    }

    private func rows(_ batch: Batch) -> [(image: ArraySlice<Float>, label: [Float])] {
        (0..<(batch.labels.count / classes)).map {
            (batch.data[($0 * 60)..<($0 * 60 + 60)], Array(batch.labels[($0 * classes)..<(($0 + 1) * classes)]))
        }
    }

    /// The level of an image that is mixed according to its label.
    private func level(_ label: [Float]) -> Float { zip(label, [0, 1, 2, 3]).reduce(0) { $0 + $1.0 * $1.1 } }

    @Test func smoothing() throws {
        let all = try batches(try source { $0.smoothing = 0.2 })
        #expect(all.map(\.valid) == [8, 8, 6])
        for (i, row) in rows(all[0]).enumerated() {
            for c in 0..<classes { #expect(abs(row.label[c] - (c == i % 4 ? 0.85 : 0.05)) < 1e-6) }
            #expect(row.image.allSatisfy { $0 == Float(i % 4) })
        }
    }

    @Test func mixupMixesImagesAsLabels() throws {
        var shares: [Float] = []
        let source = try source { $0.mixup = 1 }
        for epoch in 0..<40 {
            for batch in try batches(source, epoch: epoch) {
                for row in rows(batch) {
                    #expect(abs(row.label.reduce(0, +) - 1) < 1e-5)
                    #expect(row.image.allSatisfy { abs($0 - level(row.label)) < 1e-5 })
                }
                // Of the first row's own class 0, mixed with class 3 (or 1, in the filled batch).
                shares.append(rows(batch)[0].label[0])
            }
        }
        let first = shares.enumerated().filter { $0.offset % 3 != 2 }.map(\.element)
        #expect(first.contains { $0 < 0.15 } && first.contains { $0 > 0.85 })
        #expect(abs(first.reduce(0, +) / Float(first.count) - 0.5) < 0.12)
    }

    @Test func cutmixMixesAreasAsLabels() throws {
        let source = try source { $0.cutmix = 1 }
        var shares: Set<Float> = []
        for epoch in 0..<20 {
            for batch in try batches(source, epoch: epoch) {
                for row in rows(batch) {
                    #expect(abs(row.label.reduce(0, +) - 1) < 1e-5)
                    // Pixels are whole, their mean is the label's.
                    #expect(row.image.allSatisfy { $0 == $0.rounded() })
                    #expect(abs(row.image.reduce(0, +) / 60 - level(row.label)) < 1e-4)
                }
                shares.insert(rows(batch)[0].label[0])
            }
        }
        #expect(shares.count > 8)
    }

    @Test func ofBothOneIsChosen() throws {
        let source = try source {
            $0.mixup = 1
            $0.cutmix = 1
            $0.smoothing = 0.1
        }
        var whole = 0, blended = 0
        for epoch in 0..<30 {
            for batch in try batches(source, epoch: epoch) {
                batch.data.allSatisfy { $0 == $0.rounded() } ? (whole += 1) : (blended += 1)
                for row in rows(batch) { #expect(abs(row.label.reduce(0, +) - 1) < 1e-5) }
            }
        }
        #expect((25...65).contains(whole) && whole + blended == 90)
    }

    @Test func classWeightsScaleRows() throws {
        let source = try source {
            $0.classWeights = [2, 1, 0.5, 0]
            $0.smoothing = 0.4
        }
        for (i, row) in rows(try batches(source)[0]).enumerated() {
            let weight: Float = [2, 1, 0.5, 0][i % 4]
            for c in 0..<classes { #expect(abs(row.label[c] - weight * (c == i % 4 ? 0.7 : 0.1)) < 1e-6) }
        }
        #expect(SoftLabels.balancedWeights(counts: [6, 3, 0]) == [0.5, 1, 0])
    }

    @Test func batchesDependOnTheirPlaceOnly() throws {
        func mixing(_ labels: inout SoftLabels) {
            labels.mixup = 0.4
            labels.cutmix = 0.8
        }
        let all = try batches(try source(mixing), epoch: 3)
        #expect(try batches(try source(mixing), epoch: 3, from: 1) == Array(all.dropFirst()))
        #expect(try batches(try source(mixing), epoch: 4) != all)
        #expect(try batches(try source(seed: 2, mixing), epoch: 3) != all)
    }

    @Test func classesAreCountedWithoutTheirImages() throws {
        let folder = try TemporaryFolder()
        try writeRecords("\(folder.path)/a.rec", count: 25, bad: [3])
        let file = try RecordFile("\(folder.path)/a.rec")
        // A bad image still has its label; labels beyond the classes are left to the loader.
        #expect(file.classCounts(10) == [3, 3, 3, 3, 3, 2, 2, 2, 2, 2])
        #expect(file.classCounts(2) == [3, 3])

        let writer = try RecordWriter("\(folder.path)/b.rec", index: "\(folder.path)/b.idx")
        try writer.write(IRHeader(labels: [1], id: 0).packed([1, 2, 3]))
        try writer.write(IRHeader(labels: [1, 0], id: 1).packed([1, 2, 3]))
        try writer.write([1, 2])
        try writer.write(IRHeader(label: .nan, id: 2).packed([]))
        // A header in two parts: its id contains the magic number.
        try writer.write(IRHeader(label: 0, id: 0xCED7_230A).packed([1, 2, 3]))
        try writer.finish()
        #expect(try RecordFile("\(folder.path)/b.rec").classCounts(2) == [1, 1])
    }

    @Test func whatDoesNotFitIsNamed() throws {
        func problem(_ change: (inout SoftLabels) -> Void) -> String { message { _ = try source(change) } }
        #expect(problem { $0.smoothing = 1 }.contains("--label-smoothing: is 1.0"))
        #expect(problem { $0.smoothing = .nan }.contains("--label-smoothing: is nan"))
        #expect(problem { $0.mixup = -1 }.contains("--mixup: is -1.0"))
        #expect(problem { $0.classWeights = [1, 2] }.contains("has 2 numbers, but there are 4 classes"))
        #expect(problem { $0.classWeights = [1, 2, -1, 0] }.contains("--class-weights"))
        let two = try InMemorySource(
            data: Tensor([2, 3], [0, 0, 0, 0, 0, 0]), labels: Tensor([2, 2], [0, 1, 1, 0]), batchSize: 2)
        var labels = SoftLabels()
        labels.smoothing = 0.1
        #expect(
            message { _ = try SoftLabelSource(two, labels: labels, classes: 2) }.contains("has 2 labels per image"))
        labels.cutmix = 1
        let flat = try InMemorySource(data: Tensor([1, 3], [0, 0, 0]), labels: Tensor([1], [0]), batchSize: 1)
        #expect(
            message { _ = try SoftLabelSource(flat, labels: labels, classes: 2) }.contains("--cutmix: requires images"))
        labels.cutmix = 0
        let stranger = try SoftLabelSource(plain(), labels: labels, classes: 3)
        #expect(message { _ = try batches(stranger) }.contains("its label is 3, but there are 3 classes"))
    }

    @Test(arguments: [0.2, 1, 8]) func betaHasItsMoments(alpha: Double) {
        var random = Random(seed: 1, purpose: .test)
        let values = (0..<4000).map { _ in random.symmetricBeta(alpha) }
        let mean = values.reduce(0, +) / 4000
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 4000
        #expect(values.allSatisfy { (0...1).contains($0) })
        #expect(abs(mean - 0.5) < 0.03)
        let expected = 1 / (4 * (2 * alpha + 1))
        #expect(abs(variance - expected) < 0.1 * expected)
    }

    @Test func tinyAlphasAreNumbers() {
        var random = Random(seed: 1, purpose: .test)
        let values = (0..<200).map { _ in random.symmetricBeta(1e-5) }
        #expect(values.allSatisfy { $0 < 1e-3 || $0 > 1 - 1e-3 })
        #expect((70...130).contains(values.count { $0 > 0.5 }))
    }
}
