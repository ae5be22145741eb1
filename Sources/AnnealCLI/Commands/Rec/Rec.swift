import Anneal
import ArgumentParser
import Foundation

/// Operations on record files: a command with subcommands.
struct Rec: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rec", abstract: "Look at record files, check, repair, split, join and export them.",
        discussion: """
            No command changes the file that it reads: what it makes goes to another one, whole or not at all.

            anneal rec info cifar10_train.rec
            anneal rec repair broken.rec --to good.rec --quarantine bad.rec
            """,
        subcommands: [
            RecInfo.self, RecVerify.self, RecRepair.self, RecIndex.self, RecSplit.self, RecMerge.self, RecCat.self,
            RecExtract.self, RecShow.self,
        ])
}

/// A record file to read.
struct RecordInput: ParsableArguments {
    @Argument(help: ArgumentHelp("The records.", valueName: "FILE.rec"), completion: .file(extensions: ["rec"]))
    var file: String
    @Option(
        help: ArgumentHelp(
            "The records' index (default: the .idx next to them; without one they are scanned).", valueName: "FILE.idx"),
        completion: .file(extensions: ["idx"]))
    var idx: String?

    func open() throws -> RecordFile { try RecordFile(file, index: idx) }
}

/// The index of records.
struct RecIndex: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "index", abstract: "Create the index of a record file.",
        discussion: """
            Reads all headers; a damaged file is refused (see anneal rec repair).

            anneal rec index train.rec
            """)
    @Argument(help: ArgumentHelp("The records.", valueName: "FILE.rec"), completion: .file(extensions: ["rec"]))
    var file: String
    @Option(help: ArgumentHelp("Output file (default: next to the records).", valueName: "FILE.idx"))
    var to: String?
    @Option(
        help: ArgumentHelp(
            "Keys of the index: the records' numbers, as in MXNet's rec2idx.py, or the ids in their headers, as in im2rec.",
            valueName: "number|id"), completion: .list(["number", "id"]))
    var keys: String = "number"

    func run() throws {
        guard let keys = RecordFile.Keys(rawValue: keys) else {
            throw UsageError("--keys \(keys)", "is not known", suggestion: "it is number or id")
        }
        let target = to ?? RecordFile.indexPath(of: file)
        try RecordFile.checkTargets([target], sources: [file])
        let records = try RecordFile(scanning: file)
        try records.writeIndex(to: target, keys: keys)
        print("\(FilePath(target)): \(Readable.counted(records.count, "record"))", about: target)
    }
}
