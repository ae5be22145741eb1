import AnnealConformance
import Foundation

let arguments = Array(CommandLine.arguments.dropFirst())
guard let root = arguments.first, FileManager.default.fileExists(atPath: root) else {
    print(
        "usage: anneal-conformance FOLDER [NAME-PART]: repeats the MXNet-made cases below a folder, found by case.json")
    exit(64)
}
exit(runCases(below: root, matching: arguments.dropFirst().first) ? 0 : 1)
