import AnnealConformance
import Foundation
import Testing

@Suite struct GoldenDataTests {
    /// Every MXNet-made case of records, batches and packing.
    @Test(arguments: ["golden/recordio", "golden-2/recordio"]) func casesOfRecordsAndBatches(_ folder: String) throws {
        guard let root = sharedFolder(folder) else { return }
        let paths = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
        for path in paths.sorted() where path.hasSuffix("case.json") {
            let folder = "\(root)/\((path as NSString).deletingLastPathComponent)"
            let data = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/case.json"))
            let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
            let outcome = try checkDataCase(kind: json["kind"] as? String ?? "", folder: folder, json: json)
            switch outcome {
            case .passed: break
            case .failed(let problem): Issue.record("\(path): \(problem)")
            case .skipped(let reason): print("skipped \(path): \(reason)")
            case nil: Issue.record("\(path): of an unknown kind")
            }
        }
    }
}
