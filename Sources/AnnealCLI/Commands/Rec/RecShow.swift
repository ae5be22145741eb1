import Anneal
import ArgumentParser
import Foundation

/// A picture of records by class.
struct RecShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Draw images of a record file, a row for each class.",
        discussion: """
            anneal rec show cifar10_train.rec --class-names cifar10.txt --to sheet.png
            """)
    @OptionGroup var input: RecordInput
    @Option(help: ArgumentHelp("Output file.", valueName: "FILE.png"))
    var to: String = "records.png"
    @Option(help: ArgumentHelp("Names of the classes, one per line, in the order of the labels.", valueName: "FILE"))
    var classNames: String?
    @Option(help: ArgumentHelp("Images per class.", valueName: "N"))
    var perClass: Int = 10
    @Option(help: ArgumentHelp("Maximum number of rows.", valueName: "N"))
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
