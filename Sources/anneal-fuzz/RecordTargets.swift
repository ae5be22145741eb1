import Anneal
import CZlib
import Foundation

/// Record files, their indexes and lists, and MNIST's files.
let recordTargets = [
    FuzzTarget(name: "rec") { work in
        let seeds = try records(work)
        return FuzzReader(seeds: [seeds.records]) { bytes in
            let file = try RecordFile(try work.write(bytes, "input.rec"))
            try readAll(file)
        }
    },
    FuzzTarget(name: "idx", isText: true) { work in
        let seeds = try records(work)
        let path = try work.write(seeds.records, "whole.rec")
        return FuzzReader(seeds: [seeds.index]) { bytes in
            try readAll(try RecordFile(path, index: try work.write(bytes, "input.idx")))
        }
    },
    FuzzTarget(name: "lst", isText: true) { work in
        let list = "0\t3.000000\tcat/0.jpg\n7\t1.000000\t0.500000\t-1.000000\tdog/a b.png\r\n12\t0\tdog/c.png\n"
        return FuzzReader(seeds: [Array(list.utf8)]) { bytes in
            let list = try ImageList(file: try work.write(bytes, "input.lst"))
            var options = LoaderOptions(dataShape: [3, 4, 4], batchSize: 1)
            options.relabel(with: list)
            _ = list.lines
        }
    },
    // gzip packs at most 1032 bytes into one; arrays double as they grow.
    FuzzTarget(name: "mnist-idx", memoryFactor: 4 * 1032) { work in
        let header: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 4, 0, 0, 0, 3]
        let images = header + (0..<60).map { UInt8($0) }
        let labels = try work.write([0, 0, 8, 1, 0, 0, 0, 5, 0, 1, 2, 0, 1], "labels")
        return FuzzReader(seeds: [images, gzip(images)]) { bytes in
            let data = try IDXDataset(images: try work.write(bytes, "input"), labels: labels)
            for index in 0..<min(data.count, 10) { _ = data.image(index) }
        }
    },
    FuzzTarget(name: "class-names", isText: true) { work in
        let names = "n01440764 tench, Tinca tinca\nn01443537 goldfish\nplane\nauto mobile\n"
        return FuzzReader(seeds: [Array(names.utf8)]) { bytes in
            _ = try ClassNames.read(try work.write(bytes, "input.txt"))
        }
    },
]

/// Records with one label and with several, with images, and with one that the magic number splits.
private func records(_ work: Workspace) throws -> (records: [UInt8], index: [UInt8]) {
    let writer = try RecordWriter(work.path("seed.rec"), index: work.path("seed.idx"))
    let magic: [UInt8] = [0x0A, 0x23, 0xD7, 0xCE]
    let image = Image(width: 6, height: 5, channels: 3, pixels: (0..<90).map { UInt8($0 * 2) })
    try writer.write(IRHeader(label: 1, id: 0).packed(try image.encoded(as: .png(level: 6))))
    try writer.write(IRHeader(labels: [2, 0.5, -1], id: 1).packed(try image.encoded(as: .jpeg(quality: 60))))
    try writer.write(IRHeader(label: 3, id: 2).packed(magic + [1, 2, 3, 4] + magic + magic + [5]))
    try writer.finish()
    return (try work.bytes("seed.rec"), try work.bytes("seed.idx"))
}

/// Each record, as training reads them; images are left out, for they are a target of their own.
private func readAll(_ file: RecordFile) throws {
    var payload: [UInt8] = []
    for number in 0..<file.count {
        _ = try file.readSample(number, epoch: 0, into: &payload)
        _ = try file.parts(of: number)
    }
}

/// As `gzip` writes it, with zlib's own format inside.
private func gzip(_ bytes: [UInt8]) -> [UInt8] {
    var stream = z_stream()
    let status = deflateInit2_(
        &stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else { return [] }
    defer { deflateEnd(&stream) }
    var input = bytes
    return [UInt8](unsafeUninitializedCapacity: bytes.count + 64) { output, count in
        input.withUnsafeMutableBufferPointer { input in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            stream.next_out = output.baseAddress
            stream.avail_out = UInt32(output.count)
            deflate(&stream, Z_FINISH)
            count = output.count - Int(stream.avail_out)
        }
    }
}
