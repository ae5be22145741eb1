import AnnealCore
import Foundation
import Testing

@Suite struct FilesTests {
    /// An open file keeps its space on a full disk, even after its name is removed.
    @Test func aFailedWriteLeavesNothingOpen() throws {
        struct Full: Error {}
        let path = NSTemporaryDirectory() + "anneal-files-" + UUID().uuidString
        func open() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
                .compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)") }
                .filter { $0.contains(path) }.count
        }
        for _ in 0..<3 {
            #expect(throws: Full.self) {
                try Files.writeAtomically(to: path) { write in
                    try write(Data(repeating: 1, count: 100))
                    #expect(try open() == 1)
                    throw Full()
                }
            }
        }
        #expect(try open() == 0)
        #expect(!Files.exists(path))
    }

    private func temporaryFolder() throws -> String {
        let path = NSTemporaryDirectory() + "anneal-files-" + UUID().uuidString
        try Files.makeFolder(path)
        return path
    }

    private func mode(_ path: String) -> mode_t {
        var info = stat()
        return lstat(path, &info) == 0 ? info.st_mode & 0o777 : 0
    }

    @Test func linksAreFollowedAndModesKept() throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Files.makeFolder(folder + "/other")
        try Files.writeAtomically(Data("old".utf8), to: folder + "/other/target")
        chmod(folder + "/other/target", 0o640)
        for (link, destination) in [("first", "second"), ("second", "other/target"), ("new", "other/none"), ("l", "l")]
        {
            symlink(destination, "\(folder)/\(link)")
        }
        try Files.writeAtomically(Data("new".utf8), to: folder + "/first")
        #expect(try Files.readText(folder + "/other/target") == "new")
        #expect(mode(folder + "/other/target") == 0o640)
        var linked = AtomicFiles()
        try linked.link(folder + "/other/target", to: folder + "/new")
        try linked.finish()
        #expect(try Files.readText(folder + "/other/none") == "new")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        #expect(names == ["first", "l", "new", "other", "second"])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/first") == "second")
        let error = #expect(throws: AnnealError.self) { try Files.writeAtomically(Data(), to: folder + "/l") }
        #expect(error?.problem == "cannot be written: Too many levels of symbolic links")
        // A new file has the mode that the user's umask allows.
        let mask = umask(0o027)
        defer { umask(mask) }
        try Files.writeAtomically(Data(), to: folder + "/fresh")
        #expect(mode(folder + "/fresh") == 0o640)
    }

    /// A folder in place of the last file simulates a full disk.
    @Test func filesThatBelongTogetherAreAllThereOrNone() throws {
        let folder = try temporaryFolder()
        defer { Files.removeFolder(folder) }
        func write(_ names: [String]) throws {
            var files = AtomicFiles()
            for name in names { try files.write(Data("new".utf8), to: "\(folder)/\(name)") }
            try files.link("\(folder)/state", to: "\(folder)/linked")
            try files.finish()
        }
        for name in ["a", "state"] { try Files.writeAtomically(Data("old".utf8), to: "\(folder)/\(name)") }
        try Files.makeFolder(folder + "/full")
        #expect(throws: AnnealError.self) { try write(["a", "b", "full"]) }
        #expect(try Files.names(in: folder) == ["a", "full", "state"] && Files.readText(folder + "/a") == "old")
        try write(["a", "b"])
        #expect(try Files.names(in: folder) == ["a", "b", "full", "linked", "state"])
        #expect(try Files.readText(folder + "/a") == "new" && Files.readText(folder + "/linked") == "old")
    }

    /// é in Latin-1, a truncated character, and a slash with an accent, which is one character of a string.
    @Test(arguments: [[0x63, 0xE9], [0xE2, 0x82], Array("\u{301}b".utf8)] as [[UInt8]])
    func pathsAreBytes(_ bytes: [UInt8]) throws {
        let folder = try temporaryFolder(), name = FilePath(bytes: bytes).text, inner = Files.path(folder, name)
        defer { Files.removeFolder(folder) }
        #expect(Files.folder(of: inner) == folder && Files.name(of: inner).utf8.elementsEqual(name.utf8))
        try Files.makeFolder(Files.path(inner, "deep"))
        let file = Files.path(inner, name), link = Files.path(folder, "link")
        #expect(Files.isFolder(inner) && !Files.exists(file))
        _ = FilePath(file).withCString { symlink($0, link) }
        try Files.writeAtomically(Data("x".utf8), to: link)
        #expect(Files.exists(file) && Files.realPath(link) == Files.realPath(file))
        #expect(try Files.readText(file) == "x" && Files.names(in: inner).contains { $0.utf8.elementsEqual(name.utf8) })
        let lock = try FileLock(file + ".lock", suggestion: "")
        withExtendedLifetime(lock) {}
        Files.remove(file)
        #expect(try Files.names(in: inner).count == 2)
        Files.removeFolder(inner)
        #expect(try Files.names(in: folder) == ["link"])
        let error = #expect(throws: AnnealError.self) { try Files.read(file) }
        #expect(error?.code == .notFound && FilePath(error?.place ?? "") == FilePath(file))
    }

    @Test func absolutePaths() {
        #expect(Files.absolute("/a/./b//../c/") == "/a/c" && Files.absolute("/..") == "/")
        #expect(Files.absolute("x") == Files.path(Files.workingFolder, "x"))
    }

    @Test func whatIsNoFileIsRefused() throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        mkfifo(folder + "/fifo", 0o600)
        for path in [folder + "/fifo", "/dev/null", folder] {
            let error = #expect(throws: AnnealError.self) { try Files.writeAtomically(Data(), to: path) }
            #expect(error?.place == path && error?.problem.hasPrefix("cannot be replaced: it is ") == true)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["fifo"])
    }

    /// A symbolic link planted under the temporary name would lead to another file.
    @Test func temporaryNamesCannotBeForeseen() throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var seen: Set<String> = []
        for _ in 0..<2 {
            try Files.writeAtomically(to: folder + "/m") { _ in
                seen.formUnion(try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0 != "m" })
            }
        }
        #expect(seen.count == 2 && seen.allSatisfy { $0.hasPrefix("m.\(getpid())-") })
    }

    @Test func onlyOwnLeftoversGo() throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // No process has this number: Linux has at most 2^22.
        let kept = ["mother.rec.99999999.tmp", "m.99999999.tmp.txt", "m.\(getpid())-a1.tmp", "m.tmp", "m.x.tmp"]
        for name in kept + ["m.99999999.tmp", "m.99999999-1a2b.tmp"] {
            try Data().write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        Files.removeLeftovers(in: folder) { $0 == "m" }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == kept.sorted())
    }

    /// The reason is that of this call, not of a later one.
    @Test func aFolderThatCannotBeMadeSaysWhy() throws {
        let path = "/proc/self/fd/new/one"
        #expect(mkdir("/proc/self/fd/new", 0o777) == -1)
        let reason = String(cString: strerror(errno))
        let error = #expect(throws: AnnealError.self) { try Files.makeFolder("/proc/self/fd/new") }
        #expect(error?.problem == "the folder cannot be made: \(reason)")
        #expect(throws: AnnealError.self) { try Files.makeFolder(path) }
        let file = try temporaryFolder() + "/file"
        defer { try? FileManager.default.removeItem(atPath: Files.folder(of: file)) }
        try Files.writeAtomically(Data(), to: file)
        let taken = #expect(throws: AnnealError.self) { try Files.makeFolder(file) }
        #expect(taken?.problem == "the folder cannot be made: a file has this name")
        let folder = file + "-a/b"
        let made = try Files.makeNewFolder(folder), madeAgain = try Files.makeNewFolder(folder)
        #expect(made && !madeAgain)
    }

    @Test func controlCharactersAreShown() {
        #expect(
            "a\u{1B}[31m\tb\n\u{7F}\u{9B}\u{202E}é🙂\u{2028}".printable()
                == #"a\u001b[31m\u0009b\u000a\u007f\u009b\u202eé🙂\u2028"#)
        let path = FilePath(bytes: [0x63, 0xE9]).text
        #expect(path.printable() == #"c\xE9"# && path.printable(json: true) == path)
        #expect("日本 é🙂x".columns == 9 && "日本語".prefix(columns: 5) == "日本" && "abc".prefix(columns: 9) == "abc")
        #expect("a\tb\nc\r".printable(keeping: ["\t", "\n"]) == "a\tb\nc\\u000d")
    }
}
