import AnnealCore
import AnnealData
import Testing

@Suite struct ImageFormatTests {
    @Test(
        arguments: [
            ("JPEG", [0xFF, 0xD8, 0xFF, 0xE0]), ("PNG", [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]),
            ("GIF", Array("GIF89a".utf8)), ("BMP", Array("BM6".utf8)), ("WebP", Array("RIFF1234WEBPVP8L".utf8)),
            ("TIFF", [0x49, 0x49, 0x2A, 0, 8]), ("TIFF", [0x4D, 0x4D, 0, 0x2A]), ("AVIF", Array("0000ftypavif".utf8)),
            ("HEIF", Array("0000ftypheic".utf8)),
        ] as [(String, [UInt8])]) func firstBytesTellTheFormat(name: String, bytes: [UInt8])
    {
        #expect(ImageFormat(bytes)?.rawValue == name)
    }

    @Test func headersTellTheSize() throws {
        for (width, height) in [(1, 1), (300, 7), (7, 300)] {
            let image = pattern(width, height)
            let png = try image.encoded(as: .png(level: 1)), jpeg = try image.encoded(as: .jpeg(quality: 90))
            #expect(ImageHeader(png[...]) == ImageHeader(format: .png, width: width, height: height))
            #expect(ImageHeader(jpeg[...]) == ImageHeader(format: .jpeg, width: width, height: height))
            // After a header of records, with a comment and fill bytes before the frame.
            let comment: [UInt8] = [0xFF, 0xFE, 0, 6, 0xFF, 0xC0, 1, 2, 0xFF, 0xFF]
            let padded = [9, 9] + jpeg.prefix(2) + comment + jpeg.dropFirst(2)
            #expect(ImageHeader(padded[2...]) == ImageHeader(format: .jpeg, width: width, height: height))
            for end in [0, 3, 8, 20] { #expect(ImageHeader(png.prefix(end)) == nil) }
        }
        #expect(ImageHeader(Array("GIF89a0000".utf8)[...]) == nil)
    }
}
