import Anneal
import ArgumentParser
import Foundation

/// `make man`.
struct ManPages: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "man-pages", abstract: "Write the manual pages, one for each command.", shouldDisplay: false)

    @Argument(
        help: ArgumentHelp("Output folder, e.g. ~/.local/share/man/man1.", valueName: "FOLDER"), completion: .directory)
    var folder: String

    func run() throws {
        try Files.makeFolder(folder)
        for page in ManualPage.all(version: AnnealTool.configuration.version) {
            try Files.writeAtomically(Data(page.text.utf8), to: Files.path(folder, page.name))
        }
        print(folder)
    }
}

/// `make reference`.
struct Reference: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "command-reference", abstract: "Write every command's flags as Markdown.", shouldDisplay: false)

    @Argument(help: ArgumentHelp("Output file, e.g. commands.md.", valueName: "FILE"))
    var file: String

    func run() throws {
        try Files.writeAtomically(Data(CommandReference.markdown().utf8), to: file)
        print(file, about: file)
    }
}
