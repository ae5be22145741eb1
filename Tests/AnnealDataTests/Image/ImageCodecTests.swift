import AnnealCore
import AnnealData
import Foundation
import Testing

@Suite struct ImageCodecTests {
    let decoder: ImageDecoder
    init() throws { decoder = try ImageDecoder() }

    @Test(arguments: [1, 3, 4]) func pngKeepsEveryPixel(channels: Int) throws {
        let image = pattern(13, 7, channels)
        let bytes = try image.encoded(as: .png(level: 6))
        #expect(try decoder.decode(bytes, as: .asStored) == image)
    }

    @Test func jpegIsClose() throws {
        let flat = Image(width: 24, height: 16, channels: 3, filledWith: 90)
        #expect(try decoder.decode(try flat.encoded(as: .jpeg(quality: 95))) == flat)
        let gray = try decoder.decode(try flat.encoded(as: .jpeg(quality: 95)), as: .gray)
        #expect(gray == Image(width: 24, height: 16, channels: 1, filledWith: 90))
        let small = try pattern(32, 32).encoded(as: .jpeg(quality: 20))
        let large = try pattern(32, 32).encoded(as: .jpeg(quality: 95))
        #expect(small.count < large.count)
    }

    @Test func coloursAndGrayAsOpenCVConvertsThem() throws {
        let red = Image(width: 2, height: 1, channels: 3, pixels: [255, 0, 0, 0, 255, 0])
        let bytes = try red.encoded(as: .png(level: 1))
        let dark = try decoder.decode(bytes, as: .gray).pixels
        #expect(dark == [76, 149])
        #expect(try decoder.decode(bytes, as: .rgba).pixels == [255, 0, 0, 255, 0, 255, 0, 255])
        let gray = Image(width: 2, height: 1, channels: 1, pixels: [5, 200])
        #expect(try decoder.decode(try gray.encoded(as: .png(level: 1))).pixels == [5, 5, 5, 200, 200, 200])
        let clear = Image(width: 1, height: 1, channels: 4, pixels: [10, 20, 30, 0])
        #expect(try decoder.decode(try clear.encoded(as: .png(level: 1))).pixels == [10, 20, 30])
    }

    @Test func otherBytesAreRefused() {
        #expect(message { _ = try decoder.decode([]) }.contains("0 bytes that are no image"))
        #expect(message { _ = try decoder.decode(Array("GIF89a".utf8)) }.contains("6 bytes"))
        #expect(message { _ = try pattern(2, 2, 4).encoded(as: .jpeg(quality: 90)) }.contains("cannot be a JPEG"))
    }

    @Test func truncatedImagesAreErrors() throws {
        for encoding in [ImageEncoding.png(level: 3), .jpeg(quality: 90)] {
            let bytes = try pattern(40, 40).encoded(as: encoding)
            // The end marker alone may be missing.
            for length in stride(from: 1, to: bytes.count - 2, by: 37) {
                #expect(throws: AnnealError.self) { _ = try decoder.decode(Array(bytes.prefix(length))) }
            }
            #expect(try decoder.decode(bytes).width == 40, "the decoder works on after errors")
        }
    }

    /// Every pixel is decoded without the end marker, but not without a byte of the data or a scan.
    @Test func aJPEGMayLackItsEndMarker() throws {
        let baseline = try pattern(40, 24).encoded(as: .jpeg(quality: 90))
        let progressive = [UInt8](
            try Files.read(
                "\(#filePath)".replacing(
                    "AnnealDataTests/Image/ImageCodecTests.swift", with: "Fixtures/images/progressive.jpg")))
        for whole in [baseline, progressive] {
            let image = try decoder.decode(whole)
            #expect(Array(whole.suffix(2)) == [0xFF, 0xD9])
            for missing in 1...2 {
                #expect(try decoder.decode(Array(whole.dropLast(missing))) == image, "\(missing)")
            }
            #expect(message { _ = try decoder.decode(Array(whole.dropLast(6))) }.contains("not a whole JPEG"))
        }
        let scans = progressive.indices.dropLast().filter { progressive[$0] == 0xFF && progressive[$0 + 1] == 0xDA }
        #expect(scans.count > 2)
        for scan in scans {
            // Before and inside its header, with and without an end marker.
            for end in [scan, scan + 1, scan + 5] {
                #expect(throws: AnnealError.self) { _ = try decoder.decode(Array(progressive[..<end])) }
            }
        }
    }

