/// How a camera was held, from a JPEG's EXIF block (tag 0x0112): 1 upright, 2 to 8 mirrored and turned.
///
/// MXNet's iterator (built with libjpeg-turbo) ignores it, `im2rec` obeys it and writes upright images.
enum ExifOrientation {
    /// 1 when the bytes have no such block, or a damaged one.
    static func of(_ jpeg: [UInt8]) -> Int {
        guard jpeg.starts(with: [0xFF, 0xD8]) else { return 1 }
        var at = 2
        // Segments: FF, marker, length (big-endian, counting itself), until the scan.
        while at + 4 <= jpeg.count, jpeg[at] == 0xFF, jpeg[at + 1] != 0xDA {
            let length = Int(jpeg[at + 2]) << 8 | Int(jpeg[at + 3])
            let end = at + 2 + length
            guard length >= 2, end <= jpeg.count else { return 1 }
            if jpeg[at + 1] == 0xE1, jpeg[(at + 4)..<end].starts(with: Array("Exif\0\0".utf8)) {
                return orientation(Array(jpeg[(at + 10)..<end])) ?? 1
            }
            at = end
        }
        return 1
    }

    /// A TIFF block: byte order, 42, offset of the first directory; its entries take 12 bytes each.
    private static func orientation(_ tiff: [UInt8]) -> Int? {
        let little = tiff.starts(with: Array("II".utf8))
        guard little || tiff.starts(with: Array("MM".utf8)) else { return nil }
        func number(_ at: Int, _ size: Int) -> Int? {
            guard at >= 0, at + size <= tiff.count else { return nil }
            let bytes = tiff[at..<(at + size)]
            return (little ? Array(bytes.reversed()) : Array(bytes)).reduce(0) { $0 << 8 | Int($1) }
        }
        guard let directory = number(4, 4), let count = number(directory, 2) else { return nil }
        for entry in 0..<count {
            let at = directory + 2 + 12 * entry
            guard let tag = number(at, 2) else { return nil }
            if tag == 0x0112 { return number(at + 8, 2).flatMap { (1...8).contains($0) ? $0 : nil } }
        }
        return nil
    }
}

extension Image {
    /// Upright, for an EXIF orientation.
    func turned(by orientation: Int) -> Image {
        guard (2...8).contains(orientation) else { return self }
        let swapped = orientation >= 5
        let newWidth = swapped ? height : width
        let newHeight = swapped ? width : height
        var out: [UInt8] = []
        out.reserveCapacity(pixels.count)
        for y in 0..<newHeight {
            for x in 0..<newWidth {
                let source: (x: Int, y: Int) =
                    switch orientation {
                    case 2: (width - 1 - x, y)
                    case 3: (width - 1 - x, height - 1 - y)
                    case 4: (x, height - 1 - y)
                    case 5: (y, x)
                    case 6: (y, height - 1 - x)
                    case 7: (width - 1 - y, height - 1 - x)
                    default: (width - 1 - y, x)
                    }
                let start = (source.y * width + source.x) * channels
                out.append(contentsOf: pixels[start..<(start + channels)])
            }
        }
        return Image(width: newWidth, height: newHeight, channels: channels, pixels: out)
    }
}
