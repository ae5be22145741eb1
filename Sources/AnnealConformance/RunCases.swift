import Anneal
import Foundation

/// Runs every MXNet-made case below a folder, found by its `case.json` and never from a list of names, and every stored
/// model, found by its `model-symbol.json`.
///
/// Prints each failure with its largest error, each skipped case with the reason, and finally the line `N passed, N
/// failed, N skipped`.
/// - Parameter part: only cases with this text in their path are run.
/// - Returns: whether none failed.
public func runCases(below root: String, matching part: String? = nil, on engine: CaseEngine = .cpu) -> Bool {
    let paths = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
    let folders = paths.filter { ["case.json", "model-symbol.json"].contains(Files.name(of: $0)) }
        .map { Files.folder(of: $0) }.sorted()
    var passed = 0, failed = 0, skipped = 0
    for name in folders where part.map({ name.contains($0) }) ?? true {
        switch outcome(root + "/" + name, engine) {
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
    return failed == 0
}

private func outcome(_ folder: String, _ engine: CaseEngine) -> CaseOutcome {
    do {
        guard Files.exists(folder + "/case.json") else { return try checkStoredModel(folder: folder, engine) }
        let item = try Case(folder: folder, engine: engine)
        let checks: [() throws -> CaseOutcome?] = [
            { try checkNetworkCase(item) }, { try checkTrainingCase(item) },
            { try checkGraphCase(kind: item.kind, folder: folder, json: item.json) },
            { try checkTrainCase(kind: item.kind, folder: folder, json: item.json, engine: item.engine.make()) },
            { try checkDataCase(kind: item.kind, folder: folder, json: item.json) },
        ]
        for check in checks { if let result = try check() { return result } }
        return .skipped("cases of kind '\(item.kind)' are not known")
    } catch {
        return .failed("\(error)")
    }
}

/// Kinds `op`, `legacy`, `network` and `procedural`: the results, and the graph itself.
private func checkNetworkCase(_ item: Case) throws -> CaseOutcome? {
    guard let computed = try checkOperatorCase(item) ?? checkProceduralCase(item) else { return nil }
    return computed.and(try checkStructure(folder: item.folder, json: item.json))
}
