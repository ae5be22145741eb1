import AnnealCore
import AnnealData
import Foundation
import Testing

@Suite struct ImageSurveyTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func makeFolder() throws -> ImageFiles {
        for name in ["a", "b"] { try Files.makeFolder("\(folder.path)/t/\(name)") }
        _ = try folder.file("t/a/1.png", try pattern(40, 30).encoded(as: .png(level: 1)))
        _ = try folder.file("t/a/2.jpg", try pattern(400, 300).encoded(as: .jpeg(quality: 80)))
        _ = try folder.file("t/a/3.jpg", Array("0000ftypheic".utf8))
        _ = try folder.file("t/b/4.jpg", [])
        // Whole header, half the pixels.
        let png = try pattern(40, 30).encoded(as: .png(level: 1))
        _ = try folder.file("t/b/5.png", Array(png.prefix(png.count / 2)))
        return try ImageFiles(classFolders: "\(folder.path)/t")
    }

    @Test func headersAndWholeImages() throws {
        let files = try makeFolder()
        let headers = ImageSurvey.headers(of: files)
        #expect(headers.count == 5 && headers.bad.map(\.number) == [2, 3])
        #expect(
            headers.bad[0].reason.description
                == "\(folder.path)/t/a/3.jpg: is a HEIF image, which is not supported (convert it to JPEG or PNG)")
        #expect(headers.bad[1].reason.description == "\(folder.path)/t/b/4.jpg: is empty")
        #expect(headers.summary == "2 PNG, 1 JPEG; 40x30 to 400x300 pixels" && headers.longestShortSide == 300)
        var done: [Int] = []
        let whole = try ImageSurvey.decoding(files, threads: 2) { done.append($0) }
        #expect(whole.bad.map(\.number) == [2, 3, 4] && whole.classCounts == [0: 2] && done == [5])
        #expect(ImageSurvey.headers(of: files, limit: 2).count == 2)
    }

    @Test func cropsShowAShareOfTheArea() throws {
        func share(_ width: Int, _ height: Int, _ cropHeight: Int, _ cropWidth: Int) throws -> Double {
            let bytes = try pattern(width, height, 1).encoded(as: .png(level: 1))
            return ImageSurvey.headers(of: ImageBytes(bytes)).shareShown(height: cropHeight, width: cropWidth)
        }
        // 784 of 120,000 pixels.
        #expect(abs(try share(400, 300, 28, 28) - 0.006533) < 1e-6)
        #expect(try share(28, 28, 28, 28) == 1)
        // Enlarged to 28 x 56, then half of it.
        #expect(try share(14, 28, 28, 28) == 0.5)
    }

    @Test func labelsOfRecordsMustBeClasses() throws {
        let writer = try RecordWriter("\(folder.path)/a.rec", index: nil)
        let image = try pattern(4, 4).encoded(as: .png(level: 1))
        for (id, label) in [Float(0), 0.5, 1, -1, .nan].enumerated() {
            try writer.write(IRHeader(label: label, id: UInt64(id)).packed(image))
        }
        try writer.finish()
        let survey = try ImageSurvey.decoding(RecordFile("\(folder.path)/a.rec"))
        #expect(survey.bad.map(\.number) == [1, 3, 4] && survey.classCounts == [0: 1, 1: 1])
        #expect(survey.bad[0].reason.description.contains("record 1 (id 1)"))
        #expect(survey.bad[0].reason.description.contains("label 0.5 is not a class number"))
    }

    @Test func checkFindsTheLabelsThatTrainingRefuses() throws {
        let writer = try RecordWriter("\(folder.path)/b.rec", index: nil)
        let image = try pattern(4, 4).encoded(as: .png(level: 1))
        try writer.write(IRHeader(label: 1, id: 0).packed(image))
        try writer.write(IRHeader(labels: [0, 1], id: 1).packed(image))
        try writer.write(IRHeader(label: 2, id: 2).packed(image))
        try writer.finish()
        let records = try RecordFile("\(folder.path)/b.rec")
        #expect(try ImageSurvey.decoding(records).bad.map(\.number) == [1])
        let known = try ImageSurvey.decoding(records, classes: 2)
        #expect(known.bad.map(\.number) == [1, 2])
        #expect(known.bad[0].reason.description.contains("2 labels"))
        #expect(known.bad[1].reason.description.contains("but there are 2 classes"))
    }

    /// Labels 0, 0, …, 1, …: 20 of class 0, 10 of class 1, 1 of class 2.
    private func labelled() throws -> RecordFile {
        let path = "\(folder.path)/l.rec"
        let writer = try RecordWriter(path, index: nil)
        let image = try pattern(4, 4).encoded(as: .png(level: 1))
        for number in 0..<31 {
            let label: Float = number < 20 ? 0 : number < 30 ? 1 : 2
            try writer.write(IRHeader(label: label, id: UInt64(number)).packed(image))
        }
        try writer.finish()
        return try RecordFile(path)
    }

    @Test func holdsOutAShareOfEachClass() throws {
        let records = try labelled()
        let (training, validation) = try records.holdingOut(0.2, seed: 3)
        #expect(training.count == 25 && training.classCounts(3) == [16, 8, 1])
        #expect(validation.count == 6 && validation.classCounts(3) == [4, 2, 0])
        func ids(_ source: some SampleSource) throws -> [UInt64] {
            var bytes: [UInt8] = []
            return try (0..<source.count).map { try source.readSample($0, epoch: 0, into: &bytes).id }
        }
        #expect(Set(try ids(training)).union(try ids(validation)).count == 31)
        #expect(try ids(validation) == ids(records.holdingOut(0.2, seed: 3, threads: 1).validation))
        #expect(try ids(validation) != ids(records.holdingOut(0.2, seed: 4).validation))
        #expect(training.place(of: 0, id: nil).contains("l.rec, record"))
        #expect(message { _ = try records.holdingOut(0.01, seed: 0) }.contains("l.rec"))
        // Halves of odd classes: no class is left without a training image.
        #expect(try records.holdingOut(0.999, seed: 0).training.classCounts(3) == [1, 1, 1])
    }
}
