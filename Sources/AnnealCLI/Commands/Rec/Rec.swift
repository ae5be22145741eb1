import Anneal
import ArgumentParser
import Foundation

/// What is done with record files: a command with commands of its own.
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

/// A record file that is read.
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

/// How images are decoded where all of them are.
struct DecodingOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Threads that decode images.", valueName: "N"))
    var dataNthreads: Int = LoaderOptions.defaultThreads
    @Option(help: ArgumentHelp("Images of more pixels are bad.", valueName: "N"))
    var maxImagePixels: Int = Image.maximumPixels

    func check() throws {
        guard (1...1024).contains(dataNthreads) else {
            throw UsageError("--data-nthreads", "is \(dataNthreads)", suggestion: "it must be 1 to 1024")
        }
        guard (1...LoaderOptions.mostPixels).contains(maxImagePixels) else {
            throw UsageError(
                "--max-image-pixels", "is \(maxImagePixels)", suggestion: "it must be 1 to \(LoaderOptions.mostPixels)")
        }
    }
}

/// The index of records.
struct RecIndex: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "index", abstract: "Make the index of a record file.",
        discussion: """
            Reads all headers; a file that is damaged is refused (anneal rec repair).

            anneal rec index train.rec
            """)
    @Argument(help: ArgumentHelp("The records.", valueName: "FILE.rec"), completion: .file(extensions: ["rec"]))
    var file: String
    @Option(help: ArgumentHelp("Where the index goes (default: next to the records).", valueName: "FILE.idx"))
    var to: String?
    @Option(
        help: ArgumentHelp(
            "What the keys are: the records' numbers, as MXNet's rec2idx.py makes them, or the ids in their headers, as im2rec does.",
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
        print("\(FilePath(target)): \(records.count.counted("record"))", about: target)
    }
}

/// One file into several.
struct RecSplit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "split", abstract: "Deal records out to several files.",
        discussion: """
            Writes PREFIX-NAME.rec for each part, with its index. Records keep their keys and ids.

            anneal rec split all.rec --to set --shares 0.8,0.1,0.1 --by-class --shuffle
            """)
    @OptionGroup var input: RecordInput
    @Option(help: ArgumentHelp("What the names of the parts begin with.", valueName: "PREFIX"))
    var to: String
    @Option(help: ArgumentHelp("Equal parts.", valueName: "N"))
    var parts: Int?
    @Option(help: ArgumentHelp("The parts' shares of the records.", valueName: "SHARE,SHARE,…"))
    var shares: String?
    @Option(
        help: ArgumentHelp("The parts' names (default: train,val,test, or their numbers).", valueName: "NAME,NAME,…"))
    var names: String?
    @Flag(help: "Each part has its share of each class.")
    var byClass = false
    @Flag(help: "Deal in a random order; each part is shuffled too.")
    var shuffle = false
    @Option(help: ArgumentHelp("Of the random order.", valueName: "N"))
    var seed: UInt64 = 0

    func run() throws {
        let shares = try parsedShares(), names = try parsedNames(shares.count)
        let file = try input.open(), arranging = RecordArranging([file])
        let choices = shuffle ? arranging.shuffled(arranging.all, seed: seed) : arranging.all
        let parts = try arranging.parts(choices, shares: shares, byClass: byClass)
        if let empty = parts.firstIndex(where: \.isEmpty) {
            throw UsageError(
                "--shares", "leave no record for part \(names[empty]), of \(file.count)", suggestion: "make fewer parts"
            )
        }
        for (name, part) in zip(names, parts) {
            let target = "\(to)-\(name).rec"
            try arranging.write(part, to: target, renumbers: false)
            print("\(FilePath(target)): \(part.count.counted("record"))")
        }
    }

    private func parsedShares() throws -> [Double] {
        switch (parts, shares) {
        case (let count?, nil):
            guard (2...10_000).contains(count) else {
                throw UsageError("--parts", "is \(count)", suggestion: "it must be at least 2")
            }
            return Array(repeating: 1 / Double(count), count: count)
        case (nil, let text?):
            let fields = text.split(separator: ",", omittingEmptySubsequences: false)
            let values = fields.compactMap { Double($0.trimmingCharacters(in: .whitespaces)) }
            guard values.count == fields.count, values.allSatisfy({ $0 > 0 }), values.reduce(0, +) <= 1 + 1e-9 else {
                throw UsageError(
                    "--shares \(text)", "are not shares of at most 1 together", suggestion: "write them as 0.8,0.1,0.1")
            }
            return values
        default:
            throw UsageError("--shares", "and --parts are both given, or none", suggestion: "give one of them")
        }
    }

    private func parsedNames(_ count: Int) throws -> [String] {
        guard let names else {
            return shares != nil && count <= 3 && count > 1
                ? Array(["train", "val", "test"].prefix(count)) : (0..<count).map(String.init)
        }
        let list = names.split(separator: ",").map(String.init)
        guard list.count == count, Set(list).count == count, !list.contains(where: { $0.contains("/") }) else {
            throw UsageError(
                "--names \(names)", "are not \(count) different names", suggestion: "write them as train,val")
        }
        return list
    }
}

/// Files one after the other.
struct RecCat: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cat", abstract: "Join record files, one after the other.",
        discussion: "anneal rec cat part-0.rec part-1.rec --to all.rec")
    @Option(help: ArgumentHelp("Where the records go.", valueName: "OUT.rec"))
    var to: String
    @Flag(help: "Give the records new keys and ids, from 0 on; else two with the same key are an error.")
    var renumber = false
    @Argument(help: ArgumentHelp("The records.", valueName: "FILE.rec"), completion: .file(extensions: ["rec"]))
    var files: [String]

    func run() throws {
        let arranging = RecordArranging(try files.map { try RecordFile($0) }), all = arranging.all
        let progress = ProgressLine("Writing \(FilePath(to))", total: all.count, unit: "records")
        try arranging.write(all, to: to, renumbers: renumber) { progress.update(done: $0) }
        progress.finish("\(FilePath(to)): \(all.count.counted("record"))")
    }
}

/// Files shuffled into one.
struct RecMerge: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge", abstract: "Shuffle the records of several files into one.",
        discussion: """
            Records get new keys and ids, from 0 on, in their new order.

            anneal rec merge cats.rec dogs.rec --to pets.rec --unique
            """)
    @Option(help: ArgumentHelp("Where the records go.", valueName: "OUT.rec"))
    var to: String
    @Option(help: ArgumentHelp("Of the order.", valueName: "N"))
    var seed: UInt64 = 0
    @Flag(help: "Leave out images whose bytes an earlier record has too.")
    var unique = false
    @Argument(help: ArgumentHelp("The records.", valueName: "FILE.rec"), completion: .file(extensions: ["rec"]))
    var files: [String]

    func run() throws {
        let arranging = RecordArranging(try files.map { try RecordFile($0) })
        let all = arranging.all, chosen = unique ? try arranging.withoutDuplicates(all) : all
        let progress = ProgressLine("Writing \(FilePath(to))", total: chosen.count, unit: "records")
        try arranging.write(arranging.shuffled(chosen, seed: seed), to: to, renumbers: true) {
            progress.update(done: $0)
        }
        let left = all.count > chosen.count ? "; \((all.count - chosen.count).counted("duplicate")) left out" : ""
        progress.finish("\(FilePath(to)): \(chosen.count.counted("record"))\(left)")
    }
}
