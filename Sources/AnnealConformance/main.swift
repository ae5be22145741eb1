import Anneal
import Foundation

// Repeats every MXNet-made case below a folder: found by their case.json, never by a list of names.

let arguments = CommandLine.arguments.dropFirst()
guard let root = arguments.first, Files.exists(root) else {
    print("usage: anneal-conformance FOLDER [NAME-PART]; the folder holds cases, each with a case.json")
    exit(64)
}
exit(runCases(below: root, matching: arguments.dropFirst().first))

func runCases(below root: String, matching part: String?) -> Int32 {
    let paths = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
    let folders = paths.filter { $0 == "case.json" || $0.hasSuffix("/case.json") }.map { ($0 as NSString).deletingLastPathComponent }.sorted()
    var passed = 0, failed = 0, skipped = 0
    for name in folders where part.map({ name.contains($0) }) ?? true {
        switch outcome(root + "/" + name) {
        case .passed: passed += 1
        case .failed(let why):
            failed += 1
            print("FAILED \(name)\n    " + why.split(separator: "\n").prefix(8).joined(separator: "\n    "))
        case .skipped(let why):
            skipped += 1
            print("skipped \(name): \(why)")
        }
    }
    print("\(passed) passed, \(failed) failed, \(skipped) skipped")
    return failed == 0 ? 0 : 1
}

func outcome(_ folder: String) -> CaseOutcome {
    do {
        let item = try Case(folder: folder)
        if let result = try checkGraphCase(kind: item.kind, folder: folder, json: item.json) { return result }
        if ["network", "procedural", "legacy"].contains(item.kind),
            case .failed(let why) = try checkStructure(folder: folder, json: item.json)
        {
            return .failed(why)
        }
        if let result = try checkOperatorCase(item) { return result }
        if let result = try checkProceduralCase(item) { return result }
        return .skipped("cases of kind '\(item.kind)' are not known")
    } catch {
        return .failed("\(error)")
    }
}
