import AnnealConformance
import Foundation

let arguments = Array(CommandLine.arguments.dropFirst())
if arguments.first == "--write-samples", arguments.count == 2 {
    do {
        try writeSamples(to: arguments[1])
        exit(0)
    } catch {
        FileHandle.standardError.write(Data("anneal-conformance: \(error)\n".utf8))
        exit(1)
    }
}
guard let root = arguments.first, FileManager.default.fileExists(atPath: root) else {
    print(
        """
        usage: anneal-conformance FOLDER [NAME-PART]: repeats the MXNet-made cases below a folder, found by case.json
               anneal-conformance --write-samples FOLDER: writes one of every file that Anneal writes
        """)
    exit(64)
}
exit(runCases(below: root, matching: arguments.dropFirst().first) ? 0 : 1)
