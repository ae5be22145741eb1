import AnnealCore
import AnnealGraph
import Testing

/// Networks that cannot be built are refused by name; a program that builds networks from outside data must not trap.
@Suite struct SymbolBuilderTests {
    private func refusal(_ body: (SymbolBuilder) throws -> Symbol) -> AnnealError? {
        do {
            _ = try body(SymbolBuilder())
            return nil
        } catch { return error as? AnnealError }
    }

    @Test func refusalsNameLayerOperatorAndAttribute() {
        let data = Symbol.variable("data")
        let cases: [(AnnealError?, [String])] = [
            (refusal { try $0.apply("Convolutoin", name: "c", inputs: [data]) }, ["layer c", "Convolutoin"]),
            (
                refusal { try $0.apply("Activation", name: "a", inputs: [data], attributes: ["act_typ": "relu"]) },
                ["layer a", "Activation", "act_type"]
            ),
            (
                refusal { try $0.apply("Flatten", name: "f", inputs: [data], attributes: ["axes": "1"]) },
                ["layer f", "Flatten", "axes"]
            ),
            (
                refusal { try $0.convolution(data, numFilter: 0, kernel: [3, 3]) },
                ["layer convolution0", "num_filter"]
            ),
            (
                refusal { try $0.convolution(data, numFilter: 3, kernel: [3, 3], numGroup: 2, name: "g") },
                ["layer g", "Convolution", "num_group"]
            ),
            (refusal { try $0.fullyConnected(data, numHidden: -1, name: "fc") }, ["layer fc", "num_hidden"]),
            (refusal { try $0.convolution(data, numFilter: 1, kernel: [], name: "k") }, ["layer k", "kernel"]),
            (refusal { try $0.dropout(data, p: 2, name: "d") }, ["layer d", "Dropout", "p"]),
            (refusal { try $0.concat([], name: "none") }, ["layer none", "num_args"]),
            (refusal { try $0.split(data, into: 0, name: "s") }, ["layer s", "num_outputs"]),
        ]
        for (error, words) in cases {
            #expect(error != nil, "\(words)")
            for word in words { #expect("\(error.map { "\($0)" } ?? "")".contains(word), "\(words)") }
        }
    }

    @Test func inputsAreCounted() {
        let data = Symbol.variable("data")
        let pair = refusal { try $0.activation($0.split(data, into: 2, name: "halves"), .relu, name: "act") }
        #expect(pair?.description.contains("layer act: input 0 of Activation is a symbol with 2 outputs") == true)
        let many = refusal { try $0.apply("Flatten", name: "f", inputs: [data, data]) }
        #expect(many?.description.contains("layer f: Flatten has 2 inputs (it takes 1: data)") == true)
    }

    /// Two layers with the same name would share one set of parameters in a checkpoint.
    @Test func namesOfParametersDiffer() {
        let twice = refusal {
            try $0.fullyConnected(
                $0.fullyConnected(.variable("data"), numHidden: 2, name: "fc"), numHidden: 2, name: "fc")
        }
        #expect(twice?.description.contains("fc_weight") == true)
    }
}
