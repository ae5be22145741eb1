import AnnealCore
import AnnealGraph
import AnnealONNX
import Foundation
import Testing

@Suite struct ModelTests {
    private static func classifier() throws -> Symbol {
        let net = SymbolBuilder()
        let body = try net.activation(
            net.fullyConnected(.variable("data"), numHidden: 4, name: "fc1"), .relu, name: "relu1")
        return try net.softmaxOutput(net.fullyConnected(body, numHidden: 3, name: "fc2"), name: "softmax")
    }

    @Test func endsWithLogits() throws {
        let model = try exported(Self.classifier(), data: [1, 2, 3, 3])
        #expect(model.irVersion == [8])
        #expect(model.opset == [17])
        #expect(model.types == ["Flatten", "Gemm", "Relu", "Gemm"])
        #expect(model.nodes.map(\.name) == ["fc1/Flatten", "fc1", "relu1", "fc2"])
        #expect(model.inputs.map(\.name) == ["data"])
        #expect(model.inputs.map(\.shape) == [["N", "2", "3", "3"]])
        #expect(model.outputs.map(\.name) == ["fc2_output"])
        #expect(model.outputs.map(\.shape) == [["N", "3"]])
        #expect(model.constants.map(\.name) == ["fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias"])
        #expect(model.constant("fc1_weight")?.dims == [4, 18])
        #expect(model.constant("fc1_weight")?.type == 1)
        #expect(model.floats("fc2_bias") == [1, 2, 3])
        #expect(model.nodes[1].input == ["fc1/Flatten_output", "fc1_weight", "fc1_bias"])
        #expect(model.nodes[1].int("transB") == 1)
    }

    @Test func namesOfClassesAreMetadata() throws {
        #expect(try exported(Self.classifier(), data: [1, 18]).metadata.isEmpty)
        let model = try exported(Self.classifier(), data: [1, 18]) {
            $0.classNames = ["T-shirt/top", "\"café\"", "dog"]
        }
        #expect(model.metadata == [["class_names", #"["T-shirt/top","\"café\"","dog"]"#]])
    }

    @Test func softmaxOnRequestAndFixedBatch() throws {
        let model = try exported(Self.classifier(), data: [5, 18]) {
            $0.ending = .probabilities
            $0.anyBatchSize = false
        }
        #expect(model.types == ["Gemm", "Relu", "Gemm", "Softmax"])
        #expect(model.outputs.map(\.name) == ["softmax_output"])
        #expect(model.outputs.map(\.shape) == [["5", "3"]])
        #expect(model.inputs.map(\.shape) == [["5", "18"]])
    }

