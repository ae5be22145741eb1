import AnnealCore
import AnnealData
import Foundation
import Testing

@Suite struct ImageFilesTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func png(_ seed: Int) throws -> [UInt8] { try pattern(12, 10, seed: seed).encoded(as: .png(level: 1)) }

    /// A folder of images, by their paths in it.
    private func makeFolder(_ paths: [String], _ name: String = "images") throws -> String {
        for (seed, path) in paths.enumerated() {
            try Files.makeFolder(Files.folder(of: "\(folder.path)/\(name)/\(path)"))
            _ = try folder.file("\(name)/\(path)", try png(seed))
        }
        return "\(folder.path)/\(name)"
    }

    private func options(_ batch: Int, threads: Int = 2) -> LoaderOptions {
        var options = LoaderOptions(dataShape: [3, 8, 8], batchSize: batch)
        options.threads = threads
        return options
    }

    private func labels(_ files: ImageFiles) throws -> [Int] {
        var bytes: [UInt8] = []
        return try (0..<files.count).map { Int(try files.readSample($0, epoch: 0, into: &bytes).labels[0]) }
    }

    @Test func subfoldersAreClassesInTheOrderOfTheirNames() throws {
        let root = try makeFolder([
            "dog/1.png", "cat/b.PNG", "cat/a.png", "cat/persian/x.png", ".hidden/x.png", "dog/.old/y.png",
        ])
        _ = try folder.file("images/cat/notes.txt", [1])
        let files = try ImageFiles(classFolders: root)
        #expect(files.classNames == ["cat", "dog"])
        #expect(try labels(files) == [0, 0, 0, 1])
        #expect(
            (0..<4).map { files.place(of: $0, id: nil) } == [
                "\(root)/cat/a.png", "\(root)/cat/b.PNG", "\(root)/cat/persian/x.png", "\(root)/dog/1.png",
            ])
        #expect(try ImageWalk(FilePath(root)).images.count == 4)
        // A model from the time when sub-folders of classes were classes keeps its labels.
        #expect(try labels(ImageFiles(classFolders: root, classNames: ["cat", "cat/persian", "dog"])) == [0, 0, 1, 2])
    }

    /// Files that some systems add to archives are not classes.
    @Test func foldersOfHiddenFilesAreNoClasses() throws {
        let root = try makeFolder(["roses/1.png", "tulips/1.png", "__MACOSX/roses/._1.png"])
        let files = try ImageFiles(classFolders: root)
        #expect(files.classNames == ["roses", "tulips"])
        #expect(try labels(files) == [0, 1])
        #expect(try labels(ImageFiles(classFolders: root, classNames: ["tulips", "roses"])) == [1, 0])
    }

    /// The order of the classes is part of the model: a folder without one of them has the same labels.
    @Test func aMissingClassShiftsNoLabel() throws {
        let names = ["bird", "cat", "dog"]
        let root = try makeFolder(["bird/1.png", "dog/2.png"])
        let files = try ImageFiles(classFolders: root, classNames: names)
        #expect(files.classNames == names)
        #expect(try labels(files) == [0, 2])
        #expect(try labels(ImageFiles(classFolders: root)) == [0, 1])
    }

    @Test func wordNetFoldersMatchSynsetLines() throws {
        let names = ["n01440764 tench, Tinca tinca", "n02012849 crane", "n03126707 crane"]
        let root = try makeFolder(["n03126707/1.png", "n01440764/2.png"])
        #expect(try labels(ImageFiles(classFolders: root, classNames: names)) == [0, 2])
        // A name that two classes share is ambiguous.
        let cranes = try makeFolder(["crane/1.png"], "cranes")
        #expect(
            message { _ = try ImageFiles(classFolders: cranes, classNames: ["crane", "tench", "crane"]) }
                .contains("several classes have the name 'crane'"))
    }

    @Test func whatIsNoClassIsNamed() throws {
        let root = try makeFolder(["cat/1.png", "horse/2.png"])
        let unknown = message { _ = try ImageFiles(classFolders: root, classNames: ["cat", "dog"]) }
        #expect(unknown.contains("images/horse: the class 'horse' is not among the 2 known ones (they are cat, dog)"))
        let stray = try makeFolder(["cat/1.png", "2.png"], "stray")
        #expect(message { _ = try ImageFiles(classFolders: stray) }.contains("stray/2.png: is in no class"))
        try Files.makeFolder("\(folder.path)/empty/cat")
        #expect(
            message { _ = try ImageFiles(classFolders: "\(folder.path)/empty") }.contains("no sub-folder with images"))
        #expect(message { _ = try ImageFiles(classFolders: "\(folder.path)/none") }.contains("none"))
    }

    /// The same bytes give the same batches from files and from records, with any number of threads.
    @Test func samePixelsAsRecords() throws {
        let count = 23
        let writer = try RecordWriter("\(folder.path)/a.rec", index: nil)
        for seed in 0..<count { try writer.write(IRHeader(label: 0, id: UInt64(seed)).packed(try png(seed))) }
        try writer.finish()
        let names = (0..<count).map { "c/\(String(format: "%02d", $0)).png" }
        let files = try ImageFiles(classFolders: try makeFolder(names))
        func busy(_ threads: Int) -> LoaderOptions {
            var options = options(5, threads: threads)
            options.shuffle = true
            options.augmentation.pad = 2
            options.augmentation.randomCrop = true
            options.augmentation.randomMirror = true
            return options
        }
        let expected = try batches(try BatchLoader(RecordFile("\(folder.path)/a.rec"), options: busy(1)), epoch: 2)
        for threads in [1, 4] {
            #expect(try batches(try BatchLoader(files, options: busy(threads)), epoch: 2) == expected)
        }
    }

    @Test func badFilesAreNamedOrSkipped() throws {
        let root = try makeFolder(["a/0.png", "a/1.png", "b/2.png", "b/3.png"])
        _ = try folder.file("images/a/1.png", [])
        _ = try folder.file("images/b/2.png", Array("no image".utf8))
        let files = try ImageFiles(classFolders: root)
        let text = message { _ = try batches(try BatchLoader(files, options: options(2))) }
        #expect(text.hasPrefix("\(root)/a/1.png: "))
        #expect(!text.dropFirst(root.count).contains(root), "named once: \(text)")
        var skipping = options(2)
        skipping.onBadRecord = .skip
        let loader = try BatchLoader(files, options: skipping)
        #expect(try batches(loader).map(\.labels) == [[0, 1]])
        #expect(loader.badRecords.map(\.number) == [1, 2])
        // Removed since the folder was read.
        try FileManager.default.removeItem(atPath: "\(root)/a/0.png")
        let gone = message { _ = try batches(try BatchLoader(files, options: options(2))) }
        #expect(gone.hasPrefix("\(root)/a/0.png: No such file"))
    }

    /// Photographs are rotated as by im2rec; records are not, as in MXNet's iterator.
    @Test func photographsAreTurnedUpright() throws {
        let plain = try pattern(16, 8).encoded(as: .jpeg(quality: 95))
        let exif: [UInt8] =
            Array("Exif\0\0MM".utf8) + [0, 42, 0, 0, 0, 8, 0, 1] + [
                0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 3, 0, 0, 0, 0, 0, 0,
            ]
        let turned = plain.prefix(2) + [0xFF, 0xE1, 0, UInt8(exif.count + 2)] + exif + plain.dropFirst(2)
        func first(_ bytes: [UInt8]) throws -> [Float] {
            try batches(try BatchLoader(ImageBytes(bytes), options: options(1)))[0].data
        }
        let upright = try ImageDecoder().decode(plain)
        // 3: rotated by 180 degrees.
        let half = Image(
            width: 16, height: 8, channels: 3,
            pixels: (0..<128).reversed().flatMap { upright.pixels[(3 * $0)..<(3 * $0 + 3)] })
        #expect(try first(Array(turned)) == first(try half.encoded(as: .png(level: 1))))
        #expect(try first(Array(turned)) != first(plain))
    }

    @Test func namesComeFromAFile() throws {
        let path = try folder.file("synset.txt", Array("n01440764 tench, Tinca tinca\r\n two words \n\n".utf8))
        #expect(try ClassNames.read(path) == ["n01440764 tench, Tinca tinca", "two words"])
        // With a UTF-8 byte-order mark.
        let marked = try folder.file("marked.txt", [0xEF, 0xBB, 0xBF] + Array("roses\ntulips\n".utf8))
        #expect(try ClassNames.read(marked) == ["roses", "tulips"])
        let list = try folder.file("marked.lst", [0xEF, 0xBB, 0xBF] + Array("7\t1\ta.png\r\n8\t0\tb.png\n".utf8))
        #expect(try ImageList(file: list).items.map(\.id) == [7, 8])
        #expect(try ImageList(file: list).items.map(\.path) == ["a.png", "b.png"])
        let gap = try folder.file("gap.txt", Array("a\n\nb\n".utf8))
        #expect(message { _ = try ClassNames.read(gap) }.contains("gap.txt, line 2: is empty"))
        let empty = try folder.file("empty.txt", [])
        #expect(message { _ = try ClassNames.read(empty) }.contains("empty.txt: has no names"))
    }
}
