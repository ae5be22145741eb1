import AnnealCore
import AnnealData
import Foundation
import Testing

@Suite struct PackingTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func makeImages() throws -> String {
        let root = "\(folder.path)/images"
        for name in ["b", "a", "a/z"] { try Files.makeFolder("\(root)/\(name)") }
        for (name, seed) in [("b/1.png", 1), ("b/0.PNG", 2), ("a/x.png", 3), ("a/z/y.png", 4)] {
            try Files.writeAtomically(
                Data(try pattern(20, 10, seed: seed).encoded(as: .png(level: 1))), to: "\(root)/\(name)")
        }
        try Files.writeAtomically(Data("no image".utf8), to: "\(root)/a/notes.txt")
        return root
    }

    @Test func walksAsIm2rec() throws {
        let (list, classes) = try ImageList.scan(try makeImages())
        #expect(
            list.lines == [
                "0\t0.000000\ta/x.png", "1\t1.000000\ta/z/y.png", "2\t2.000000\tb/0.PNG", "3\t2.000000\tb/1.png",
            ])
        #expect(classes == ["a", "a/z", "b"])
        #expect(message { _ = try ImageList.scan("\(folder.path)/none") }.contains("none"))
    }

    /// The order of Python 3's `random.seed(100); random.shuffle(list(range(13)))`.
    @Test func shufflesAsPython() {
        let list = ImageList((0..<13).map { .init(id: $0, labels: [0], path: "x") })
        #expect(list.shuffledAsIm2rec().items.map(\.id) == [9, 1, 8, 10, 0, 4, 3, 5, 6, 12, 11, 7, 2])
        let parts = list.split(trainRatio: 0.6, testRatio: 0.2)
        #expect(parts.map(\.suffix) == ["_test", "_val", "_train"])
        #expect(parts.map { $0.list.items.count } == [2, 4, 7])
        #expect(list.split(chunks: 2).map { $0.list.items.count } == [7, 6])
    }

    @Test func idsThatComeTwiceAreRefused() throws {
        let root = try makeImages()
        var list = try ImageList.scan(root).list
        list.items[3].id = list.items[1].id
        let error = message { _ = try RecordPacker().pack(list, root: root, to: "\(folder.path)/twice") }
        #expect(error.contains("twice.idx") && error.contains("a/z/y.png") && error.contains("b/1.png"))
        #expect(!Files.exists("\(folder.path)/twice.rec"))
    }

    @Test func packsFilesAsTheyAreOrAnew() throws {
        let root = try makeImages()
        let list = try ImageList.scan(root).list
        var packer = RecordPacker()
        packer.passThrough = true
        #expect(try packer.pack(list, root: root, to: "\(folder.path)/p").count == 4)
        let file = try RecordFile("\(folder.path)/p.rec", index: "\(folder.path)/p.idx")
        var start = 0
        let payload = try file.read(2)
        #expect(try IRHeader(payload, imageStart: &start) == IRHeader(label: 2, id: 2))
        #expect(Array(payload[start...]) == [UInt8](try Files.read("\(root)/b/0.PNG")))

        packer.passThrough = false
        packer.encoding = .png(level: 3)
        packer.centerCrop = true
        packer.resize = 5
        _ = try packer.pack(list, root: root, to: "\(folder.path)/q")
        let small = try RecordFile("\(folder.path)/q.rec").read(0)
        let image = try ImageDecoder().decode(small, from: 24)
        #expect(
            image == pattern(20, 10, seed: 3).cropped(x: 5, y: 0, width: 10, height: 10).resized(width: 5, height: 5))
    }

    /// A camera held sideways: 6 means that the first row is the right side of the upright picture.
    @Test(arguments: [1, 3, 6, 8]) func photographsAreTurnedUpright(orientation: Int) throws {
        // Quarters of 16 x 8 pixels with the grays 40, 80, 120, 160: left to right, top to bottom.
        var image = Image(width: 32, height: 16, channels: 1, filledWith: 0)
        for y in 0..<16 { for x in 0..<32 { image.pixels[y * 32 + x] = UInt8(40 * (1 + x / 16 + y / 8 * 2)) } }
        let plain = try image.encoded(as: .jpeg(quality: 100))
        let exif: [UInt8] =
            Array("Exif\0\0MM".utf8) + [0, 42, 0, 0, 0, 8, 0, 1]
            + [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, UInt8(orientation), 0, 0, 0, 0, 0, 0]
        let bytes = plain.prefix(2) + [0xFF, 0xE1, 0, UInt8(exif.count + 2)] + exif + plain.dropFirst(2)
        try Files.writeAtomically(Data(bytes), to: "\(folder.path)/photo.jpg")
        var packer = RecordPacker()
        packer.encoding = .png(level: 1)
        packer.channels = .gray
        let list = ImageList([.init(id: 0, labels: [0], path: "photo.jpg")])
        _ = try packer.pack(list, root: folder.path, to: "\(folder.path)/photo")
        let upright = try ImageDecoder().decode(try RecordFile("\(folder.path)/photo.rec").read(0), from: 24, as: .gray)
        #expect(upright.width == (orientation < 5 ? 32 : 16))
        // The quarter that is now at the upper left.
        #expect(abs(Int(upright.pixels[0]) - 40 * [1: 1, 3: 4, 6: 3, 8: 2][orientation, default: 0]) < 4)
    }

    /// Names of folders and images, the list and the records.
    @Test func pathsAreBytes() throws {
        func odd(_ name: String) -> String { FilePath(bytes: [0xE9] + name.utf8).text }
        let root = "\(folder.path)/\(odd("root"))", prefix = "\(folder.path)/\(odd("set"))"
        let image = try Image(width: 4, height: 4, channels: 1, filledWith: 9).encoded(as: .png(level: 1))
        for name in ["a", odd("b")] {
            try Files.makeFolder("\(root)/\(name)")
            try Files.writeAtomically(Data(image), to: "\(root)/\(name)/\(odd(".png"))")
        }
        let (list, classes) = try ImageList.scan(root)
        #expect(classes == ["a", odd("b")])
        try list.write(to: "\(prefix).lst")
        let bytes = try Files.read("\(prefix).lst")
        #expect(
            bytes.split(separator: 10).first.map(Array.init) == Array("0\t0.000000\ta/".utf8) + [0xE9] + ".png".utf8)
        #expect(try ImageList(file: "\(prefix).lst") == list)
        #expect(try RecordPacker().pack(list, root: root, to: prefix).count == 2)
        #expect(try RecordFile("\(prefix).rec", index: "\(prefix).idx").count == 2)
        #expect(try RecordFile("\(prefix).rec").indexPath == "\(prefix).idx")
    }

    @Test func badFilesAreNamedOrLeftOut() throws {
        let root = try makeImages()
        try Files.writeAtomically(Data("broken".utf8), to: "\(root)/b/0.PNG")
        let list = try ImageList.scan(root).list
        var packer = RecordPacker()
        #expect(message { _ = try packer.pack(list, root: root, to: "\(folder.path)/r") }.contains("b/0.PNG: 6 bytes"))
        #expect(!Files.exists("\(folder.path)/r.rec") && !Files.exists("\(folder.path)/r.idx"))
        packer.onBadImage = .skip
        let summary = try packer.pack(list, root: root, to: "\(folder.path)/r")
        #expect(summary.count == 3 && summary.skipped.count == 1)
        #expect(try RecordFile("\(folder.path)/r.rec", index: "\(folder.path)/r.idx").entries.map(\.key) == [0, 1, 3])
    }

    @Test func packsIDXFiles() throws {
        let pixels = (0..<(3 * 2 * 4)).map { UInt8($0 * 10) }
        let images = try folder.file("i", [0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 4] + pixels)
        let labels = try folder.file("l", [0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 9])
        let set = try IDXDataset(images: images, labels: labels)
        #expect(set.count == 3 && set.height == 2 && set.width == 4)
        try set.pack(to: "\(folder.path)/set")
        let file = try RecordFile("\(folder.path)/set.rec", index: "\(folder.path)/set.idx")
        let payload = try file.read(2)
        var start = 0
        #expect(try IRHeader(payload, imageStart: &start) == IRHeader(label: 9, id: 2))
        let image = try ImageDecoder().decode(payload, from: start, as: .asStored)
        #expect(image == Image(width: 4, height: 2, channels: 1, pixels: Array(pixels[16...])))
        #expect(try ImageList(file: "\(folder.path)/set.lst").lines.first == "0\t5.000000\ti/0")
    }

    @Test func badIDXFilesAreNamed() throws {
        let good: [UInt8] = [0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 9]
        func read(_ bytes: [UInt8]) -> String { message { _ = try IDXFile(try folder.file("l", bytes)) } }
        #expect(message { _ = try IDXFile("\(folder.path)/none") }.contains("none: cannot be read: No such file"))
        #expect(read([1, 2]).contains("is not an IDX file"))
        #expect(read([0, 0, 13, 1, 0, 0, 0, 1, 0]).contains("type 13"))
        #expect(read(Array(good.dropLast())).contains("ends after 2 values"))
        #expect(read(good + [1]).contains("has more bytes after"))
        #expect(read([0, 0, 8, 4] + [UInt8](repeating: 255, count: 16)).contains("too many"))
        #expect(read([0x1F, 0x8B, 8, 0, 0, 0]).contains("/l"))
        let labels = try folder.file("m", good)
        #expect(
            message { _ = try IDXDataset(images: labels, labels: labels) }.contains("expected (images, height, width)"))
        var random = Random(seed: 3, purpose: .test)
        for _ in 0..<200 {
            var bytes = good
            for _ in 0...random.below(3) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            do { _ = try IDXFile(try folder.file("l", bytes)) } catch is AnnealError {}
        }
    }

    @Test func fashionMNISTOfDebian() throws {
        let root = "/usr/share/datasets/fashion-mnist/t10k"
        guard Files.exists("\(root)-images-idx3-ubyte.gz") else { return print("skipped: there is no Fashion-MNIST") }
        let set = try IDXDataset(images: "\(root)-images-idx3-ubyte.gz", labels: "\(root)-labels-idx1-ubyte.gz")
        #expect(set.count == 10_000 && set.height == 28 && set.width == 28)
        try set.pack(to: "\(folder.path)/fashion")
        let file = try RecordFile("\(folder.path)/fashion.rec")
        #expect(file.count == 10_000)
        let image = try ImageDecoder().decode(try file.read(9999), from: 24, as: .gray)
        #expect(image == set.image(9999))
    }
}
