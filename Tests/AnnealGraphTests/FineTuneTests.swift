import AnnealGraph
import Testing

@Suite struct FineTuneTests {
    /// data → fc6 → relu6 → flatten0 → LAST → softmax
    private func network(last: String = "fc1") throws -> Symbol {
        let net = SymbolBuilder()
        var body = try net.activation(
            net.fullyConnected(.variable("data"), numHidden: 8, name: "fc6"), .relu, name: "relu6")
        body = try net.fullyConnected(net.flatten(body), numHidden: 10, name: last)
        return try net.softmaxOutput(body, name: "softmax")
    }

    @Test func theNewHead() throws {
        let cut = try network().withNewHead(numClasses: 4)
        #expect(
            try cut.argumentNames() == ["data", "fc6_weight", "fc6_bias", "fc_weight", "fc_bias", "softmax_label"])
        #expect(try cut.outputNames() == ["softmax_output"])
        #expect(try cut.inferShapes(["data": [2, 3]]).outputs == [[2, 4]])
    }

    @Test func theLayerIsFound() throws {
        #expect(try network().layerBeforeFullc() == "flatten0")
        let error = message { _ = try network().withNewHead(numClasses: 4, layerBeforeFullc: "flatten9") } ?? ""
        #expect(error.contains("--layer-before-fullc flatten9"))
        #expect(error.contains("flatten0"))
    }

    @Test func withoutAFullyConnectedLayer() throws {
        let net = SymbolBuilder()
        let symbol = try net.activation(.variable("data"), .relu)
        #expect(message { _ = try symbol.layerBeforeFullc() }?.contains("--layer-before-fullc") == true)
        #expect(message { _ = try symbol.withNewHead(numClasses: 0) }?.contains("--num-classes") == true)
    }

    @Test func parametersTakenOver() throws {
        let cut = try network().withNewHead(numClasses: 4)
        let stored = ["fc6_weight", "fc6_bias", "fc1_weight", "fc1_bias"]
        #expect(try FineTune.parametersTakenOver(stored, by: cut) == ["fc6_weight", "fc6_bias"])
        // fine-tune.py drops everything with "fc" in its name.
        #expect(try FineTune.parametersTakenOver(stored, by: cut, rule: .mxnet) == [])
    }

    /// A graph contains only one variable of a name: the new head is renamed if it collides with a kept layer.
    @Test func aKeptLayerMayHaveTheNewName() throws {
        let net = SymbolBuilder()
        let body = try net.flatten(
            net.activation(net.fullyConnected(.variable("data"), numHidden: 8, name: "fc"), .relu), name: "flatten0")
        let whole = try net.softmaxOutput(net.fullyConnected(body, numHidden: 3, name: "out"), name: "softmax")
        let cut = try whole.withNewHead(numClasses: 2)
        #expect(
            try cut.argumentNames() == ["data", "fc_weight", "fc_bias", "fc_2_weight", "fc_2_bias", "softmax_label"])
        #expect(FineTune.headParameters(of: cut) == ["fc_2_weight", "fc_2_bias"])
        #expect(try cut.inferShapes(["data": [2, 3]]).outputs == [[2, 2]])
        let stored = ["fc_weight", "fc_bias", "out_weight", "out_bias"]
        #expect(try FineTune.parametersTakenOver(stored, by: cut) == ["fc_weight", "fc_bias"])
    }

    /// An old head with the new head's name is not reused, even if it has the same number of classes.
    @Test func theOldHeadMayHaveTheNewName() throws {
        let cut = try network(last: "fc").withNewHead(numClasses: 10)
        let stored = ["fc6_weight", "fc6_bias", "fc_weight", "fc_bias"]
        #expect(try FineTune.parametersTakenOver(stored, by: cut) == ["fc6_weight", "fc6_bias"])
    }
}
