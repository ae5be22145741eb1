import AnnealCore
import AnnealGraph
import AnnealNetworks
import Foundation
import Testing

@Suite struct GoldenNetworkTests {
    @Test(arguments: Golden.folders("networks")) func jsonEqualsMXNets(_ folder: String) throws {
        let data = try Files.read(folder + "/case.json")
        let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        guard let name = json["network"] as? String, let arguments = json["get_symbol"] as? [String: Any],
            Networks.names.contains(name)
        else { return }
        let symbol = try Networks.symbol(name, NetworkOptions(arguments: arguments))
        let file = json["kind"] as? String == "finetune" ? "source-symbol.json" : "net-symbol.json"
        let expected = String(decoding: try Files.read("\(folder)/\(file)"), as: UTF8.self)
        let written = try symbol.json()
        #expect(written == expected, "\(firstDifference(written, expected))")
    }

    private func firstDifference(_ found: String, _ expected: String) -> String {
        let a = found.split(separator: "\n", omittingEmptySubsequences: false)
        let b = expected.split(separator: "\n", omittingEmptySubsequences: false)
        let line = zip(a, b).enumerated().first { $1.0 != $1.1 }?.offset ?? min(a.count, b.count)
        func text(_ lines: [Substring]) -> Substring { line < lines.count ? lines[line] : "the end" }
        return "line \(line + 1): '\(text(a))' where MXNet has '\(text(b))'"
    }
}
