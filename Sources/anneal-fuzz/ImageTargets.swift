import Anneal
import CZlib

/// Encoded images. zlib compresses at most 1032 bytes of a PNG into one, and a gray byte may become four.
let imageTargets = [
    FuzzTarget(name: "jpeg", memoryFactor: 8 * 1032) { work in
        let photograph = try photograph(20, 17).encoded(as: .jpeg(quality: 80))
        return try images([photograph] + work.fixtures(ending: ".jpg"))
    },
    FuzzTarget(name: "jpeg-parts", memoryFactor: 8 * 1032) { work in
        let photograph = try photograph(90, 70).encoded(as: .jpeg(quality: 80))
        return try partsOfImages([photograph] + work.fixtures(ending: ".jpg"))
    },
    FuzzTarget(name: "png", memoryFactor: 8 * 1032, suggestion: mendChecksums) { work in
        let photograph = try photograph(20, 17).encoded(as: .png(level: 6))
        return try images([photograph] + work.fixtures(ending: ".png"))
    },
    withFewPixels("webp", ".webp"), withFewPixels("gif", ".gif"), withFewPixels("tiff", ".tif"),
    withFewPixels("bmp", ".bmp"),
]

/// For formats in which a few bytes may stand for any number of pixels: the pixel limit determines the memory.
private func withFewPixels(_ name: String, _ ending: String) -> FuzzTarget {
    FuzzTarget(name: name) { work in try images(work.fixtures(ending: ending), maximumPixels: 1 << 18) }
}

private func photograph(_ width: Int, _ height: Int) -> Image {
    Image(
        width: width, height: height, channels: 3,
        pixels: (0..<width * height * 3).map { place in UInt8(truncatingIfNeeded: place * place / 7) })
}

/// Decodes to every number of channels, then as `anneal predict` does: rotated, resized, cropped, normalised.
private func images(_ seeds: [[UInt8]], maximumPixels: Int = Image.maximumPixels) throws -> FuzzReader {
    let decoder = try ImageDecoder(maximumPixels: maximumPixels)
    return FuzzReader(seeds: seeds) { bytes in
        for channels in [Image.Channels.asStored, .gray, .rgb, .rgba] {
            _ = try decoder.decode(bytes, as: channels)
        }
        var options = LoaderOptions(dataShape: [3, 8, 8], batchSize: 1)
        options.maximumPixels = maximumPixels
        options.augmentation.resize = 10
        try load(bytes, options)
    }
}

/// Decodes random parts, at full size and smaller, and the whole at a smaller size.
private func partsOfImages(_ seeds: [[UInt8]]) throws -> FuzzReader {
    FuzzReader(seeds: seeds) { bytes in
        for channels in [1, 3] {
            var options = LoaderOptions(dataShape: [channels, 3, 4], batchSize: 1)
            options.largeImage = 0
            options.augmentation.resize = 4
            try load(bytes, options)
            options.augmentation.resize = 0
            options.augmentation.resizedCrop = RandomResizedCrop(area: 0.05...1, ratio: 0.5...2)
            try load(bytes, options, epochs: 3)
            options.decodesExactly = true
            try load(bytes, options, epochs: 2)
        }
    }
}

/// The same image in each epoch.
private func load(_ bytes: [UInt8], _ options: LoaderOptions, epochs: Int = 1) throws {
    var options = options
    options.threads = 1
    let loader = try BatchLoader(ImageBytes(bytes), options: options)
    var data = [Float](repeating: 0, count: options.dataShape.count), label: [Float] = [0]
    for epoch in 0..<epochs {
        try loader.start(epoch: epoch, atBatch: 0)
        try data.withUnsafeMutableBufferPointer { data in
            _ = try label.withUnsafeMutableBufferPointer { try loader.next(into: BatchSlot(data: data, labels: $0)) }
        }
    }
}

/// A PNG's chunks: a big-endian length, a name of 4 bytes, the content, and the CRC of name and content.
@Sendable private func mendChecksums(_ bytes: inout [UInt8]) {
    var at = 8
    while at + 12 <= bytes.count {
        let length = bytes[at..<(at + 4)].reduce(0) { $0 << 8 | Int($1) }
        guard length <= bytes.count - at - 12 else { return }
        let end = at + 8 + length
        let sum = bytes[(at + 4)..<end].withUnsafeBufferPointer { crc32(0, $0.baseAddress, UInt32($0.count)) }
        for index in 0..<4 { bytes[end + index] = UInt8(truncatingIfNeeded: sum >> UInt(24 - 8 * index)) }
        at = end + 4
    }
}
