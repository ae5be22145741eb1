import AnnealCore
import AnnealGraph
import Foundation
import Testing

@Suite struct SymbolTests {
    @Test func names() throws {
        let net = SymbolBuilder()
        let symbol = try net.softmaxOutput(net.fullyConnected(.variable("data"), numHidden: 2), name: "softmax")
        #expect(
            try symbol.argumentNames() == ["data", "fullyconnected0_weight", "fullyconnected0_bias", "softmax_label"])
        #expect(try symbol.outputNames() == ["softmax_output"])
        #expect(try symbol.auxiliaryNames() == [])
    }

    @Test func automaticNamesCountPerOperator() throws {
        let net = SymbolBuilder()
        var body = try net.flatten(.variable("data"))
        body = try net.activation(net.fullyConnected(body, numHidden: 3, name: "first"), .relu)
        body = try net.add(net.fullyConnected(body, numHidden: 3), net.multiply(body, by: 0.5))
        let names = body.nodes.filter { !$0.isVariable }.map(\.name)
        #expect(names == ["flatten0", "first", "activation0", "fullyconnected0", "_mulscalar0", "_plus0"])
    }

    @Test func batchNormStatesAreAuxiliary() throws {
        let net = SymbolBuilder()
        let symbol = try net.batchNorm(.variable("data"), name: "bn")
        #expect(try symbol.argumentNames() == ["data", "bn_gamma", "bn_beta"])
        #expect(try symbol.auxiliaryNames() == ["bn_moving_mean", "bn_moving_var"])
    }

    @Test func groupsHaveSeveralOutputs() throws {
        let net = SymbolBuilder()
        let data = Symbol.variable("data")
        let symbol = try Symbol.group([net.activation(data, .relu), data])
        #expect(try symbol.outputNames() == ["activation0_output", "data"])
        #expect(symbol.nodes.count == 2)
    }

    @Test func outputsByName() throws {
        let net = SymbolBuilder()
        let symbol = try net.activation(net.flatten(.variable("data")), .relu)
        #expect(try symbol.output(named: "flatten0_output").outputNames() == ["flatten0_output"])
        #expect(message { _ = try symbol.output(named: "flatten1_output") }?.contains("flatten1_output") == true)
    }

    @Test func sharedVariablesStandOnce() throws {
        let net = SymbolBuilder()
        let weight = Symbol.variable("shared")
        let data = Symbol.variable("data")
        let one = try net.convolution(data, numFilter: 2, kernel: [1, 1], noBias: true, weight: weight)
        let two = try net.convolution(one, numFilter: 2, kernel: [1, 1], noBias: true, weight: weight)
        #expect(try two.argumentNames() == ["data", "shared"])
        let read = try Symbol(json: Data(try two.json().utf8))
        #expect(try read.argumentNames() == ["data", "shared"])
    }

    /// 100,000 consecutive nodes are built, walked, written, read, inferred and freed without a deep stack.
    @Test func deepGraphs() throws {
        func build() throws -> String {
            var node = Node(operation: nil, name: "data")
            for index in 0..<100_000 { node = Node(operation: "relu", name: "r\(index)", inputs: [Entry(node)]) }
            let symbol = Symbol(node)
            #expect(symbol.nodes.count == 100_001)
            #expect(try symbol.inferShapes(["data": [2, 3]]).outputs == [[2, 3]])
            return try symbol.json()
        }
        let text = try build()
        let read = try Symbol(json: Data(text.utf8))
        #expect(read.nodes.count == 100_001)
        #expect(try read.json() == text)
    }
}
