import AnnealCore
import AnnealData
import Foundation
import Testing

/// JPEG images of which only a random part is decoded.
@Suite struct PartDecodingTests {
    /// Smooth, with some noise, like photographs.
    private func photo(_ width: Int, _ height: Int) -> Image {
        var random = Random(seed: 1, purpose: .test)
        var image = Image(width: width, height: height, channels: 3, filledWith: 0)
        for y in 0..<height {
            for x in 0..<width {
                for c in 0..<3 {
                    let wave = sin(Double(x) / Double(40 + 9 * c)) + cos(Double(y) / Double(31 + 5 * c))
                    image.pixels[(y * width + x) * 3 + c] = UInt8(128 + 55 * wave + Double(random.below(9)))
                }
            }
        }
        return image
    }

    private func batch(_ bytes: [UInt8], _ change: (inout LoaderOptions) -> Void) throws -> [[Float]] {
        var options = LoaderOptions(dataShape: [3, 64, 64], batchSize: 1)
        options.threads = 1
        options.augmentation.resizedCrop = RandomResizedCrop(area: 0.1...1, ratio: 0.75...1.3333)
        options.augmentation.randomMirror = true
        options.augmentation.colour.brightness = 0.2
        change(&options)
        let loader = try BatchLoader(ImageBytes(bytes), options: options)
        return try (0..<30).map { try batches(loader, epoch: $0)[0].data }
    }

    /// The result of a loader that keeps the whole decoded image.
    private func whole(_ bytes: [UInt8], _ change: (inout LoaderOptions) -> Void = { _ in }) throws -> [[Float]] {
        try batch(bytes) {
            $0.cachedBytes = 1 << 28
            change(&$0)
        }
    }

    /// At full scale a part has the same pixels as in the whole image.
    @Test(arguments: [1, 3]) func partsOfSmallImagesAreExact(channels: Int) throws {
        for encoding in [ImageEncoding.jpeg(quality: 90), .png(level: 1)] {
            let bytes = try photo(200, 150).encoded(as: encoding)
            func shape(_ options: inout LoaderOptions) {
                options.dataShape = [channels, 64, 64]
                if channels == 1 { options.augmentation.colour = ColourJitter() }
            }
            #expect(try batch(bytes, shape) == whole(bytes, shape))
        }
        let progressive = [UInt8](
            try Files.read(
                "\(#filePath)".replacing(
                    "AnnealDataTests/Image/PartDecodingTests.swift", with: "Fixtures/images/progressive.jpg")))
        #expect(
            try batch(progressive) { $0.dataShape = [3, 8, 8] } == whole(progressive) { $0.dataShape = [3, 8, 8] })
    }

    /// A large image is decoded at a smaller size if the part allows it: its pixels are close to those of the whole
    /// image, resized.
    @Test func partsOfLargeImagesAreNear() throws {
        let bytes = try photo(1000, 800).encoded(as: .jpeg(quality: 90))
        let exact = try whole(bytes), reduced = try batch(bytes) { _ in }
        #expect(try batch(bytes) { $0.decodesExactly = true } == exact)
        #expect(reduced != exact)
        expectNear(exact.flatMap { $0 }, reduced.flatMap { $0 })
    }

    /// Out of 255: the noise of single pixels is averaged.
    private func expectNear(_ exact: [Float], _ reduced: [Float], sourceLocation: SourceLocation = #_sourceLocation) {
        let distances = zip(exact, reduced).map { abs($0 - $1) }
        let mean = distances.reduce(0, +) / Float(distances.count), largest = distances.max() ?? 0
        #expect(
            exact.count == reduced.count && mean < 3 && largest < 24, "mean \(mean), largest \(largest)",
            sourceLocation: sourceLocation)
    }

    /// Validation: the shorter side is resized and the centre is cropped. Also for sides that are not divisible by a
    /// power of two, images rotated as a camera says, and images that are kept decoded.
    @Test(arguments: [(1000, 800), (801, 1003), (700, 500)]) func imagesThatAreResizedFirst(width: Int, height: Int)
        throws
    {
        let plain = try photo(width, height).encoded(as: .jpeg(quality: 90))
        for bytes in [plain, turned(plain)] {
            func resized(_ change: (inout LoaderOptions) -> Void = { _ in }) throws -> [Float] {
                var options = LoaderOptions(dataShape: [3, 60, 72], batchSize: 1)
                options.augmentation.resize = 75
                change(&options)
                return try batches(BatchLoader(ImageBytes(bytes), options: options))[0].data
            }
            let exact = try resized { $0.decodesExactly = true }, reduced = try resized()
            #expect((exact == reduced) == (width * height <= 1 << 19))
            expectNear(exact, reduced)
            #expect(try resized { $0.cachedBytes = 1 << 28 } == reduced)
        }
    }

    /// With an EXIF block that rotates the image by 90 degrees.
    private func turned(_ plain: [UInt8]) -> [UInt8] {
        let exif: [UInt8] =
            Array("Exif\0\0MM".utf8) + [0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0]
        return Array(plain.prefix(2)) + [0xFF, 0xE1, 0, UInt8(exif.count + 2)] + exif + Array(plain.dropFirst(2))
    }

    /// The EXIF block rotates the image, so all of it is decoded.
    @Test func turnedImagesAreDecodedWhole() throws {
        let plain = try photo(90, 60).encoded(as: .jpeg(quality: 90))
        let bytes = turned(plain)
        func shape(_ options: inout LoaderOptions) { options.dataShape = [3, 24, 24] }
        #expect(try batch(bytes, shape) == whole(bytes, shape))
    }

    @Test func damageIsSeenWhereItIsDecoded() throws {
        let bytes = try photo(200, 150).encoded(as: .jpeg(quality: 90))
        #expect(message { _ = try batch(Array(bytes.prefix(bytes.count / 8))) { _ in } }.contains("not a whole JPEG"))
    }
}
