import AnnealCore
import AnnealGraph
import Testing

/// An operator that is not in a registry and cannot be read from attributes: it is only available from its node.
private struct Probe: SymbolOperator {
    static let name = "Probe"

    init() {}
    init(_ attributes: inout AttributeReader) throws { throw AnnealError("", "was read a second time") }

    var inputNames: [String] { ["data", "target"] }
    var labelInput: Int? { 1 }
    func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        if let data = inputs[0] { try expect(&inputs[1], [data[0]], "target") }
        return try sameShape(&inputs)
    }
}

@Suite struct SymbolOperatorTests {
    private let builder = SymbolBuilder()

    private func probe() throws -> Symbol {
        let inputs = ["x", "truth"].map { Entry(Node(operation: nil, name: $0)) }
        return Symbol(Node(Probe(), operation: Probe.name, name: "probe", attributes: [:], inputs: inputs))
    }

    @Test func nodesKeepTheirOperator() throws {
        let symbol = try builder.batchNorm(probe(), name: "norm")
        #expect(try symbol.inferShapes(["x": [2, 3]]).variables["truth"] == [2])
        #expect(try symbol.json().contains("Probe"))
        // A copy with other attributes reads those; the layers around it are unchanged.
        let changed = try symbol.usingStoredStatistics(["norm_moving_mean"])
        #expect(try changed.nodes.contains { try !$0.isVariable && $0.op is Probe })
        #expect(try (changed.outputs[0].node.op as? BatchNorm)?.useGlobalStats == true)
    }

    @Test func eachUseNamesLayerAndAttribute() {
        let node = Node(operation: "Pooling", name: "pool", attributes: ["kernel": "(2, 2)", "kernle": "(2, 2)"])
        for _ in 0..<2 {
            let text = message { _ = try node.op }
            #expect(text?.contains("layer pool") == true && text?.contains("kernle") == true)
        }
    }

    @Test func familiesAreReadUnderTheirMembersNames() throws {
        for (name, member) in [("relu", Unary.Member.relu), ("_np_negative", .negative)] {
            var reader = AttributeReader(operation: name, [:])
            #expect(try Unary(&reader).member == member)
        }
        #expect(
            message {
                var reader = AttributeReader(operation: "softmax", [:])
                _ = try Unary(&reader)
            }?.contains("softmax") == true)
    }

    /// The operator says which input is a label, whatever that input or the variable is called.
    @Test func labelsAreWhatOperatorsCompareWith() throws {
        let network = try ClassifierNetwork(probe())
        #expect(network.dataName == "x" && network.labelName == "truth")
        // Parameters are distinguished from inputs without asking for a classifier.
        let loss = try builder.makeLoss(
            builder.apply(
                "pick", name: "chosen",
                inputs: [builder.fullyConnected(.variable("x"), numHidden: 2, name: "f"), .variable("truth")]),
            name: "loss")
        #expect(try loss.parameterNames() == ["f_weight", "f_bias"])
    }
}