    @Test func logitsGetTheirSoftmax() throws {
        let net = SymbolBuilder()
        let logits = try net.fullyConnected(.variable("data"), numHidden: 3, name: "fc")
        #expect(try exported(logits, data: [5, 18]).types == ["Gemm"])
        #expect(try exported(logits, data: [5, 18]) { $0.ending = .probabilities }.types == ["Gemm", "Softmax"])
        // Any kind of softmax is omitted for logits.
        let softmax = try net.softmax(logits, name: "p")
        #expect(try exported(softmax, data: [5, 18]).outputs.map(\.name) == ["fc_output"])
        let whole = try exported(softmax, data: [5, 18]) { $0.ending = .probabilities }
        #expect(whole.outputs.map(\.name) == ["p_output"])
        let svm = try net.apply("SVMOutput", name: "svm", inputs: [logits])
        #expect(
            message { _ = try exported(svm, data: [5, 18]) { $0.ending = .probabilities } }?.contains("SVMOutput")
                == true)
    }

    @Test func preprocessingTakesPixels() throws {
        let symbol = try SymbolBuilder().activation(.variable("data"), .relu)
        let model = try exported(symbol, data: [1, 3, 4, 4]) {
            $0.preprocessing = .init(mean: [1, 2, 3], std: [4, 5, 6])
        }
        #expect(model.types == ["Cast", "Sub", "Div", "Relu"])
        #expect(model.inputs[0].type == 2)
        #expect(model.floats(model.nodes[1].input[1]) == [1, 2, 3])
        #expect(model.floats(model.nodes[2].input[1]) == [4, 5, 6])
        #expect(model.constant(model.nodes[1].input[1])?.dims == [1, 3, 1, 1])

        let floats = try exported(symbol, data: [1, 3, 4, 4]) {
            $0.preprocessing = .init(mean: [1, 2, 3], std: [4, 5, 6], pixels: .float32)
        }
        #expect(floats.types == ["Sub", "Div", "Relu"])
        #expect(floats.inputs[0].type == 1)
        let wrong = message {
            _ = try exported(symbol, data: [1, 1, 4, 4]) { $0.preprocessing = .init(mean: [1, 2, 3], std: [4, 5, 6]) }
        }
        #expect(wrong?.contains("preprocessing") == true && wrong?.contains("1 channel") == true)
    }

    @Test func refusalsNameTheLayer() throws {
        let net = SymbolBuilder()
        let gamma = try net.unary(.gamma, .variable("data"), name: "odd")
        #expect(message { _ = try exported(gamma, data: [2, 3]) }?.hasPrefix("layer odd: the operator gamma") == true)
        let entropy = try net.apply(
            "softmax_cross_entropy", name: "loss", inputs: [.variable("data"), .variable("label")])
        #expect(
            message { _ = try exported(entropy, data: [2, 3]) }?
                .hasPrefix("layer loss: the operator softmax_cross_entropy") == true)
        let always = message { _ = try exported("Dropout", ["mode": "always"], data: [2, 3]) }
        #expect(always?.hasPrefix("layer layer: ") == true && always?.contains("always") == true)
        let batch = message { _ = try exported("slice_axis", ["axis": "0", "begin": "1", "end": "2"], data: [4, 3]) }
        #expect(batch?.contains("layer layer") == true && batch?.contains("--batch-size") == true)
        _ = try exported("slice_axis", ["axis": "0", "begin": "1", "end": "2"], data: [4, 3]) {
            $0.anyBatchSize = false
        }
    }

    @Test func parametersAreChecked() throws {
        let symbol = try Self.classifier()
        func export(_ parameters: [String: Tensor]) -> String? {
            message { _ = try ONNXModel(symbol, parameters: parameters, inputs: ["data": [1, 18]]) }
        }
        #expect(export([:])?.contains("layer fc1: reads fc1_weight") == true)
        let wrong = export(["fc1_weight": Tensor([4, 17])])
        #expect(wrong?.contains("parameter fc1_weight") == true && wrong?.contains("(4, 17)") == true)
        #expect(
            message { _ = try ONNXModel(symbol, parameters: [:], inputs: ["image": [1, 18]]) }?.contains("image")
                == true)
    }

    @Test func twoGigabytesAreTheLimit() throws {
        try ONNXModel.checkSize(2_000_000_000)
        #expect(message { try ONNXModel.checkSize(2_147_483_647) }?.contains("2 GB") == true)
    }

    @Test func outputsHaveNamesOfTheirOwn() throws {
        let net = SymbolBuilder(), data = Symbol.variable("data")
        let relu = try net.activation(data, .relu, name: "r")
        // The data itself, a value twice, and a layer that computes nothing.
        let model = try exported(.group([data, relu, net.dropout(relu, name: "d")]), data: [1, 4])
        #expect(model.outputs.map(\.name) == ["data_1", "r_output", "d_output"])
        #expect(model.types.filter { $0 == "Identity" }.count == 2)
        let given = Set(model.nodes.flatMap(\.output))
        #expect(model.outputs.allSatisfy { given.contains($0.name) })
    }

    @Test func sharedParametersStandOnce() throws {
        let net = SymbolBuilder(), weight = Symbol.variable("shared")
        let one = try net.convolution(.variable("data"), numFilter: 2, kernel: [1, 1], noBias: true, weight: weight)
        let two = try net.convolution(one, numFilter: 2, kernel: [1, 1], noBias: true, weight: weight)
        #expect(try exported(two, data: [1, 2, 3, 3]).constants.map(\.name) == ["shared"])
    }
}
