import AnnealCore

/// The format of an encoded image, from its first bytes.
public enum ImageFormat: String, Sendable, CaseIterable {
    case jpeg = "JPEG"
    case png = "PNG"
    case gif = "GIF"
    case bmp = "BMP"
    case webp = "WebP"
    case tiff = "TIFF"
    case heif = "HEIF"
    case avif = "AVIF"
    case jpegXL = "JPEG XL"
    case jpeg2000 = "JPEG 2000"

    /// Whether MXNet's iterator reads it, so that records may hold it.
    var isRecordFormat: Bool { self == .jpeg || self == .png }
    /// Whether `ImageDecoder` reads it.
    public var isDecoded: Bool {
        switch self {
        case .jpeg, .png, .gif, .bmp, .webp, .tiff: true
        case .heif, .avif, .jpegXL, .jpeg2000: false
        }
    }

    /// For messages.
    static let decodedNames = "JPEG, PNG, WebP, GIF, BMP or TIFF"

    /// nil if the bytes do not begin with any of these formats.
    public init?(_ bytes: some Collection<UInt8>) {
        let start = Array(bytes.prefix(12))
        func begins(_ text: String, at offset: Int = 0) -> Bool {
            start.dropFirst(offset).starts(with: Array(text.utf8))
        }
        if start.starts(with: [0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if start.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if begins("GIF8") {
            self = .gif
        } else if begins("RIFF"), begins("WEBP", at: 8) {
            self = .webp
        } else if start.starts(with: [0x49, 0x49, 0x2A, 0]) || start.starts(with: [0x4D, 0x4D, 0, 0x2A]) {
            self = .tiff
        } else if begins("ftypavif", at: 4) || begins("ftypavis", at: 4) {
            self = .avif
        } else if ["heic", "heix", "hevc", "mif1", "msf1"].contains(where: { begins("ftyp" + $0, at: 4) }) {
            self = .heif
        } else if start.starts(with: [0xFF, 0x0A]) || begins("JXL ", at: 4) {
            self = .jpegXL
        } else if begins("jP  ", at: 4) {
            self = .jpeg2000
        } else if begins("BM") {
            self = .bmp
        } else {
            return nil
        }
    }

    /// From a file's first bytes; nil if it cannot be read.
    init?(file path: FilePath) {
        guard let file = try? FileBytes(path) else { return nil }
        var bytes: [UInt8] = []
        guard (try? file.append(min(12, file.size), at: 0, to: &bytes)) != nil else { return nil }
        self.init(bytes)
    }
}

/// Format and size of an encoded image, without decoding.
public struct ImageHeader: Sendable, Equatable {
    public var format: ImageFormat
    public var width: Int
    public var height: Int

    public init(format: ImageFormat, width: Int, height: Int) {
        self.format = format
        self.width = width
        self.height = height
    }

    /// nil if these bytes are not such an image, or end before its size.
    public init?(_ bytes: ArraySlice<UInt8>) {
        guard let format = ImageFormat(bytes) else { return nil }
        self.format = format
        let found: (width: Int, height: Int)? =
            switch format {
            case .jpeg: Self.sizeOfJPEG(bytes)
            case .png: Self.sizeOfPNG(bytes)
            case .gif: Self.sizeOfGIF(bytes)
            case .bmp: Self.sizeOfBMP(bytes)
            case .webp: Self.sizeOfWebP(bytes)
            case .tiff: Self.sizeOfTIFF(bytes)
            default: nil
            }
        guard let found, found.width > 0, found.height > 0 else { return nil }
        (width, height) = found
    }

    /// The big-endian number at an offset from the start.
    private static func number(_ bytes: ArraySlice<UInt8>, at offset: Int, size: Int) -> Int? {
        guard offset >= 0, offset + size <= bytes.count else { return nil }
        let start = bytes.startIndex + offset
        return bytes[start..<(start + size)].reduce(0) { $0 << 8 | Int($1) }
    }

    /// The little-endian number at an offset from the start.
    private static func little(_ bytes: ArraySlice<UInt8>, at offset: Int, size: Int) -> Int? {
        guard offset >= 0, offset + size <= bytes.count else { return nil }
        let start = bytes.startIndex + offset
        return bytes[start..<(start + size)].reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    private static func sizeOfGIF(_ bytes: ArraySlice<UInt8>) -> (Int, Int)? {
        guard let width = little(bytes, at: 6, size: 2), let height = little(bytes, at: 8, size: 2), bytes.count >= 13
        else { return nil }
        return (width, height)
    }

    /// The height is negative where rows begin at the top.
    private static func sizeOfBMP(_ bytes: ArraySlice<UInt8>) -> (Int, Int)? {
        guard let header = little(bytes, at: 14, size: 4) else { return nil }
        let size = header == 12 ? 2 : 4
        guard let width = little(bytes, at: 18, size: size), let height = little(bytes, at: 18 + size, size: size)
        else { return nil }
        return (width, size == 2 ? height : abs(Int(Int32(truncatingIfNeeded: height))))
    }

    /// Chunk `VP8X`, lossless `VP8L` or lossy `VP8 ` after 12 bytes.
    private static func sizeOfWebP(_ bytes: ArraySlice<UInt8>) -> (Int, Int)? {
        guard let kind = little(bytes, at: 12, size: 4) else { return nil }
        switch kind {
        case 0x5838_5056:
            guard let width = little(bytes, at: 24, size: 3), let height = little(bytes, at: 27, size: 3) else {
                return nil
            }
            return (width + 1, height + 1)
        case 0x4C38_5056:
            guard little(bytes, at: 20, size: 1) == 0x2F, let word = little(bytes, at: 21, size: 4) else { return nil }
            return (word & 0x3FFF + 1, word >> 14 & 0x3FFF + 1)
        case 0x2038_5056:
            guard let width = little(bytes, at: 26, size: 2), let height = little(bytes, at: 28, size: 2) else {
                return nil
            }
            return (width & 0x3FFF, height & 0x3FFF)
        default: return nil
        }
    }

    /// Tags 256 and 257 of the first directory, which may come after the pixels.
    private static func sizeOfTIFF(_ bytes: ArraySlice<UInt8>) -> (Int, Int)? {
        let isLittle = bytes.first == 0x49
        func value(_ offset: Int, _ size: Int) -> Int? {
            isLittle ? little(bytes, at: offset, size: size) : number(bytes, at: offset, size: size)
        }
        guard let directory = value(4, 4), let count = value(directory, 2) else { return nil }
        var found: [Int: Int] = [:]
        for entry in 0..<count {
            let at = directory + 2 + 12 * entry
            guard let tag = value(at, 2), let type = value(at + 2, 2) else { return nil }
            if tag == 256 || tag == 257 { found[tag] = value(at + 8, type == 4 ? 4 : 2) }
        }
        guard let width = found[256], let height = found[257] else { return nil }
        return (width, height)
    }

    /// IHDR is the first chunk, after 8 bytes of signature.
    private static func sizeOfPNG(_ bytes: ArraySlice<UInt8>) -> (Int, Int)? {
        guard number(bytes, at: 12, size: 4) == 0x4948_4452, let width = number(bytes, at: 16, size: 4),
            let height = number(bytes, at: 20, size: 4)
        else { return nil }
        return (width, height)
    }

    /// Segments: FF (once or more), marker, length (big-endian, counting itself), until a frame's header.
    private static func sizeOfJPEG(_ bytes: ArraySlice<UInt8>) -> (Int, Int)? {
        var at = 2
        while let mark = number(bytes, at: at, size: 1), let marker = number(bytes, at: at + 1, size: 1) {
            // Stray bytes are skipped, as in libjpeg.
            guard mark == 0xFF, marker != 0xFF, marker != 0 else {
                at += 1
                continue
            }
            switch marker {
            case 0xC0...0xC3, 0xC5...0xC7, 0xC9...0xCB, 0xCD...0xCF:
                guard let height = number(bytes, at: at + 5, size: 2), let width = number(bytes, at: at + 7, size: 2)
                else { return nil }
                return (width, height)
            case 0xD9, 0xDA: return nil
            case 0x01, 0xD0...0xD8: at += 2
            default:
                guard let length = number(bytes, at: at + 2, size: 2), length >= 2 else { return nil }
                at += 2 + length
            }
        }
        return nil
    }
}
