import AnnealConformance
import AnnealCore
import AnnealGraph
import AnnealImport
import Foundation
import Testing

@Suite struct ImportTests {
    private static let fixtures = "Tests/Fixtures/onnx"

    private func model(_ nodes: [[UInt8]], _ constants: [[UInt8]] = [], image: [Int?] = [nil, 3, 4, 4]) throws
        -> ImportedModel
    {
        try ONNXImporter(
            ModelBytes.model(nodes: nodes, constants: constants, input: ModelBytes.port("x", image)), path: nil
        ).model()
    }

    private func operations(_ model: ImportedModel) -> [String] { model.symbol.nodes.compactMap(\.operation) }

    /// Models of torch, Keras and from 2018, with outputs computed by ONNX Runtime.
    @Test func committedCasesAgree() throws {
        let cases = ImportedCase.all(below: Self.fixtures)
        #expect(cases.count >= 5, "\(cases.map(\.name))")
        for item in cases { #expect(item.outcome() == .passed, "\(item.name)") }
    }

    /// Networks with channels last lose all transpositions.
    @Test func transpositionsVanish() throws {
        let path = Self.fixtures + "/keras_small_nhwc/model.onnx"
        let keras = try ONNXImporter(Files.read(path), path: path).model()
        #expect(!operations(keras).contains("transpose") && keras.imageShape == [3, 48, 48])
    }

    @Test func shapesThatFollowFromTheBatchFold() throws {
        // Reshape to (Shape(x)[0], -1), as exporters write Flatten.
        let shape = try model(
            [
                ModelBytes.node("Shape", ["x"], "s"), ModelBytes.node("Gather", ["s", "zero"], "n"),
                ModelBytes.node(
                    "Concat", ["n", "rest"], "t", attributes: [ModelBytes.text(1, "axis") + ModelBytes.integer(3, 0)]),
                ModelBytes.node("Reshape", ["x", "t"], "y"),
            ], [integers("zero", [0]), integers("rest", [-1])])
        #expect(operations(shape) == ["Flatten", "SoftmaxOutput"])
        let output = try shape.symbol.inferShapes(["data": [7, 3, 4, 4]]).outputs[0]
        #expect(output == [7, 48])
    }

    private func integers(_ name: String, _ values: [Int]) -> [UInt8] {
        ModelBytes.integer(1, values.count) + ModelBytes.integer(2, 7) + ModelBytes.text(8, name)
            + values.flatMap { ModelBytes.integer(7, $0) }
    }

    /// A file for one batch size becomes a network for any, if its constants allow it.
    @Test func fixedBatchesBecomeFree() throws {
        let free = try model(
            [ModelBytes.node("Reshape", ["x", "t"], "y")], [integers("t", [1, -1])], image: [1, 3, 4, 4])
        let output = try free.symbol.inferShapes(["data": [5, 3, 4, 4]]).outputs[0]
        #expect(output == [5, 48])
    }

    @Test func productsAndSumsBecomeLayersWithBias() throws {
        let flat = try model(
            [
                ModelBytes.node("Flatten", ["x"], "f"), ModelBytes.node("MatMul", ["f", "fc.weight"], "m"),
                ModelBytes.node("Add", ["b", "m"], "y"),
            ],
            [
                ModelBytes.tensor("fc.weight", [48, 2], (0..<96).map { Float($0) }),
                ModelBytes.tensor("b", [2], [3, 4]),
            ])
        #expect(operations(flat) == ["Flatten", "FullyConnected", "SoftmaxOutput"])
        #expect(flat.arguments["fc_bias"]?.floats == [3, 4])
        #expect(flat.arguments["fc_weight"]?.shape == [2, 48])
        let names = try flat.symbol.argumentNames()
        #expect(names == ["data", "fc_weight", "fc_bias", "softmax_label"])
    }

    @Test func layersAreNamedAfterTheirWeights() throws {
        let kernel = ModelBytes.tensor("layer1.0.conv1.weight", [2, 3, 1, 1], [1, 2, 3, 4, 5, 6])
        let named = try model(
            [
                ModelBytes.node("Conv", ["x", "layer1.0.conv1.weight"], "c"), ModelBytes.node("Flatten", ["c"], "y"),
            ], [kernel])
        #expect(named.arguments.keys.sorted() == ["layer1_0_conv1_weight"])
        let scoped = try model(
            [
                ModelBytes.node("Conv", ["x", "onnx::Conv_12"], "c", name: "/layer1/layer1.0/conv1/Conv"),
                ModelBytes.node("Flatten", ["c"], "y"),
            ], [ModelBytes.tensor("onnx::Conv_12", [2, 3, 1, 1], [1, 2, 3, 4, 5, 6])])
        #expect(scoped.arguments.keys.sorted() == ["layer1_0_conv1_weight"])
    }

    /// Half precision, as bits: 1, -2, 0.5, and bfloat16 1.5.
    @Test func narrowTypesWiden() throws {
        let half = ModelArray(type: .float16, shape: [3], raw: Data([0x00, 0x3c, 0x00, 0xc0, 0x00, 0x38]))
        #expect(half.floats == [1, -2, 0.5])
        let brain = ModelArray(type: .bfloat16, shape: [1], raw: Data([0xc0, 0x3f]))
        #expect(brain.floats == [1.5])
        let double = withUnsafeBytes(of: 0.25) { ModelArray(type: .float64, shape: [1], raw: Data($0)) }
        #expect(double.floats == [0.25])
    }
}
