import AnnealGraph
import Testing

@Suite struct SymbolTests {
    @Test func names() throws {
        let net = SymbolBuilder()
        let symbol = net.softmaxOutput(net.fullyConnected(.variable("data"), numHidden: 2), name: "softmax")
        #expect(try symbol.argumentNames() == ["data", "fullyconnected0_weight", "fullyconnected0_bias", "softmax_label"])
        #expect(try symbol.outputNames() == ["softmax_output"])
    }
}
