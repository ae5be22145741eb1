import Anneal
import ArgumentParser
import Foundation

/// Splits one file into several.
struct RecSplit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "split", abstract: "Split records into several files.",
        discussion: """
            Writes PREFIX-NAME.rec for each part, with its index. Records keep their keys and ids.

            anneal rec split all.rec --to set --shares 0.8,0.1,0.1 --by-class --shuffle
            """)
    @OptionGroup var input: RecordInput
    @Option(help: ArgumentHelp("Prefix of the parts' names.", valueName: "PREFIX"))
    var to: String
    @Option(help: ArgumentHelp("Number of equal parts.", valueName: "N"))
    var parts: Int?
    @Option(help: ArgumentHelp("The parts' shares of the records.", valueName: "SHARE,SHARE,…"))
    var shares: String?
    @Option(
        help: ArgumentHelp("The parts' names (default: train,val,test, or their numbers).", valueName: "NAME,NAME,…"))
    var names: String?
    @Flag(help: "Split each class in the same proportions.")
    var byClass = false
    @Flag(help: "Split in random order; each part is shuffled too.")
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
                "--shares", "leave no record for part \(names[empty]), of \(file.count)", suggestion: "use fewer parts"
            )
        }
        for (name, part) in zip(names, parts) { try arranging.writeShown(part, to: "\(to)-\(name).rec") }
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

/// Extracts records from a file, as files or records.
struct RecExtract: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "extract", abstract: "Extract some records from a file, as images or as records.",
        discussion: """
            --to a name that ends in .rec writes records, any other name is a folder for the image files. Without a choice \
            all are taken.

            anneal rec extract train.rec --numbers 0-9,100 --to look
            anneal rec extract train.rec --labels 3,5 --to cats-and-dogs.rec
            """)
    @OptionGroup var input: RecordInput
    @Option(help: ArgumentHelp("A folder, or a record file.", valueName: "FOLDER|OUT.rec"))
    var to: String
    @OptionGroup var choice: RecordChoice

    func run() throws {
        let file = try input.open(), numbers = try choice.numbers(of: file)
        guard to.hasSuffix(".rec") else {
            var export = ImageExport()
            export.isFlat = true
            let count = try export.write(file, numbers, to: to)
            return print("\(FilePath(to)): \(Readable.counted(count, "image"))")
        }
        try RecordArranging([file]).writeShown(numbers.map { .init(file: 0, number: $0) }, to: to)
    }
}

/// Which records of a file.
struct RecordChoice: ParsableArguments {
    @Option(help: ArgumentHelp("Records by number, from 0.", valueName: "N,N-N,…"))
    var numbers: String?
    @Option(help: ArgumentHelp("Records by the id in their headers.", valueName: "ID,ID-ID,…"))
    var ids: String?
    @Option(help: ArgumentHelp("Records by label.", valueName: "L,L-L,…"))
    var labels: String?

    /// In the order of the file.
    func numbers(of file: RecordFile) throws -> [Int] {
        var chosen = Array(0..<file.count)
        if let numbers {
            let wanted = try Self.ranges("--numbers", numbers)
            if let last = wanted.map(\.upperBound).max(), last >= file.count {
                throw UsageError(
                    "--numbers \(numbers)", "go up to \(last), but the file has \(file.count.counted("record"))")
            }
            chosen = chosen.filter { number in wanted.contains { $0.contains(number) } }
        }
        if let ids {
            let wanted = try Self.ranges("--ids", ids)
            chosen = try chosen.filter { number in
                let id = Int(try file.name(of: number)) ?? -1
                return wanted.contains { $0.contains(id) }
            }
        }
        if let labels {
            let wanted = try Self.ranges("--labels", labels)
            chosen = try chosen.filter { number in
                guard let label = Int(exactly: try file.classLabel(of: number)) else { return false }
                return wanted.contains { $0.contains(label) }
            }
        }
        guard !chosen.isEmpty else { throw AnnealError(file.path, "has no such record", code: .notFound) }
        return chosen
    }

    private static func ranges(_ flag: String, _ text: String) throws -> [ClosedRange<Int>] {
        try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).compactMap { Int($0) }
            guard ends.count == part.count(where: { $0 == "-" }) + 1, ends.count <= 2, let low = ends.first,
                let high = ends.last, low <= high
            else {
                throw UsageError("\(flag) \(text)", "is not a list of numbers", suggestion: "write it as 0-9,100")
            }
            return low...high
        }
    }
}

/// Record files that are combined into one.
struct RecordFiles: ParsableArguments {
    @Option(help: ArgumentHelp("Output file.", valueName: "OUT.rec"))
    var to: String
    @Argument(help: ArgumentHelp("The records.", valueName: "FILE.rec"), completion: .file(extensions: ["rec"]))
    var files: [String]

    func open() throws -> RecordArranging { RecordArranging(try files.map { try RecordFile($0) }) }
}

/// Concatenates files.
struct RecCat: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cat", abstract: "Join record files, one after the other.",
        discussion: "anneal rec cat part-0.rec part-1.rec --to all.rec")
    @Flag(help: "Give the records new keys and ids, from 0 on; without it, two with the same key are an error.")
    var renumber = false
    @OptionGroup var records: RecordFiles

    func run() throws {
        let arranging = try records.open()
        try arranging.writeShown(arranging.all, to: records.to, renumbers: renumber)
    }
}

/// Shuffles files into one.
struct RecMerge: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge", abstract: "Shuffle the records of several files into one.",
        discussion: """
            Records get new keys and ids, from 0 on, in their new order.

            anneal rec merge cats.rec dogs.rec --to pets.rec --unique
            """)
    @Option(help: ArgumentHelp("Of the order.", valueName: "N"))
    var seed: UInt64 = 0
    @Flag(help: "Leave out images with the same bytes as an earlier one.")
    var unique = false
    @OptionGroup var records: RecordFiles

    func run() throws {
        let arranging = try records.open(), all = arranging.all
        let chosen = unique ? try arranging.withoutDuplicates(all) : all, left = all.count - chosen.count
        try arranging.writeShown(
            arranging.shuffled(chosen, seed: seed), to: records.to, renumbers: true,
            remark: left > 0 ? "; \(Readable.counted(left, "duplicate")) left out" : "")
    }
}

extension RecordArranging {
    /// Writes the choices, and reports progress and the result.
    fileprivate func writeShown(
        _ choices: [Choice], to target: String, renumbers: Bool = false, remark: String = ""
    ) throws {
        let progress = ProgressLine("Writing \(FilePath(target))", total: choices.count, unit: "records")
        try write(choices, to: target, renumbers: renumbers) { progress.update(done: $0) }
        progress.finish()
        print("\(FilePath(target)): \(Readable.counted(choices.count, "record"))\(remark)", about: target)
    }
}