    @Test func theLimitOfPixelsCanBeRaised() throws {
        let low = try ImageDecoder(maximumPixels: 13 * 7 - 1), enough = try ImageDecoder(maximumPixels: 13 * 7)
        for encoding in [ImageEncoding.png(level: 3), .jpeg(quality: 90)] {
            let bytes = try pattern(13, 7).encoded(as: encoding)
            #expect(
                message { _ = try low.decode(bytes) }
                    .contains(
                        "13 x 7 pixels, more than the limit of 90 (if it really is that large, allow it with --max-image-pixels 91)"
                    ))
            #expect(try enough.decode(bytes).width == 13)
        }
    }

    /// A PNG's chunk.
    private func chunk(_ name: String, _ contents: [UInt8]) -> [UInt8] {
        func bytes(_ word: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) } }
        let named = Array(name.utf8) + contents
        return bytes(UInt32(contents.count)) + named + bytes(crc(named))
    }

    /// 600 texts before and after the pixels that would each inflate to 7 MB if they were read.
    @Test func textInAPNGIsSkipped() throws {
        let flat = Image(width: 2048, height: 3400, channels: 1, filledWith: 0)
        let packed = try flat.encoded(as: .png(level: 9))
        // A flat image's pixels are a zlib stream like any other.
        let length = packed[33..<37].reduce(0) { $0 << 8 | Int($1) }
        let text = chunk("zTXt", Array("Comment\0\0".utf8) + packed[41..<(41 + length)])
        let plain = try pattern(9, 5).encoded(as: .png(level: 6))
        let texts = [[UInt8]](repeating: text, count: 300).flatMap { $0 }
        let international = chunk("iTXt", Array("Title\0\u{1}\0\0\0".utf8) + packed[41..<(41 + length)])
        let full = plain[..<33] + international + texts + plain[33..<(plain.count - 12)] + texts + plain.suffix(12)
        #expect(try decoder.decode(Array(full)) == pattern(9, 5))
    }

    /// Compressed data that continues after the last pixel, possibly for gigabytes: it is not inflated to find the
    /// wrong checksum at its end.
    @Test func dataAfterTheLastPixelIsNotInflated() throws {
        var png = try Image(width: 400, height: 40_000, channels: 3, filledWith: 7).encoded(as: .png(level: 9))
        png.replaceSubrange(20..<24, with: [0, 0, 0, 5])
        let sum = crc(Array(png[12..<29]))
        for i in 0..<4 { png[29 + i] = UInt8(truncatingIfNeeded: sum >> UInt32(24 - 8 * i)) }
        let end = try #require(png.indices.dropLast(3).last { png[$0] == 0x49 && png[$0 + 1] == 0x45 })
        png[end - 5] ^= 1
        #expect(try decoder.decode(png) == Image(width: 400, height: 5, channels: 3, filledWith: 7))
    }

    @Test func narrowAndTallImages() throws {
        let tall = pattern(1, 60_000)
        #expect(try decoder.decode(tall.encoded(as: .png(level: 1))) == tall)
    }

    /// A PNG of 4x4 whose header promises a square of that side, with the right checksum.
    private func png(promising side: Int) throws -> [UInt8] {
        var png = try pattern(4, 4).encoded(as: .png(level: 1))
        let size = (0..<4).map { UInt8(truncatingIfNeeded: side >> (24 - 8 * $0)) }
        let header: [UInt8] = [0x49, 0x48, 0x44, 0x52] + size + size + [8, 2, 0, 0, 0]
        png.replaceSubrange(12..<29, with: header)
        let sum = crc(header)
        for i in 0..<4 { png[29 + i] = UInt8(truncatingIfNeeded: sum >> UInt32(24 - 8 * i)) }
        return png
    }

    private func jpeg(promising side: Int) throws -> [UInt8] {
        var jpeg = try pattern(4, 4).encoded(as: .jpeg(quality: 90))
        let frame = try #require(jpeg.indices.dropLast().first { jpeg[$0] == 0xFF && jpeg[$0 + 1] == 0xC0 })
        let size = [UInt8(side >> 8), UInt8(side & 255)]
        jpeg.replaceSubrange((frame + 5)..<(frame + 9), with: size + size)
        return jpeg
    }

    /// Headers that promise more pixels than a machine has memory for.
    @Test func bombsAreRefused() throws {
        let (png, jpeg) = (try png(promising: 60_000), try jpeg(promising: 61_440))
        #expect(message { _ = try decoder.decode(png) }.contains("60000 x 60000"))
        #expect(message { _ = try decoder.decode(jpeg) }.contains("61440 x 61440"))
    }

    /// Sizes that are allowed, but not with so few bytes.
    @Test func sizesThatTheBytesCannotHoldAreRefused() throws {
        for image in [try png(promising: 8192), try jpeg(promising: 8192)] {
            #expect(message { _ = try decoder.decode(image) }.contains("\(image.count) bytes cannot hold"))
        }

        // The smallest encoding of an image.
        let flat = Image(width: 2048, height: 2048, channels: 3, filledWith: 0)
        for encoding in [ImageEncoding.png(level: 9), .jpeg(quality: 1)] {
            #expect(try decoder.decode(flat.encoded(as: encoding)).width == 2048)
        }
    }

    @Test func damagedImagesNeverCrash() throws {
        var random = Random(seed: 2, purpose: .test)
        let images = [
            try pattern(21, 17).encoded(as: .png(level: 3)), try pattern(16, 16, 4).encoded(as: .png(level: 3)),
            try pattern(21, 17).encoded(as: .jpeg(quality: 80)), try pattern(33, 9, 1).encoded(as: .jpeg(quality: 80)),
        ]
        for round in 0..<2000 {
            var bytes = images[round % images.count]
            for _ in 0...random.below(6) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            let channels: [Image.Channels] = [.gray, .rgb, .rgba, .asStored]
            do {
                _ = try decoder.decode(bytes, as: channels[random.below(4)])
            } catch is AnnealError {}
        }
    }

    private func crc(_ bytes: [UInt8]) -> UInt32 {
        var sum: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? 0xEDB8_8320 ^ sum >> 1 : sum >> 1 }
        }
        return ~sum
    }
}
