import Anneal
import AnnealConformance
import Foundation
import Testing

/// MXNet-made cases: a few that are part of the package, and all of `../shared/golden` if that exists.
@Suite struct GoldenTests {
    @Test func fixtures() throws {
        let folder = packageFolder().appendingPathComponent("Tests/Fixtures/train")
        try check(folder, atLeast: 10)
    }

    @Test func shared() throws {
        guard let shared = sharedFolder() else {
            print("skipped: no shared folder next to the package, and ANNEAL_SHARED is not set")
            return
        }
        for folder in ["optimizers", "schedules", "metrics", "initializers"] {
            try check(shared.appendingPathComponent("golden/\(folder)"), atLeast: 1)
        }
    }

    /// Checkpoints that others trained with MXNet 0.8 to 1.2, with their outputs.
    @Test func storedModels() throws {
        guard let models = sharedFolder()?.appendingPathComponent("realmodels"),
            FileManager.default.fileExists(atPath: models.path)
        else {
            print("skipped: no folder shared/realmodels next to the package")
            return
        }
        #expect(runCases(below: models.path))
    }

    private func check(_ root: URL, atLeast: Int) throws {
        let files =
            FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)?.allObjects as? [URL] ?? []
        var passed = 0
        for file in files.filter({ $0.lastPathComponent == "case.json" }).sorted(by: { $0.path < $1.path }) {
            let json = try #require(
                try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any], "\(file.path)")
            let folder = file.deletingLastPathComponent().path
            let outcome = try checkTrainCase(
                kind: json["kind"] as? String ?? "", folder: folder, json: json, engine: defaultEngine())
            switch outcome {
            case .passed: passed += 1
            case .failed(let line): Issue.record("\(folder): \(line)")
            case .skipped(let line): Issue.record("\(folder): skipped, \(line)")
            case nil: continue
            }
        }
        #expect(passed >= atLeast, "\(root.path)")
    }
}

/// The package's root, found from this file.
func packageFolder() -> URL {
    var folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    while folder.path != "/" {
        if FileManager.default.fileExists(atPath: folder.appendingPathComponent("Package.swift").path) { return folder }
        folder.deleteLastPathComponent()
    }
    return folder
}

/// `ANNEAL_SHARED`, or a folder `shared` with golden cases next to the package or one of the folders around it.
func sharedFolder() -> URL? {
    var candidates: [URL] = []
    if let path = ProcessInfo.processInfo.environment["ANNEAL_SHARED"] { candidates.append(URL(fileURLWithPath: path)) }
    var folder = packageFolder()
    while folder.path != "/" {
        folder.deleteLastPathComponent()
        candidates.append(folder.appendingPathComponent("shared"))
    }
    return candidates.first { FileManager.default.fileExists(atPath: $0.appendingPathComponent("golden").path) }
}
