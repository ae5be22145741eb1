import Anneal
import ArgumentParser

/// Writes records back to image files.
struct ExportImages: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export-images",
        abstract: "Write the images of records as files, a folder for each class.",
        discussion: """
            Each file has the record's bytes and is named by the record's id. With --list a list of them is \
            written too, from which anneal im2rec --pass-through makes the same records again.

            anneal export-images cifar10_val.rec val --class-names cifar10_classes.txt --list again.lst
            """)
    @OptionGroup var input: RecordInput
    @Argument(help: ArgumentHelp("Folder for the class folders.", valueName: "FOLDER"), completion: .directory)
    var folder: String
    @Option(help: ArgumentHelp("Names of the classes, one per line, in the order of the labels.", valueName: "FILE"))
    var classNames: String?
    @Option(help: ArgumentHelp("Write a list of the files here.", valueName: "FILE.lst"))
    var list: String?
    @Flag(help: "Write all files to one folder.")
    var flat = false

    func run() throws {
        let file = try input.open()
        try file.checkImages()
        var export = ImageExport()
        export.classNames = try classNames.map(ClassNames.read)
        export.isFlat = flat
        let progress = ProgressLine("Writing \(FilePath(folder))", total: file.count, unit: "images")
        let count = try export.write(file, to: folder, list: list) { progress.update(done: $0) }
        progress.finish("\(FilePath(folder)): \(Readable.counted(count, "image"))")
    }
}
