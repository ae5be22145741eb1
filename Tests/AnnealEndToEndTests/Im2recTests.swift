import Anneal
import Foundation
import Testing

/// `anneal im2rec`, with the flags of MXNet's script.
@Suite struct Im2recTests {
    let tool: Tool
    init() throws {
        tool = try Tool()
        try tool.writeFolder("images", count: 40, classes: ["b", "a", "c"])
    }

    private func lines(_ name: String) throws -> [String] {
        String(decoding: try tool.bytes(name), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// The order is that of Python's random.seed(100); random.shuffle(list(range(40))).
    @Test func listsAndRecords() throws {
        defer { tool.remove() }
        let listed = try tool.run(["im2rec", "--list", "--recursive", "sets/all", "images"])
        #expect(listed.status == 0 && listed.output == "a 0\nb 1\nc 2\n", "\(listed)")
        let ids = try lines("sets/all.lst").map { Int($0.split(separator: "\t")[0]) }
        #expect(ids.prefix(6) == [35, 0, 12, 24, 18, 28] && Set(ids).count == 40, "\(ids)")
        let packed = try tool.run(["im2rec", "sets/all", "images", "--num-thread", "2", "--pass-through"])
        #expect(packed.status == 0 && packed.errors.contains("sets/all.rec: 40 images"), "\(packed)")
        let records = try RecordFile(tool.path("sets/all.rec"), index: tool.path("sets/all.idx"))
        #expect(records.entries.map(\.key) == ids.compactMap { $0 })
    }

    @Test func splitsAndSuffixes() throws {
        defer { tool.remove() }
        try Files.writeAtomically(try tool.bytes("images/a/0001.png"), to: tool.path("images/a/x.JPG"))
        let run = try tool.run([
            "im2rec", "--list", "--recursive", "--no-shuffle", "--exts", ".jpg", ".bmp", "--chunks", "2",
            "--train-ratio",
            "0.5", "set", "images",
        ])
        #expect(run.status == 0, "\(run)")
        #expect(try lines("set_0_val.lst") == ["0\t0.000000\ta/x.JPG"])
        let names = try Files.names(in: tool.folder).filter { $0.hasSuffix(".lst") }
        #expect(names == ["set_0_train.lst", "set_0_val.lst", "set_1_train.lst", "set_1_val.lst"])
    }

    /// A prefix that is also a folder: lists in it come first, as in im2rec.py; else those next to it, as written by
    /// --list.
    @Test func prefixesThatAreFolders() throws {
        defer { tool.remove() }
        #expect(try tool.run(["im2rec", "--list", "--recursive", "images", "images"]).status == 0)
        let beside = try tool.run(["im2rec", "images", "images"])
        #expect(beside.status == 0 && beside.errors.contains("images.rec: 40 images"), "\(beside)")
        try Files.writeAtomically(Data("7\t1\ta/0001.png\n".utf8), to: tool.path("images/one.lst"))
        let inside = try tool.run(["im2rec", "images", "images"])
        #expect(inside.status == 0 && inside.errors.contains("images/one.rec: 1 image"), "\(inside)")
    }

    @Test func badImagesAreNamedAndCounted() throws {
        defer { tool.remove() }
        try Files.writeAtomically(Data("no image".utf8), to: tool.path("images/a/0001.png"))
        #expect(try tool.run(["im2rec", "--list", "--recursive", "set", "images"]).status == 0)
        let run = try tool.run(["im2rec", "set", "images", "--resize", "8", "--quality", "80"])
        #expect(run.status == 0 && run.errors.contains("39 images; 1 image left out"), "\(run)")
        #expect(run.errors.contains("set.lst: left out: images/a/0001.png: 8 bytes"), "\(run)")
        let stopped = try tool.run(["im2rec", "set", "images", "--on-bad-image", "abort"])
        #expect(stopped.status == 1 && stopped.errors.contains("images/a/0001.png"))
    }

    @Test func oneErrorEach() throws {
        defer { tool.remove() }
        for (arguments, expected) in [
            (["set", "none"], "none: is not there"), (["set", "images"], "set*.lst: there is no such list"),
            (["--list", "set", "images"], "images: has no files with the suffixes"),
            (["--list", "--train-ratio", "0.8", "--test-ratio", "0.3", "set", "images"], "more than 1 together"),
            (["--color", "2", "set", "images"], "--color: is 2"),
            (["--encoding", ".gif", "set", "images"], "it is .jpg or .png"),
            (["--quality", "0", "set", "images"], "--quality: is 0"),
        ] {
            let run = try tool.run(["im2rec"] + arguments)
            #expect(run.status != 0 && run.errors.contains(expected), "\(run)")
            #expect(run.errors.split(separator: "\n").count == 1)
        }
        try Files.writeAtomically(
            Data("4\t0\ta/0001.png\n4\t0\tb/0000.png\n".utf8), to: tool.path("twice.lst"))
        #expect(try tool.run(["im2rec", "twice", "images"]).errors.contains("two images would have the key 4"))
    }

    /// Killed by a signal that cannot be caught.
    @Test func killedPackingsContinue() throws {
        defer { tool.remove() }
        let image = try tool.bytes("images/a/0001.png")
        try Files.makeFolder(tool.path("many"))
        for number in 0..<300 { try Files.writeAtomically(image, to: tool.path("many/\(number).png")) }
        #expect(try tool.run(["im2rec", "--list", "set", "many"]).status == 0)
        try Files.writeAtomically(try tool.bytes("set.lst"), to: tool.path("whole.lst"))
        #expect(try tool.run(["im2rec", "--resize", "400", "whole", "many"]).status == 0)
        let (process, output, errors) = try tool.start(["im2rec", "--resize", "400", "set", "many"])
        let log = tool.path("set.rec.packing.log")
        while process.isRunning, ((try? Files.readText(log)) ?? "").isEmpty { usleep(1000) }
        usleep(200_000)
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        _ = (output, errors)
        #expect(try tool.run(["im2rec", "--resize", "400", "set", "many"]).status == 0)
        #expect(try tool.bytes("set.rec") == tool.bytes("whole.rec"))
        #expect(try tool.bytes("set.idx") == tool.bytes("whole.idx"))
        #expect(!Files.exists(log) && !Files.exists(tool.path("set.rec.packing")))
    }
}
