import AnnealCore
import AnnealData
import Foundation
import Testing

/// Archives in CIFAR's format, made here byte by byte: two images per batch.
@Suite struct CIFARDatasetTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    /// Levels computed from the image's number and the byte's position.
    private func planes(_ image: Int) -> [UInt8] {
        (0..<3072).map { UInt8(truncatingIfNeeded: image &* 31 &+ $0 &* 7 &+ $0 / 1024) }
    }

    private func tar(_ files: [(String, [UInt8])], damaged: Bool = false) -> [UInt8] {
        func field(_ text: String, _ count: Int) -> [UInt8] {
            var bytes = Array(text.utf8)
            bytes.append(contentsOf: repeatElement(0, count: count - bytes.count))
            return bytes
        }
        var archive: [UInt8] = []
        for (name, bytes) in files {
            var head: [UInt8] = field(name, 100)
            for number in ["0000644", "0000000", "0000000"] { head += field(number, 8) }
            head += field(String(bytes.count, radix: 8), 12)
            head += field("0", 12)
            head += Array("        0".utf8)
            head += field("", 100)
            head += Array("ustar\u{0}00".utf8)
            head += field("", 247)
            var sum = damaged ? 1 : 0
            for byte in head { sum += Int(byte) }
            head.replaceSubrange(148..<156, with: field(String(sum, radix: 8), 7) + [32])
            archive += head
            archive += bytes
            archive.append(contentsOf: repeatElement(0, count: (512 - bytes.count % 512) % 512))
        }
        archive.append(contentsOf: repeatElement(0, count: 1024))
        return archive
    }

    private let names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]

    private func binary() -> [(String, [UInt8])] {
        let folder = "cifar-10-batches-bin"
        var files: [(String, [UInt8])] = []
        let meta: String = names.joined(separator: "\n") + "\n\n"
        files.append(("\(folder)/batches.meta.txt", Array(meta.utf8)))
        for batch in 0..<6 {
            var bytes: [UInt8] = []
            for image in (2 * batch)..<(2 * batch + 2) {
                bytes.append(UInt8(image % 10))
                bytes += planes(image)
            }
            let name = batch < 5 ? "data_batch_\(batch + 1).bin" : "test_batch.bin"
            files.append(("\(folder)/\(name)", bytes))
        }
        return files
    }

    private func expectTheImages(_ set: CIFARDataset) {
        #expect(set.training.count == 10 && set.validation.count == 2 && set.classNames == names)
        #expect((0..<10).map { set.training.label($0) } == Array(0..<10) && set.validation.label(1) == 1)
        let image = set.validation.image(1), planes = planes(11)
        // Red, green, blue of the pixel in row 2, column 5.
        #expect(Array(image.pixels[(69 * 3)..<(70 * 3)]) == [planes[69], planes[1024 + 69], planes[2048 + 69]])
    }

    @Test func binaryArchivesAndFolders() throws {
        let archive = try folder.file("cifar-10-binary.tar", tar(binary()))
        let set = try CIFARDataset(.cifar10, archive)
        expectTheImages(set)
        let extracted = "\(folder.path)/x/cifar-10-batches-bin"
        try Files.makeFolder(extracted)
        for (name, bytes) in binary() {
            try Files.writeAtomically(Data(bytes), to: "\(folder.path)/x/\(name)")
        }
        expectTheImages(try CIFARDataset(.cifar10, extracted))
        expectTheImages(try CIFARDataset(.cifar10, "\(folder.path)/x"))
        // PNG is lossless.
        try set.validation.pack(to: "\(folder.path)/val")
        let record = try RecordFile("\(folder.path)/val.rec").read(1)
        #expect(try ImageDecoder().decode(record, from: 24) == set.validation.image(1))
        #expect(try ImageList(file: "\(folder.path)/val.lst").lines[1] == "1\t1.000000\ttest/1")
    }

    /// Each image of CIFAR-100 has its superclass's label and its own.
    @Test func cifar100() throws {
        let fine = (0..<100).map { "fine-\($0)" }, coarse = (0..<20).map { "coarse-\($0)" }
        let archive = try folder.file(
            "c100.tar",
            tar([
                ("c/train.bin", [3, 42] + planes(0) + [19, 99] + planes(1)), ("c/test.bin", [0, 7] + planes(2)),
                ("c/fine_label_names.txt", Array(fine.joined(separator: "\n").utf8)),
                ("c/coarse_label_names.txt", Array(coarse.joined(separator: "\n").utf8)),
            ]))
        let own = try CIFARDataset(.cifar100, archive), above = try CIFARDataset(.cifar100Coarse, archive)
        #expect((0..<2).map { own.training.label($0) } == [42, 99] && own.classNames == fine)
        #expect((0..<2).map { above.training.label($0) } == [3, 19] && above.classNames == coarse)
    }

    /// As Python 2 pickled them (protocol 2): strings, a list of labels, an array by `_reconstruct` and its state.
    /// - Parameter byColumns: the array is stored column by column.
    private func pickledBatch(
        _ images: Range<Int>, function: String = "numpy.core.multiarray\n_reconstruct", byColumns: Bool = false
    ) -> [UInt8] {
        var out: [UInt8] = [0x80, 2]
        func short(_ text: String) {
            out += [UInt8(ascii: "U"), UInt8(text.utf8.count)]
            out += Array(text.utf8)
        }
        func code(_ text: String) { out += Array(text.utf8) }
        func word(_ value: Int, _ size: Int) {
            for byte in 0..<size { out.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
        }
        func number(_ value: Int) { out += [UInt8(ascii: "K"), UInt8(value)] }
        code("}q\u{1}(")
        short("data")
        code("q\u{2}c\(function)\nq\u{3}cnumpy\nndarray\nq\u{4}")
        number(0)
        out.append(0x85)
        short("b")
        out.append(0x87)
        code("R(")
        number(1)
        number(images.count)
        code("M")
        word(3072, 2)
        out.append(0x86)
        code("cnumpy\ndtype\n")
        short("u1")
        number(0)
        number(1)
        out.append(0x87)
        code("R(")
        number(3)
        short("|")
        code("NNNJ")
        word(-1, 4)
        code("J")
        word(-1, 4)
        number(0)
        code("tb")
        out.append(byColumns ? 0x88 : 0x89)
        code("T")
        word(3072 * images.count, 4)
        if byColumns {
            for place in 0..<3072 { for image in images { out.append(planes(image)[place]) } }
        } else {
            for image in images { out += planes(image) }
        }
        code("tb")
        short("labels")
        code("](")
        for image in images { number(image % 10) }
        code("eu.")
        return out
    }

    private func pickledNames() -> [UInt8] {
        var out: [UInt8] = [0x80, 2]
        out += Array("}U\u{B}label_names](".utf8)
        for name in names {
            out += [UInt8(ascii: "U"), UInt8(name.utf8.count)]
            out += Array(name.utf8)
        }
        out += Array("es.".utf8)
        return out
    }

    @Test func archivesForPython() throws {
        let files = (1...5).map {
            ("d/data_batch_\($0)", pickledBatch((2 * $0 - 2)..<(2 * $0), byColumns: $0 == 3))
        }
        let archive = try folder.file(
            "python.tar", tar(files + [("d/test_batch", pickledBatch(10..<12)), ("d/batches.meta", pickledNames())]))
        expectTheImages(try CIFARDataset(.cifar10, archive))
    }

    /// As Python 2 wrote them, of protocols 0 and 2, with names that are not UTF-8: made by Fixtures/cifar/make.py, and read
    /// by Python's own pickle.
    @Test func archivesOfPython2() throws {
        let here = "AnnealDataTests/Importing/CIFARDatasetTests.swift"
        let fixtures = "\(#filePath)".replacing(here, with: "Fixtures/cifar")
        expectTheImages(try CIFARDataset(.cifar10, "\(fixtures)/cifar-10-python.tar.gz"))
        let archive = "\(fixtures)/cifar-100-python.tar.gz"
        let own = try CIFARDataset(.cifar100, archive), above = try CIFARDataset(.cifar100Coarse, archive)
        #expect((0..<2).map { own.training.label($0) } == [42, 99] && own.validation.label(0) == 7)
        #expect((0..<2).map { above.training.label($0) } == [3, 19] && above.validation.label(0) == 0)
        #expect(own.classNames == (0..<100).map { "fine-\($0)" } && above.classNames.last == "coarse-19")
        #expect(own.validation.image(0).pixels.prefix(3) == [planes(2)[0], planes(2)[1024], planes(2)[2048]])
    }

    /// Input that would take as much memory as many files, or be freed by too deep a recursion.
    @Test func picklesThatExplode() throws {
        func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
        // None, and around it a tuple of one, many times.
        let nested = bytes("N") + Array(repeating: 0x85, count: 300_000) + bytes(".")
        // A text of 7,232 letters, encoded over and over.
        let encoding = bytes("c_codecs\nencode\nh\u{1}") + [0x85] + bytes("R")
        let text = bytes("X") + [0x40, 0x1C, 0, 0] + Array(repeating: 0x61, count: 0x1C40) + bytes("q\u{1}")
        for (pickle, problem) in [
            (nested, "is not a batch of cifar10"),
            (
                text + Array(repeating: encoding, count: 500).flatMap { $0 },
                "would expand to more bytes than the file has"
            ),
        ] {
            let path = try folder.file("bad.tar", tar([("d/data_batch_1", pickle)]))
            let error = message { _ = try CIFARDataset(.cifar10, path) }
            #expect(error.contains("data_batch_1: ") && error.contains(problem), "\(error)")
        }
    }

    /// A pickle that calls a function is refused.
    @Test func picklesRunNothing() throws {
        let bad = pickledBatch(0..<2, function: "os\nsystem")
        let files = (1...5).map { ("d/data_batch_\($0)", bad) }
        let archive = try folder.file(
            "bad.tar", tar(files + [("d/test_batch", bad), ("d/batches.meta", pickledNames())]))
        let error = message { _ = try CIFARDataset(.cifar10, archive) }
        #expect(error.contains("bad.tar, data_batch_1: byte"), "\(error)")
        #expect(error.contains("holds os.system, which CIFAR's batches do not need"), "\(error)")
    }

    @Test func damagedArchivesAreNamed() throws {
        let whole = tar(binary())
        func read(_ bytes: [UInt8]) -> String {
            message { _ = try CIFARDataset(.cifar10, try folder.file("bad.tar", bytes)) }
        }
        #expect(read(Array(whole[..<3000])).contains("bad.tar: ends inside a file"))
        #expect(read(tar(binary(), damaged: true)).contains("is not a tar archive"))
        #expect(read(tar(Array(binary().dropLast()))).contains("has no test_batch or test_batch.bin"))
        var short = binary()
        short[2].1.removeLast()
        #expect(read(tar(short)).contains("data_batch_2.bin: 6145 bytes are not a multiple of 3073"))
        var random = Random(seed: 4, purpose: .test)
        for _ in 0..<100 {
            var bytes = random.bool() ? whole : tar([("d/data_batch_1", pickledBatch(0..<2))])
            for _ in 0...random.below(8) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            do { _ = try CIFARDataset(.cifar10, try folder.file("f.tar", bytes)) } catch is AnnealError {}
        }
    }

    /// RFC 1321's test suite; nothing is known of other files.
    @Test func sumsOfPublishedFiles() throws {
        let file = try folder.file("cifar-10-binary.tar.gz", Array("message digest".utf8))
        #expect(
            try PublishedChecksums.check(file, of: "cifar10") == .differs("f96b697d7cb7938d525a2f31aaf161d0"))
        #expect(try PublishedChecksums.check(try folder.file("x"), of: "cifar10") == .unknown)
        let long = try folder.file(
            "train-images-idx3-ubyte.gz", Array(String(repeating: "1234567890", count: 8).utf8))
        #expect(try PublishedChecksums.check(long, of: "mnist") == .differs("57edf4a22be3c955ac49da2e2107b67a"))
    }
}
