import Anneal
import CZlib

/// Encoded images. A PNG's zlib packs at most 1032 bytes into one, and a grey byte may become four.
let imageTargets = [
    FuzzTarget(name: "jpeg", memoryFactor: 8 * 1032) { work in
        let photograph = try photograph.encoded(as: .jpeg(quality: 80))
        return try images(work, [photograph] + work.fixtures(ending: ".jpg"))
    },
    FuzzTarget(name: "png", memoryFactor: 8 * 1032, suggestion: mendChecksums) { work in
        let photograph = try photograph.encoded(as: .png(level: 6))
        return try images(work, [photograph] + work.fixtures(ending: ".png"))
    },
]

private let photograph = Image(
    width: 20, height: 17, channels: 3,
    pixels: (0..<20 * 17 * 3).map { place in UInt8(truncatingIfNeeded: place * place / 7) })

/// Decodes to every number of channels, then as `anneal predict` does: turned, resized, cropped, normalised.
private func images(_ work: Workspace, _ seeds: [[UInt8]]) throws -> FuzzReader {
    let decoder = try ImageDecoder()
    return FuzzReader(seeds: seeds) { bytes in
        for channels in [Image.Channels.asStored, .gray, .rgb, .rgba] {
            _ = try decoder.decode(bytes, as: channels)
        }
        var options = LoaderOptions(dataShape: [3, 8, 8], batchSize: 1)
        options.threads = 1
        options.augmentation.resize = 10
        let loader = try BatchLoader(ImageBytes(bytes), options: options)
        try loader.start(epoch: 0, atBatch: 0)
        var data = [Float](repeating: 0, count: 3 * 8 * 8), label: [Float] = [0]
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
