import AnnealCore
import AnnealData
import Foundation
import Testing

/// WebP, GIF, BMP and TIFF files written by Pillow, with the pixels that it reads from them.
@Suite struct OtherFormatTests {
    private let folder = "\(#filePath)".replacing(
        "AnnealDataTests/Image/OtherFormatTests.swift", with: "Fixtures/images/formats")
    private static let names = [
        "lossless.webp", "lossy.webp", "alpha.webp", "24.bmp", "32.bmp", "8.bmp", "4.bmp", "1.bmp", "plain.gif",
        "interlaced.gif", "animated.gif", "plain.tif", "lzw.tif", "deflate.tif", "gray.tif", "gray16.tif",
    ]

    private func bytes(_ name: String) throws -> [UInt8] { [UInt8](try Files.read("\(folder)/\(name)")) }

    @Test(arguments: names) func pixelsAreThoseOfPillow(_ name: String) throws {
        let decoder = try ImageDecoder(), encoded = try bytes(name)
        let expected = try decoder.decode(bytes("\(name).png"))
        let found = try decoder.decode(encoded)
        #expect(found == expected, "\(name)")
        // A record's header may precede the image.
        #expect(try decoder.decode([1, 2, 3] + encoded, from: 3) == expected)
        let header = try #require(ImageHeader(encoded[...]))
        #expect(header.width == 13 && header.height == 9 && header.format.isDecoded)
        // OpenCV's gray of the colours.
        let gray = try decoder.decode(encoded, as: .gray)
        for i in 0..<117 {
            let (r, g, b) = (
                Double(found.pixels[3 * i]), Double(found.pixels[3 * i + 1]), Double(found.pixels[3 * i + 2])
            )
            #expect(abs(Double(gray.pixels[i]) - (0.299 * r + 0.587 * g + 0.114 * b)) <= 0.501)
        }
        let rgba = try decoder.decode(encoded, as: .rgba)
        #expect(rgba.channels == 4 && (name == "alpha.webp") == (rgba.pixels[3] < 255))
    }

    @Test func storedChannels() throws {
        let decoder = try ImageDecoder()
        for (name, channels) in [("alpha.webp", 4), ("lossy.webp", 3), ("gray.tif", 1), ("plain.tif", 3), ("8.bmp", 3)]
        {
            #expect(try decoder.decode(bytes(name), as: .asStored).channels == channels, "\(name)")
        }
    }

    /// Photographs are rotated as their EXIF blocks say, in WebP and TIFF too.
    @Test func turnedUpright() throws {
        let expected = try ImageDecoder().decode(bytes("turned.png"))
        let temporary = try TemporaryFolder()
        for name in ["turned.tif", "turned.webp"] {
            var packer = RecordPacker()
            packer.encoding = .png(level: 1)
            _ = try packer.pack(
                ImageList([.init(id: 0, labels: [0], path: name)]), root: folder, to: "\(temporary.path)/t")
            let record = try RecordFile("\(temporary.path)/t.rec").read(0)
            #expect(try ImageDecoder().decode(record, from: 24) == expected, "\(name)")
        }
    }

    @Test(arguments: names) func cutOffAndDamaged(_ name: String) throws {
        let whole = try bytes(name), decoder = try ImageDecoder(maximumPixels: 1 << 20)
        // Half of an animation contains its first frame.
        for end in [0, 1, 11, 15, 16, 30] + (name == "animated.gif" ? [] : [whole.count / 2]) {
            #expect(throws: AnnealError.self, "\(name) \(end)") { _ = try decoder.decode(Array(whole.prefix(end))) }
        }
        var random = Random(seed: 6, purpose: .test)
        for _ in 0..<300 {
            var bad = whole
            for _ in 0...random.below(5) { bad[random.below(bad.count)] = UInt8(random.below(256)) }
            if random.below(3) == 0 { bad.removeLast(random.below(bad.count)) }
            _ = ImageHeader(bad[...])
            let channels: [Image.Channels] = [.gray, .rgb, .rgba, .asStored]
            do { _ = try decoder.decode(bad, as: channels[random.below(4)]) } catch is AnnealError {}
        }
    }

    @Test func tooManyPixels() throws {
        let low = try ImageDecoder(maximumPixels: 116)
        for name in ["lossy.webp", "24.bmp", "plain.gif", "plain.tif"] {
            #expect(
                message { _ = try low.decode(bytes(name)) }.contains("13 x 9 pixels, more than the limit of 116"),
                "\(name)")
        }
    }

    /// In folders the content decides, as for JPEG and PNG.
    @Test func foldersOfThem() throws {
        let temporary = try TemporaryFolder(), root = "\(temporary.path)/set"
        for (path, name) in [
            ("a/1.webp", "lossy.webp"), ("a/2.tiff", "lzw.tif"), ("b/1.gif", "plain.gif"), ("b/2", "8.bmp"),
        ] {
            try Files.makeFolder(Files.folder(of: "\(root)/\(path)"))
            try Files.writeAtomically(Data(bytes(name)), to: "\(root)/\(path)")
        }
        let files = try ImageFiles(classFolders: root)
        #expect(files.count == 4)
        let survey = ImageSurvey.headers(of: files)
        #expect(survey.bad.isEmpty && survey.formats == [.webp: 1, .tiff: 1, .gif: 1, .bmp: 1])
        var options = LoaderOptions(dataShape: [3, 9, 13], batchSize: 4)
        options.threads = 1
        let batch = try batches(BatchLoader(files, options: options))[0]
        #expect(batch.valid == 4 && batch.labels == [0, 0, 1, 1])
    }
}
