import AnnealGraph
import Foundation
import Testing

/// What MXNet does to files of its older versions; the expected values are in MXNet's own upgraded files too.
@Suite struct SymbolUpgradeTests {
    private func read(_ nodes: String, version: Int?) throws -> Symbol {
        let attributes = version.map { ", \"attrs\": {\"mxnet_version\": [\"int\", \($0)]}" } ?? ""
        return try Symbol(json: Data("{\"nodes\": [\(nodes)], \"heads\": [[2, 0]]\(attributes)}".utf8))
    }

    private func fullyConnected(_ attributes: String, key: String = "attr") -> String {
        """
        {"op": "null", "name": "data", "inputs": []}, {"op": "null", "name": "w", "inputs": []},
        {"op": "FullyConnected", "name": "fc", "inputs": [[0, 0], [1, 0]],
         "\(key)": {"num_hidden": "2", "no_bias": "True"\(attributes)}}
        """
    }

    @Test func annotationsGetTheirUnderscores() throws {
        let symbol = try read(fullyConnected(", \"lr_mult\": \"0.5\", \"ctx_group\": \"dev1\""), version: 903)
        let node = symbol.nodes[2]
        #expect(node.attributes["__lr_mult__"] == "0.5")
        #expect(node.attributes["__ctx_group__"] == "dev1")
        #expect(node.attributes["lr_mult"] == nil)
    }

    /// By the input's position, whatever the variable is called.
    @Test func annotationsOfAnInputMoveToItsVariable() throws {
        let symbol = try read(fullyConnected(", \"weight_lr_mult\": \"3.0\""), version: 903)
        #expect(symbol.nodes[1].attributes["__lr_mult__"] == "3.0")
        #expect(symbol.nodes[2].attributes["weight_lr_mult"] == nil)
    }

    @Test func sharedVariablesStayShared() throws {
        let nodes = """
            {"nodes": [{"op": "null", "name": "data", "inputs": []}, {"op": "null", "name": "w", "inputs": []},
            {"op": "FullyConnected", "name": "a", "inputs": [[0, 0], [1, 0]],
             "param": {"num_hidden": "2", "no_bias": "True"}, "attr": {"weight_lr_mult": "3.0"}},
            {"op": "FullyConnected", "name": "b", "inputs": [[2, 0], [1, 0]], "param": {"num_hidden": "2", "no_bias": "True"}}],
            "heads": [[3, 0]]}
            """
        let symbol = try Symbol(json: Data(nodes.utf8))
        #expect(try symbol.argumentNames() == ["data", "w"])
        #expect(symbol.nodes[1].attributes == ["__lr_mult__": "3.0"])
    }

    @Test func oldFilesGetAuxiliaryStates() throws {
        let nodes = """
            {"nodes": [{"op": "null", "name": "data", "inputs": []}, {"op": "null", "name": "bn_gamma", "inputs": []},
            {"op": "null", "name": "bn_beta", "inputs": []},
            {"op": "BatchNorm", "name": "bn", "inputs": [[0, 0], [1, 0], [2, 0]], "param": {"eps": "0.001"}}],
            "heads": [[3, 0]]}
            """
        let symbol = try Symbol(json: Data(nodes.utf8))
        #expect(try symbol.auxiliaryNames() == ["bn_moving_mean", "bn_moving_var"])
        #expect(symbol.nodes[3].attributes == ["eps": "0.001", "__init__": "[\"zero\", {}]"])
    }

    /// MXNet 1.9.1 has separate operators for them, under whose names it writes them.
    @Test func earlierOperatorsKeepTheirNames() throws {
        let net = SymbolBuilder()
        var body = try net.apply(
            "Convolution_v1", name: "conv", inputs: [.variable("data")],
            attributes: ["kernel": "(3, 3)", "num_filter": "2"])
        body = try net.apply("BatchNorm_v1", name: "bn", inputs: [body])
        body = try net.apply("Pooling_v1", name: "pool", inputs: [body], attributes: ["kernel": "(2, 2)"])
        let json = try body.json(), read = try Symbol(json: Data(json.utf8))
        #expect(
            read.nodes.compactMap(\.operation) == ["Convolution_v1", "BatchNorm_v1", "Pooling_v1"])
        #expect(try read.json() == json)
        // BatchNorm has three outputs in MXNet's files; max pooling has one here, not two.
        #expect(json.contains("    8, \n    11, \n    12\n"))
        #expect(try read.inferShapes(["data": [1, 3, 6, 6]]).outputs == [[1, 2, 3, 3]])
    }

    /// `lr_mult` of an operator applies to the variables that are created for it, as in MXNet.
    @Test func annotationsOfAnOperatorReachItsVariables() throws {
        let layer = try SymbolBuilder().apply(
            "FullyConnected", name: "fc", inputs: [.variable("data")],
            attributes: ["num_hidden": "2", "lr_mult": "0.01", "wd_mult": "3"])
        let read = try Symbol(json: Data(layer.json().utf8))
        for symbol in [layer, read] {
            for node in symbol.nodes.dropFirst() {
                #expect(node.attributes["__lr_mult__"] == "0.01" && node.attributes["__wd_mult__"] == "3")
                #expect(node.attributes["lr_mult"] == nil)
            }
        }
    }

    @Test func oldNamesOfOperators() throws {
        let nodes = """
            {"nodes": [{"op": "null", "name": "data", "inputs": []}, {"op": "null", "name": "softmax_label", "inputs": []},
            {"op": "Softmax", "name": "softmax", "inputs": [[0, 0], [1, 0]], "param": {}}], "heads": [[2, 0]]}
            """
        #expect(try Symbol(json: Data(nodes.utf8)).nodes[2].operation == "SoftmaxOutput")
    }

    @Test(arguments: [(904, nil), (905, "-1"), (10901, "-1")]) func axisOfArgmax(_ version: Int, _ axis: String?) throws
    {
        let nodes = """
            {"op": "null", "name": "data", "inputs": []}, {"op": "null", "name": "unused", "inputs": []},
            {"op": "argmax", "name": "am", "inputs": [[0, 0]], "attr": {"axis": "-1"}}
            """
        #expect(try read(nodes, version: version).nodes[1].attributes["axis"] == axis)
    }
}
