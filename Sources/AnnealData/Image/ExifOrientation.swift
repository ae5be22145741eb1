/// The orientation in an image's EXIF block (tag 0x0112): 1 upright, 2 to 8 mirrored and rotated.
///
/// MXNet's iterator (built with libjpeg-turbo) ignores it; `im2rec` applies it and writes upright images.
enum ExifOrientation {
    /// 1 when the image has no EXIF block, or a damaged one.
    static func of(_ image: [UInt8]) -> Int {
        if image.starts(with: [0xFF, 0xD8]) { return inJPEG(image).flatMap(orientation) ?? 1 }
        if image.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            return inPNG(image).flatMap(orientation) ?? 1
        }
        switch ImageFormat(image) {
        case .webp: return inWebP(image).flatMap(orientation) ?? 1
        // The file is an EXIF block itself.
        case .tiff: return orientation(image[...]) ?? 1
        default: return 1
        }
    }

    private static let mark = Array("Exif\0\0".utf8)

    /// Segments: FF, any number of fill bytes FF, marker, length (big-endian, counting itself); until the scan.
    private static func inJPEG(_ jpeg: [UInt8]) -> ArraySlice<UInt8>? {
        var at = 2
        while at < jpeg.count, jpeg[at] == 0xFF {
            while at < jpeg.count, jpeg[at] == 0xFF { at += 1 }
            guard at < jpeg.count else { return nil }
            let marker = jpeg[at]
            at += 1
            switch marker {
            case 0x01, 0xD0...0xD8: continue  // without contents
            case 0xD9, 0xDA: return nil
            default: break
            }
            guard at + 2 <= jpeg.count else { return nil }
            let end = at + (Int(jpeg[at]) << 8 | Int(jpeg[at + 1]))
            guard end >= at + 2, end <= jpeg.count else { return nil }
            let contents = jpeg[(at + 2)..<end]
            if marker == 0xE1, contents.starts(with: mark) { return contents.dropFirst(mark.count) }
            at = end
        }
        return nil
    }

    /// Chunks: length (big-endian), name, contents, checksum. `eXIf` may come before or after the pixels.
    private static func inPNG(_ png: [UInt8]) -> ArraySlice<UInt8>? {
        var at = 8
        while at + 12 <= png.count {
            let length = png[at..<(at + 4)].reduce(0) { $0 << 8 | Int($1) }
            guard length <= png.count - at - 12 else { return nil }
            if png[(at + 4)..<(at + 8)].elementsEqual("eXIf".utf8) {
                let contents = png[(at + 8)..<(at + 8 + length)]
                // Some programs write JPEG's prefix before the block.
                return contents.starts(with: mark) ? contents.dropFirst(mark.count) : contents
            }
            at += 12 + length
        }
        return nil
    }

    /// Chunks after 12 bytes: name, length (little-endian), contents, a byte where the length is odd.
    private static func inWebP(_ webp: [UInt8]) -> ArraySlice<UInt8>? {
        var at = 12
        while at + 8 <= webp.count {
            let length = webp[(at + 4)..<(at + 8)].reversed().reduce(0) { $0 << 8 | Int($1) }
            guard length <= webp.count - at - 8 else { return nil }
            if webp[at..<(at + 4)].elementsEqual("EXIF".utf8) {
                let contents = webp[(at + 8)..<(at + 8 + length)]
                return contents.starts(with: mark) ? contents.dropFirst(mark.count) : contents
            }
            at += 8 + length + length % 2
        }
        return nil
    }

    /// A TIFF block: byte order, 42, offset of the first directory; its entries take 12 bytes each: tag, type, count,
    /// value.
    private static func orientation(_ tiff: ArraySlice<UInt8>) -> Int? {
        let little = tiff.starts(with: Array("II".utf8))
        guard little || tiff.starts(with: Array("MM".utf8)) else { return nil }
        func number(_ at: Int, _ size: Int) -> Int? {
            guard at >= 0, at + size <= tiff.count else { return nil }
            let bytes = tiff[(tiff.startIndex + at)..<(tiff.startIndex + at + size)]
            return little ? bytes.reversed().reduce(0) { $0 << 8 | Int($1) } : bytes.reduce(0) { $0 << 8 | Int($1) }
        }
        guard let directory = number(4, 4), let count = number(directory, 2) else { return nil }
        for entry in 0..<count {
            let at = directory + 2 + 12 * entry
            guard let tag = number(at, 2), let type = number(at + 2, 2) else { return nil }
            guard tag == 0x0112 else { continue }
            // A SHORT by the standard; some programs write a LONG (4) or a BYTE (1).
            let size = type == 4 ? 4 : type == 1 ? 1 : 2
            return number(at + 8, size).flatMap { (1...8).contains($0) ? $0 : nil }
        }
        return nil
    }
}

extension Image {
    /// The image rotated and mirrored to upright from an EXIF orientation.
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
