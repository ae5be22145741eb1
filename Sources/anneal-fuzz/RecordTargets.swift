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
    // gzip compresses at most 1032 bytes into one; arrays double as they grow.
    FuzzTarget(name: "mnist-idx", memoryFactor: 4 * 1032) { work in
        let header: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 4, 0, 0, 0, 3]
        let images = header + (0..<60).map { UInt8($0) }
        let labels = try work.write([0, 0, 8, 1, 0, 0, 0, 5, 0, 1, 2, 0, 1], "labels")
        return FuzzReader(seeds: [images, gzip(images)]) { bytes in
            let data = try IDXDataset(images: try work.write(bytes, "input"), labels: labels)
            for index in 0..<min(data.count, 10) { _ = data.image(index) }
        }
    },
    // The archives, compressed and not, and a batch, each byte of which may become a separate value.
    FuzzTarget(name: "cifar-archive", memoryFactor: 4 * 1032) { work in
        let packed = try work.fixtures(ending: "-python.tar.gz")
        let plain = try packed.map { try unpacked($0, work) }
        return FuzzReader(seeds: packed + plain) { bytes in
            let path = try work.write(bytes, "input.tar")
            do {
                try readAll(CIFARDataset(.cifar10, path))
            } catch let error as AnnealError where error.code == .notFound {
                try readAll(CIFARDataset(.cifar100, path))
            }
        }
    },
    FuzzTarget(name: "cifar-pickle", memoryFactor: 512) { work in
        try Files.makeFolder(work.path("cifar"))
        let batches = try cifarBatches(work)
        for (name, bytes) in batches { _ = try work.write(bytes, "cifar/\(name)") }
        return FuzzReader(seeds: ["data_batch_1", "data_batch_5"].compactMap { batches[$0] }) { bytes in
            _ = try work.write(bytes, "cifar/data_batch_1")
            try readAll(CIFARDataset(.cifar10, work.path("cifar")))
        }
    },
    FuzzTarget(name: "class-names", isText: true) { work in
        let names = "n01440764 tench, Tinca tinca\nn01443537 goldfish\nplane\nauto mobile\n"
        return FuzzReader(seeds: [Array(names.utf8)]) { bytes in
            _ = try ClassNames.read(try work.write(bytes, "input.txt"))
        }
    },
]

/// Records with one label and with several, with images, and one that is split at the magic number.
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

/// Reads each record as training does; images are skipped, since they are a separate target.
private func readAll(_ file: RecordFile) throws {
    var payload: [UInt8] = []
    for number in 0..<file.count {
        _ = try file.readSample(number, epoch: 0, into: &payload)
        _ = try file.parts(of: number)
    }
}

/// In gzip's own format, with zlib's format inside.
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

/// A few images, as they are packed.
private func readAll(_ set: CIFARDataset) throws {
    for part in [set.training, set.validation] {
        for index in 0..<min(part.count, 4) { _ = (part.image(index), part.label(index)) }
    }
}

private func unpacked(_ archive: [UInt8], _ work: Workspace) throws -> [UInt8] {
    let path = try work.write(archive, "seed.tar.gz")
    guard let file = gzopen(path, "rb") else { throw AnnealError(path, "cannot be read") }
    defer { gzclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = gzread(file, &bytes, UInt32(bytes.count))
    return Array(bytes.prefix(max(0, Int(count))))
}

/// The files of CIFAR-10's archive, by name: blocks of 512 bytes, first a header with the name and, in octal digits, the size.
private func cifarBatches(_ work: Workspace) throws -> [String: [UInt8]] {
    let archive = try unpacked(work.fixtures(ending: "cifar-10-python.tar.gz")[0], work)
    var files: [String: [UInt8]] = [:], at = 0
    while at + 512 <= archive.count, archive[at] != 0 {
        let name = String(decoding: archive[at..<(at + 100)].prefix { $0 != 0 }, as: UTF8.self)
        let digits = String(decoding: archive[(at + 124)..<(at + 135)], as: UTF8.self)
        let size = Int(digits, radix: 8) ?? 0
        // A folder has no size.
        if size > 0 { files[Files.name(of: name)] = Array(archive[(at + 512)..<(at + 512 + size)]) }
        at += 512 + (size + 511) / 512 * 512
    }
    return files
}
