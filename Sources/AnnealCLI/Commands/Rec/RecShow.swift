import Anneal
import ArgumentParser
import Foundation

/// Records out of a file, as files or records.
struct RecExtract: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "extract", abstract: "Take some records out of a file, as images or as records.",
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
            return print("\(FilePath(to)): \(count.counted("image"))")
        }
        let arranging = RecordArranging([file])
        try arranging.write(numbers.map { .init(file: 0, number: $0) }, to: to, renumbers: false)
        print("\(FilePath(to)): \(numbers.count.counted("record"))")
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
                    "--numbers \(numbers)", "go up to \(last), the file has \(file.count.counted("record"))")
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

/// A picture of records by class.
struct RecShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Draw images of a record file, a row for each class.",
        discussion: """
            anneal rec show cifar10_train.rec --class-names cifar10.txt --to sheet.png
            """)
    @OptionGroup var input: RecordInput
    @Option(help: ArgumentHelp("Where the picture goes.", valueName: "FILE.png"))
    var to: String = "records.png"
    @Option(help: ArgumentHelp("Names of the classes, one per line, in the order of the labels.", valueName: "FILE"))
    var classNames: String?
    @Option(help: ArgumentHelp("Images of each class.", valueName: "N"))
    var perClass: Int = 10
    @Option(help: ArgumentHelp("Rows at most.", valueName: "N"))
    var classes: Int = 40
    @OptionGroup var choice: RecordChoice

    private static let side = 96

    func run() throws {
        for (flag, value) in [("--per-class", perClass), ("--classes", classes)] where !(1...1000).contains(value) {
            throw UsageError(flag, "is \(value)", suggestion: "it must be 1 to 1000")
        }
        guard to.hasSuffix(".png") || Files.isStandardOutput(to) else {
            throw UsageError("--to \(to)", "is not the name of a PNG file", suggestion: "end it in .png")
        }
        let names = try classNames.map(ClassNames.read), file = try input.open()
        var members: [Float: [Int]] = [:], counts: [Float: Int] = [:]
        for number in try choice.numbers(of: file) {
            guard let label = try? file.classLabel(of: number) else { continue }
            counts[label, default: 0] += 1
            if counts[label, default: 0] <= perClass { members[label, default: []].append(number) }
        }
        guard !members.isEmpty else { throw AnnealError(file.path, "has no record with one label") }
        let shown = members.sorted { $0.key < $1.key }.prefix(classes)
        let sheet = ContactSheet(
            title: "\(FilePath(file.path).name)",
            subtitle: shown.count < members.count
                ? "\(shown.count) of \(members.count) classes" : members.count.counted("class"),
            rows: try shown.map { label, numbers in
                let number = Int(exactly: label)
                let name = number.flatMap { n in names.flatMap { $0.indices.contains(n) ? $0[n] : nil } }
                return ContactSheet.Row(
                    name: [
                        name ?? "class \(number.map(String.init) ?? "\(label)")",
                        counts[label, default: 0].counted("image"),
                    ],
                    cells: try numbers.map { try Self.cell($0, of: file) })
            })
        try Files.writeAtomically(try sheet.png(), to: to)
        print(to, about: to)
    }

    private static func cell(_ number: Int, of file: RecordFile) throws -> ContactSheet.Cell {
        let caption = ["id \(try file.name(of: number))"]
        do {
            var payload: [UInt8] = []
            let header = try file.readSample(number, epoch: 0, into: &payload)
            var image = try ImageDecoder().decode(payload, from: header.imageStart)
            let longest = max(image.width, image.height)
            if longest > side {
                image = image.resized(
                    width: max(1, image.width * side / longest), height: max(1, image.height * side / longest), .area)
            }
            return ContactSheet.Cell(.init(image), caption: caption)
        } catch is AnnealError {
            return ContactSheet.Cell(
                .init(Image(width: 32, height: 32, channels: 3, filledWith: 230)), caption: caption + ["not readable"])
        }
    }
}
