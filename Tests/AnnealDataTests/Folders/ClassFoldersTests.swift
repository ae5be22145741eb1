import AnnealCore
import AnnealData
import Foundation
import Testing

@Suite struct ClassFoldersTests {
    let folder: TemporaryFolder
    let image: [UInt8]

    init() throws {
        folder = try TemporaryFolder()
        image = try pattern(4, 3).encoded(as: .png(level: 1))
    }

    /// Files with these names, or bytes that are not UTF-8; each is an image unless stated otherwise.
    private func make(_ paths: [String], _ contents: [UInt8]? = nil) throws {
        for path in paths { try make(FilePath(path), contents) }
    }

    private func make(_ path: FilePath, _ contents: [UInt8]? = nil) throws {
        let whole = FilePath(folder.path).appending(path)
        for end in whole.bytes.indices.dropFirst() where whole.bytes[end] == UInt8(ascii: "/") {
            _ = FilePath(bytes: whole.bytes[..<end]).withCString { mkdir($0, 0o755) }
        }
        let file = try #require(whole.withCString { fopen($0, "w") })
        _ = (contents ?? image).withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, file) }
        fclose(file)
    }

    private func folders(_ name: String) throws -> ClassFolders { try ClassFolders(FilePath("\(folder.path)/\(name)")) }
    private func failure(_ name: String) -> String { message { try folders(name).check() } }

    @Test func aClassWithoutAUsableImageIsNamed() throws {
        try make(["t/a/1.png"])
        try make(["t/b/1.heic", "t/b/2.heic"], Array("0000ftypheic".utf8))
        try make(["t/c/1.heic"], Array("0000ftypheic".utf8))
        let text = failure("t")
        #expect(
            text.contains(
                "t/b: the class 'b' has no usable image: skipped 2 files: 2 .heic (unsupported images)"))
        #expect(text.contains("the same is true of c"))
        try make(["e/a/1.png"])
        try Files.makeFolder("\(folder.path)/e/b")
        #expect(failure("e").contains("e/b: the class 'b' has no usable image: the folder is empty"))
        // In validation it is a missing class.
        #expect(try ImageFiles(classFolders: "\(folder.path)/e", classNames: ["a", "b"]).count == 1)
        #expect(
            message { _ = try ImageFiles(classFolders: "\(folder.path)/t", classNames: ["a", "b", "c"]) }.contains(
                "'b'"))
    }

    @Test func everySuffixOfAJPEGIsOne() throws {
        let jpeg = try pattern(4, 3).encoded(as: .jpeg(quality: 90))
        try make(["t/a/1.jfif", "t/a/2.JPE", "t/a/3.pjpeg"], jpeg)
        // A wrong suffix, and none.
        try make(["t/a/4.webp", "t/a/5"], jpeg)
        try make(["t/a/6.txt", "t/a/.7.jpg"], jpeg)
        let found = try folders("t")
        try found.check()
        #expect(found.classes[0].images.map(\.name.description) == ["1.jfif", "2.JPE", "3.pjpeg", "4.webp", "5"])
        #expect(found.passedOver.description == "skipped 2 files: 1 .txt, 1 hidden file")
        #expect(found.passedOver.isHarmless)
    }

    @Test func whatIsPassedOverIsCountedByReason() throws {
        try make([
            "t/a/1.png", "t/a/deep/er/2.png", "t/b/3.png", "t/b/@eaDir/3.png/x.png", "t/b/.git/x.png",
            "t/__MACOSX/a/1.png",
        ])
        try make(["t/a/1.heic", "t/a/2.heic"], Array("0000ftypheic".utf8))
        let root = folder.path
        for number in 0..<3 { symlink("nowhere", "\(root)/t/a/broken\(number).jpg") }
        symlink("..", "\(root)/t/a/up")
        symlink("../b", "\(root)/t/a/b")
        mkfifo("\(root)/t/b/pipe.jpg", 0o600)
        let found = try folders("t")
        try found.check()
        #expect(found.classes.map(\.name) == ["a", "b"])
        // The linked folder's image belongs to both.
        #expect(found.classes.map(\.images.count) == [3, 1])
        #expect(
            found.passedOver.description
                == "skipped 13 files and folders: 3 broken links (the first: \(root)/t/a/broken0.jpg), "
                + "2 .heic (unsupported images), 2 pipes, sockets or devices (the first: \(root)/t/a/b/pipe.jpg), "
                + "1 circular link (the first: \(root)/t/a/up), 2 @eaDir folders, 2 hidden folders, 1 __MACOSX folder"
        )
        #expect(!found.passedOver.isHarmless && found.passedOver.counts[.brokenLink] == 3)
        #expect(found.passedOver.counts[.systemFolder("@eaDir")] == 2 && found.passedOver.counts[.circularLink] == 1)
    }

    @Test func namesAreBytes() throws {
        try make(FilePath(bytes: Array("t/caf".utf8) + [0xE9] + Array("/im".utf8) + [0xFF] + Array(".png".utf8)))
        try make(["t/b/1.png"])
        let files = try ImageFiles(classFolders: "\(folder.path)/t")
        #expect(files.classNames == ["b", "caf\\xE9"] && files.count == 2)
        var bytes: [UInt8] = []
        #expect(try files.readSample(1, epoch: 0, into: &bytes).labels == [1])
        #expect(bytes == image)
        #expect(files.place(of: 1, id: nil).hasSuffix("t/caf\\xE9/im\\xFF.png"))
        // Matched by the same name later.
        #expect(try ImageFiles(classFolders: "\(folder.path)/t", classNames: ["caf\\xE9", "b"]).classLabel(of: 1) == 0)
    }

    @Test func oneNameInTwoSpellingsIsExplained() throws {
        try make(["t/caf\u{E9}/1.png", "t/cafe\u{301}/1.png"])
        let text = failure("t")
        for word in ["caf\\xC3\\xA9", "cafe\\xCC\\x81", "NFC and NFD"] { #expect(text.contains(word), "\(text)") }
        // One of them is matched with the other's spelling.
        try make(["u/cafe\u{301}/1.png"])
        #expect(
            try ImageFiles(classFolders: "\(folder.path)/u", classNames: ["a", "caf\u{E9}"]).classLabel(of: 0) == 1)
    }

    @Test func numbersAreSortedAsNumbers() throws {
        try make((0..<12).map { "n/\($0)/x.png" })
        let found = try folders("n")
        #expect(found.classes.map(\.name) == (0..<12).map { "\($0)" } && found.isNumbered)
        try make((0..<11).map { "p/\(String(format: "%03d", $0))/x.png" })
        #expect(try folders("p").isNumbered)
        try make(["o/20/x.png", "o/3/x.png", "o/100/x.png"])
        #expect(try folders("o").classes.map(\.name) == ["3", "20", "100"])
        #expect(try !folders("o").isNumbered)
        try make(["f/1/x.png", "f/2/x.png"])
        #expect(try !folders("f").isNumbered, "they begin at 0, or are names")
        try make(["m/10/x.png", "m/9/x.png", "m/x/x.png"])
        #expect(try folders("m").classes.map(\.name) == ["10", "9", "x"])
        // Known numbers match with different leading zeros.
        let files = try ImageFiles(classFolders: "\(folder.path)/p", classNames: (0..<12).map { "\($0)" })
        #expect((0..<11).map { files.classLabel(of: $0) } == (0..<11).map { Float($0) })
    }

    @Test func partsOfADataSet() throws {
        try make(["d/train/a/1.png", "d/valid/a/1.png", "d/test/1.png", "d/.cache/x.png"])
        let parts = try #require(try DataParts(FilePath("\(folder.path)/d")))
        #expect(parts.training?.name == FilePath("train") && parts.validation?.name == FilePath("valid"))
        #expect(parts.test == nil, "it has no classes")
        #expect(parts.strays.isEmpty && parts.strayDescription == nil)
        try make(["h/train/a/1.png", "h/val/a/1.png", "h/x.png"])
        let more = try #require(try DataParts(FilePath("\(folder.path)/h")))
        #expect(more.strays.map(\.name) == [FilePath("x.png")])
        #expect(more.strayDescription?.hasPrefix("1 image next to its parts is not used") == true)
        try make(["e/train/1.png", "e/test/1.png"])
        #expect(try DataParts(FilePath("\(folder.path)/e")) == nil, "these are classes")
        try make(["f/train/a/1.png", "f/other/a/1.png"])
        #expect(try DataParts(FilePath("\(folder.path)/f")) == nil)
        try make(["g/train/a/1.png", "g/val/a/1.png", "g/validation/a/1.png"])
        #expect(message { _ = try DataParts(FilePath("\(folder.path)/g")) }.contains("val and validation"))
    }

    /// Permissions do not stop root.
    @Test(.enabled(if: geteuid() != 0, "root enters every folder")) func foldersThatCannotBeEntered() throws {
        try make(["t/a/1.png", "t/b/1.png"])
        chmod("\(folder.path)/t/b", 0o400)
        defer { chmod("\(folder.path)/t/b", 0o700) }
        let text = failure("t")
        #expect(
            text.contains("t/b: the class 'b' has no usable image") && text.contains("not entered: Permission denied"))
    }
}
