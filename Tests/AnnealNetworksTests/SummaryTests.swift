import AnnealCore
import AnnealGraph
import AnnealNetworks
import Testing

@Suite struct SummaryTests {
    @Test func lenetByHand() throws {
        let summary = try NetworkSummary(lenet(numClasses: 10), inputs: ["data": [1, 1, 28, 28]])
        let first = try #require(summary.layers.first { $0.operation == "Convolution" })
        #expect(first.detail == "5x5/1, 20")
        #expect(first.outputShape == [1, 20, 24, 24])
        #expect(first.parameters == 520)
        #expect(first.multiplyAdds == 20 * 24 * 24 * 25)
        #expect(summary.parameters == 520 + 25_050 + 400_500 + 5_010)
        #expect(summary.multiplyAdds == 288_000 + 50 * 64 * 500 + 400_000 + 5_000)
    }

    /// Multiply-adds from the papers' and torchvision's tables, in units of 10^9.
    @Test(arguments: [
        ("resnet-v1", 50, 3.86), ("resnext", 50, 4.23), ("resnext", 101, 7.97), ("vgg", 16, 15.47),
        ("densenet", 121, 2.83),
    ])
    func knownCosts(_ name: String, _ layers: Int, _ billions: Double) throws {
        let symbol = try Networks.symbol(
            name, NetworkOptions(numClasses: 1000, imageShape: [3, 224, 224], numLayers: layers))
        let summary = try NetworkSummary(symbol, inputs: ["data": [1, 3, 224, 224]])
        #expect(abs(summary.multiplyAdds / 1e9 - billions) < 0.02 * billions, "\(summary.multiplyAdds)")
    }

    @Test func sharedParametersCountOnce() throws {
        let net = SymbolBuilder()
        let weight = Symbol.variable("shared")
        var body = try net.convolution(
            .variable("data"), numFilter: 2, kernel: [1, 1], noBias: true, weight: weight, name: "a")
        body = try net.convolution(body, numFilter: 2, kernel: [1, 1], noBias: true, weight: weight, name: "b")
        let summary = try NetworkSummary(body, inputs: ["data": [1, 2, 3, 3]])
        #expect(summary.parameters == 4)
        #expect(summary.multiplyAdds == 2 * 2 * 9 * 2)
    }
}
