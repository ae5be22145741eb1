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
        #expect(message { _ = try decoder.decode([]) }.contains("neither a JPEG nor a PNG"))
        #expect(message { _ = try decoder.decode(Array("GIF89a".utf8)) }.contains("6 bytes"))
        #expect(message { _ = try pattern(2, 2, 4).encoded(as: .jpeg(quality: 90)) }.contains("cannot be a JPEG"))
    }

    @Test func truncatedImagesAreErrors() throws {
        for encoding in [ImageEncoding.png(level: 3), .jpeg(quality: 90)] {
            let bytes = try pattern(40, 40).encoded(as: encoding)
            for length in stride(from: 1, to: bytes.count, by: 37) {
                #expect(throws: AnnealError.self) { _ = try decoder.decode(Array(bytes.prefix(length))) }
            }
            #expect(try decoder.decode(bytes).width == 40, "the decoder works on after errors")
        }
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

    /// Sizes that are allowed, but not in so few bytes.
    @Test func sizesThatTheBytesCannotHoldAreRefused() throws {
        for image in [try png(promising: 8192), try jpeg(promising: 8192)] {
            #expect(message { _ = try decoder.decode(image) }.contains("\(image.count) bytes cannot hold"))
        }

        // The emptiest image that there is.
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
