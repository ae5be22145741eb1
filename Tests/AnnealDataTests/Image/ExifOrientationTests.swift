import AnnealCore
import AnnealData
import Testing

/// A photograph that is stored upside down and marked so (3: rotated by 180 degrees), in every encoding.
@Suite struct ExifOrientationTests {
    /// A directory of one entry; `value` fills its last four bytes.
    private func tiff(_ isLittle: Bool, type: UInt8, _ value: [UInt8]) -> [UInt8] {
        func bytes(_ number: UInt8, _ size: Int) -> [UInt8] {
            let big = [UInt8](repeating: 0, count: size - 1) + [number]
            return isLittle ? big.reversed() : big
        }
        return Array((isLittle ? "II" : "MM").utf8) + bytes(42, 2) + bytes(8, 4) + bytes(1, 2)
            + (isLittle ? [0x12, 0x01] : [0x01, 0x12]) + bytes(type, 2) + bytes(1, 4) + value + bytes(0, 4)
    }

    private func first(_ bytes: [UInt8]) throws -> [Float] {
        var options = LoaderOptions(dataShape: [3, 8, 16], batchSize: 1)
        options.threads = 1
        return try batches(try BatchLoader(ImageBytes(bytes), options: options))[0].data
    }

    private func turned(_ bytes: [UInt8]) throws -> [Float] {
        let stored = try ImageDecoder().decode(bytes)
        return try first(
            Image(
                width: 16, height: 8, channels: 3,
                pixels: (0..<128).reversed().flatMap { stored.pixels[(3 * $0)..<(3 * $0 + 3)] }
            ).encoded(as: .png(level: 1)))
    }

    private var blocks: [(name: String, tiff: [UInt8])] {
        [
            ("SHORT, big-endian", tiff(false, type: 3, [0, 3, 0, 0])),
            ("SHORT, little-endian", tiff(true, type: 3, [3, 0, 0, 0])),
            ("LONG, big-endian", tiff(false, type: 4, [0, 0, 0, 3])),
            ("LONG, little-endian", tiff(true, type: 4, [3, 0, 0, 0])),
            ("BYTE", tiff(false, type: 1, [3, 0, 0, 0])),
        ]
    }

    @Test func inAJPEG() throws {
        let plain = try pattern(16, 8).encoded(as: .jpeg(quality: 95))
        let expected = try turned(plain)
        #expect(try first(plain) != expected)
        for (name, tiff) in blocks {
            for fill in 0...3 {
                let exif = Array("Exif\0\0".utf8) + tiff
                let segment =
                    [UInt8](repeating: 0xFF, count: 1 + fill) + [0xE1, 0, UInt8(exif.count + 2)] + exif
                #expect(try first(plain[..<2] + segment + plain[2...]) == expected, "\(name), \(fill) fill bytes")
            }
        }
    }

    @Test func inAPNG() throws {
        let plain = try pattern(16, 8).encoded(as: .png(level: 6))
        let expected = try turned(plain)
        for (name, tiff) in blocks {
            for mark in ["", "Exif\0\0"] {
                let contents = Array(mark.utf8) + tiff
                // The checksum is not verified.
                let chunk = [0, 0, 0, UInt8(contents.count)] + Array("eXIf".utf8) + contents + [0, 0, 0, 0]
                for place in [33, plain.count - 12] {
                    #expect(try first(plain[..<place] + chunk + plain[place...]) == expected, "\(name) at \(place)")
                }
            }
        }
    }

    @Test func damagedBlocksTurnNothing() throws {
        let plain = try pattern(16, 8).encoded(as: .png(level: 6))
        let whole = tiff(false, type: 3, [0, 3, 0, 0]), upright = try first(plain)
        let odd = [tiff(false, type: 3, [0, 9, 0, 0]), tiff(true, type: 4, [0, 0, 0, 3]), [], Array("MM".utf8)]
        for block in odd + (0..<20).map({ Array(whole.prefix($0)) }) {
            let chunk = [0, 0, 0, UInt8(block.count)] + Array("eXIf".utf8) + block + [0, 0, 0, 0]
            #expect(try first(plain[..<33] + chunk + plain[33...]) == upright)
        }
    }
}
