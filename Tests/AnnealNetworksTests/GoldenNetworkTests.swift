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
        let symbol = try Networks.symbol(name, options(arguments))
        let file = json["kind"] as? String == "finetune" ? "source-symbol.json" : "net-symbol.json"
        let expected = String(decoding: try Files.read("\(folder)/\(file)"), as: UTF8.self)
        let written = try symbol.json()
        #expect(written == expected, "\(firstDifference(written, expected))")
    }

    private func options(_ arguments: [String: Any]) -> NetworkOptions {
        var options = NetworkOptions(numClasses: arguments["num_classes"] as? Int ?? 0)
        if let shape = arguments["image_shape"] as? String {
            options.imageShape = shape.split(separator: ",").compactMap { Int($0) }
        }
        options.numLayers = arguments["num_layers"] as? Int
        if let groups = arguments["num_group"] as? Int { options.numGroup = groups }
        if let batchNorm = arguments["batch_norm"] as? Bool { options.batchNorm = batchNorm }
        if let multiplier = (arguments["multiplier"] ?? arguments["alpha"]) as? Double { options.multiplier = multiplier }
        options.resolution = arguments["resolution"] as? Int ?? 224
        if let dtype = (arguments["dtype"] as? String).flatMap(NetworkDType.init) { options.dtype = dtype }
        return options
    }

    private func firstDifference(_ found: String, _ expected: String) -> String {
        let a = found.split(separator: "\n", omittingEmptySubsequences: false)
        let b = expected.split(separator: "\n", omittingEmptySubsequences: false)
        let line = zip(a, b).enumerated().first { $1.0 != $1.1 }?.offset ?? min(a.count, b.count)
        func text(_ lines: [Substring]) -> Substring { line < lines.count ? lines[line] : "the end" }
        return "line \(line + 1): '\(text(a))' where MXNet has '\(text(b))'"
    }
}
