import Anneal
import AnnealConformance
import Foundation

var arguments = Array(CommandLine.arguments.dropFirst())
if arguments.first == "--write-samples", arguments.count >= 2 {
    do {
        try writeSamples(to: arguments[1], imports: Array(arguments.dropFirst(2)))
        exit(0)
    } catch {
        StandardStream.error.write("anneal-conformance: \(error)\n")
        exit(1)
    }
}
var engine = CaseEngine.cpu
if arguments.count >= 2, arguments[0] == "--engine" {
    guard let chosen = CaseEngine(rawValue: arguments[1]) else {
        let known = CaseEngine.allCases.map(\.rawValue).joined(separator: ", ")
        FileHandle.standardError.write(Data("anneal-conformance: no engine \(arguments[1]); there are \(known)\n".utf8))
        exit(64)
    }
    engine = chosen
    arguments.removeFirst(2)
}
guard let root = arguments.first, FileManager.default.fileExists(atPath: root) else {
    print(
        """
        usage: anneal-conformance [--engine cpu|reference|xla|cuda|rocm] FOLDER [NAME-PART]: repeats the MXNet-made cases below a folder, found by case.json
               anneal-conformance --write-samples FOLDER [CASES…]: writes one of every file that Anneal writes, and imports of the models below CASES
        """)
    exit(64)
}
exit(runCases(below: root, matching: arguments.dropFirst().first, on: engine) ? 0 : 1)
