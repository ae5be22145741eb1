import Anneal
import Foundation
import Testing

/// `anneal rec …` and `anneal export-images`.
@Suite struct RecordToolTests {
    let tool: Tool
    init() throws {
        tool = try Tool()
        try tool.writeRecords("a", count: 30)
    }

    private func run(_ text: String) throws -> Tool.Result {
        try tool.run(text.split(separator: " ").map(String.init))
    }

    @Test func help() {
        let rec = Tool.answer(["rec", "--help"])
        #expect(rec.status == 0 && rec.output.contains("Usage: anneal rec COMMAND"), "\(rec)")
        for name in ["info", "verify", "repair", "index", "split", "merge", "cat", "extract", "show"] {
            #expect(rec.output.contains("\n  \(name) "), "\(name)")
            for arguments in [["help", "rec", name], ["rec", name, "--help"]] {
                let part = Tool.answer(arguments)
                #expect(part.status == 0 && part.output.contains("Usage: anneal rec \(name)"), "\(part)")
            }
        }
        for (text, expected) in [
            ("rec", "anneal rec: is a group of commands"), ("rec verfy x", "did you mean verify?"),
            ("rec info", "FILE.rec|FOLDER: is missing"), ("help rec foo", "is not a command of anneal rec"),
            ("rec cat a.rec --renumbr --to x", "--renumbr: is not a flag of anneal rec cat (did you mean --renumber?)"),
        ] {
            let run = Tool.answer(text.split(separator: " ").map(String.init))
            #expect(run.status == 64 && run.errors.contains(expected), "\(run)")
        }
    }

    @Test func looks() throws {
        defer { tool.remove() }
        let info = try run("rec info a.rec --against a.rec")
        #expect(info.status == 0 && info.output.contains("a.rec: 30 images"), "\(info)")
        #expect(info.output.contains("formats: PNG") && info.output.contains("sizes: 12x12"))
        #expect(info.output.contains("30 images in a.rec too:"))
        let show = try run("rec show a.rec --to sheet.png --per-class 3")
        let sheet = try tool.bytes("sheet.png")
        #expect(show.status == 0 && sheet.starts(with: [0x89, 0x50]), "\(show)")
    }

    @Test func verifiesAndRepairs() throws {
        defer { tool.remove() }
        #expect(try run("rec verify a.rec --write").output == "a.rec: 30 records, nothing is wrong\na.rec.sha256\n")
        var bytes = try tool.bytes("a.rec")
        bytes[bytes.count / 2] ^= 1
        try Files.writeAtomically(bytes.dropLast(3), to: tool.path("a.rec"))
        let bad = try run("rec verify a.rec")
        #expect(
            bad.status == 1 && bad.output.contains("truncated: ") && bad.output.contains("anneal rec repair"), "\(bad)")
        let repair = try run("rec repair a.rec --to b.rec --quarantine q.rec")
        #expect(
            repair.status == 0 && repair.output.contains("b.rec: 28 records; 2 damaged pieces are in q.rec"),
            "\(repair)")
        #expect(try run("rec verify b.rec").status == 0)
        #expect(try run("rec repair a.rec --to a.rec").errors.contains("read and written at the same time"))
    }

    @Test func dealsAndJoins() throws {
        defer { tool.remove() }
        let split = try run("rec split a.rec --to p --shares 0.8,0.2 --by-class --shuffle")
        #expect(split.status == 0 && split.output == "p-train.rec: 24 records\np-val.rec: 6 records\n", "\(split)")
        #expect(try run("rec cat p-train.rec p-val.rec --to all.rec").status == 0)
        #expect(try RecordFile(tool.path("all.rec")).count == 30)
        #expect(try run("rec cat a.rec a.rec --to x.rec").errors.contains("--renumber"))
        let merged = try run("rec merge a.rec all.rec --to m.rec --unique")
        #expect(merged.output.contains("30 records; 30 duplicates left out"), "\(merged)")
        let extracted = try run("rec extract a.rec --labels 1 --to ones.rec")
        #expect(extracted.output == "ones.rec: 10 records\n", "\(extracted)")
        #expect(try run("rec extract a.rec --numbers 0-2,7 --to files").output == "files: 4 images\n")
        #expect(try run("rec index ones.rec --to ones.idx --keys id").status == 0)
        #expect(try run("rec extract a.rec --numbers 40 --to x").errors.contains("go up to 40"))
        #expect(try run("export-images a.rec out --list back.lst").status == 0)
        #expect(try run("im2rec --pass-through back out").status == 0)
        #expect(try tool.bytes("back.rec") == tool.bytes("a.rec"))
    }

    /// Bits flipped, blocks zeroed and pieces cut out at 1,000 places; with the index of before, without, and repaired.
    @Test func damagedRecordsAreTrainedOn() throws {
        defer { tool.remove() }
        try tool.writeRecords("train", count: 2000)
        try tool.writeRecords("val", count: 30)
        var bytes = [UInt8](try tool.bytes("train.rec")), random = Random(seed: 3, purpose: .test)
        for round in 0..<1000 {
            let at = random.below(bytes.count)
            switch round % 20 {
            case 0: bytes.removeSubrange(at..<min(bytes.count, at + 1 + random.below(40)))
            case 5, 10: for i in at..<min(bytes.count, at + random.below(64)) { bytes[i] = 0 }
            default: bytes[at] ^= UInt8(1 << random.below(8))
            }
        }
        for name in ["train.rec", "alone.rec"] { try Files.writeAtomically(Data(bytes), to: tool.path(name)) }
        let verified = try run("rec verify alone.rec --num-classes 3")
        #expect(verified.status == 1 && verified.output.contains("anneal rec repair extracts the good ones"))
        #expect(try run("rec repair alone.rec --num-classes 3 --to good.rec").status == 0)
        let skips = ["--on-bad-record", "skip"], named = skips + ["--data-train-idx", "train.idx"]
        for (name, more) in [("train", skips), ("train", named), ("alone", skips), ("good", [])] {
            let flags = ["--data-train", "\(name).rec", "--run-folder", "run-\(name)\(more.count)"]
            let trained = try tool.run(tool.training(1, prefix: "m-\(name)\(more.count)", flags + more))
            #expect(trained.status == 0, "\(name) \(more): \(trained)")
            let log = String(decoding: try tool.bytes("run-\(name)\(more.count)/log.txt"), as: UTF8.self)
            #expect(log.contains("alone.rec: is damaged at ") == (name == "alone"), "\(log)")
            #expect(log.contains("skipped ") == (name != "good"))
        }
        let refused = try tool.run(tool.training(1, prefix: "m", ["--data-train", "alone.rec"]))
        #expect(refused.status == 1 && refused.errors.split(separator: "\n").count == 1, "\(refused)")
    }
}
