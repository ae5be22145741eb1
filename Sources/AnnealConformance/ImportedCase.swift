import Anneal
import AnnealImport
import Foundation

/// A model of another framework with an input and that framework's output: a folder in ONNX's own layout (`model.onnx`,
/// `test_data_set_0/input_0.pb`, `output_0.pb`), or weights (`model*.pth`, `model*.safetensors`) with `input_0.f32`,
/// `output_0.f32` and their shapes in `case.json`.
///
/// Outputs must agree within the `tolerance` of `case.json`, relative to the value and to the largest one.
public struct ImportedCase: Sendable {
    /// The model's path.
    public let path: String
    private let folder: String

    public var name: String {
        let file = Files.name(of: path)
        return Files.name(of: folder) + (file == "model.onnx" ? "" : "/" + file)
    }

    /// All cases below a folder, in the order of their paths.
    public static func all(below root: String) -> [ImportedCase] {
        let paths = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
        return paths.sorted().compactMap { path in
            let path = Files.path(root, path), folder = Files.folder(of: path), name = Files.name(of: path)
            func has(_ file: String) -> Bool { Files.exists(Files.path(folder, file)) }
            let isCase =
                name == "model.onnx"
                ? has("test_data_set_0/input_0.pb") && has("test_data_set_0/output_0.pb")
                : name.hasPrefix("model") && ForeignModel.isModelFile(name) && has("input_0.f32") && has("output_0.f32")
            return isCase ? ImportedCase(path) : nil
        }
    }

    public init(_ path: String) {
        self.path = path
        folder = Files.folder(of: path)
    }

    /// The network in Anneal's form with a batch of images and the expected scores.
    public struct Content: Sendable {
        public var model: ForeignModel
        /// (batch, channels, height, width)
        public var input: Tensor
        /// (batch, classes)
        public var expected: Tensor
        /// The engine's output: probabilities or logits, as in the file.
        public var found: Tensor
        /// Whether the file ends in a softmax.
        public var isProbabilities: Bool
    }

    private struct Record: Decodable {
        struct Port: Decodable { var shape: [Int] }
        var tolerance: Double?
        var inputShape: [Int]?
        var outputShape: [Int]?

        enum CodingKeys: String, CodingKey { case tolerance, input, output }

        init() {}
        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            tolerance = try? container.decode(Double.self, forKey: .tolerance)
            inputShape = try? container.decode([Int].self, forKey: .input)
            outputShape = try? container.decode([Int].self, forKey: .output)
        }
    }

    private func record() throws -> Record {
        let path = Files.path(folder, "case.json")
        guard Files.exists(path) else { return Record() }
        return try JSONDecoder().decode(Record.self, from: Files.read(path))
    }

    /// Imports and runs the model.
    public func content() throws -> Content {
        let record = try record()
        var input: Tensor, expected: Tensor
        if path.hasSuffix(".onnx") {
            input = try ONNXTensorFile.read(Files.path(folder, "test_data_set_0/input_0.pb")).tensor
            expected = try ONNXTensorFile.read(Files.path(folder, "test_data_set_0/output_0.pb")).tensor
        } else {
            input = try Self.floats(Files.path(folder, "input_0.f32"), record.inputShape)
            expected = try Self.floats(Files.path(folder, "output_0.f32"), record.outputShape)
        }
        // Channels last.
        if input.shape.rank == 4, ![1, 3, 4].contains(input.shape[1]), [1, 3, 4].contains(input.shape[3]) {
            input = Self.channelsFirst(input)
        }
        let model = try ForeignModel(path, imageShape: Array(input.shape.dims.dropFirst()))
        expected = Tensor([expected.shape[0], expected.count / expected.shape[0]], expected.elements)
        let sums = (0..<expected.shape[0]).map { row in
            expected.elements[row * expected.shape[1]..<(row + 1) * expected.shape[1]].reduce(0, +)
        }
        let isProbabilities =
            model.symbol.outputs[0].node.operation == "SoftmaxOutput"
            && expected.elements.allSatisfy { $0 >= 0 } && sums.allSatisfy { abs($0 - 1) < 1e-3 }
        let symbol = isProbabilities ? model.symbol : try model.symbol.endingInLogits()
        let executor = try Executor(symbol, inputs: ["data": input.shape], mode: .inference)
        try model.checkpoint().restore(executor.parameters, place: path)
        try executor.setInput("data", input)
        try executor.forward()
        return Content(
            model: model, input: input, expected: expected, found: try executor.output(),
            isProbabilities: isProbabilities)
    }

    /// nil if the outputs agree.
    public func problem(_ content: Content) throws -> String? {
        let tolerance = try record().tolerance ?? 1e-3
        guard content.found.shape == content.expected.shape else {
            return "shape \(content.found.shape), expected \(content.expected.shape)"
        }
        return Tolerance(rtol: tolerance, atolRelative: tolerance, atol: 1e-7)
            .mismatch("output", content.found.elements, content.expected.elements)
    }

    public func outcome() -> CaseOutcome {
        do { return try problem(content()).map { .failed($0) } ?? .passed } catch { return .failed("\(error)") }
    }

    private static func floats(_ path: String, _ shape: [Int]?) throws -> Tensor {
        let data = try Files.read(path)
        guard let shape, data.count == 4 * shape.reduce(1, *) else {
            throw AnnealError(path, "has \(data.count) bytes, but case.json says \(shape ?? [])")
        }
        return ModelArray(type: .float32, shape: shape, raw: data).tensor
    }

    private static func channelsFirst(_ tensor: Tensor) -> Tensor {
        let (n, h, w, c) = (tensor.shape[0], tensor.shape[1], tensor.shape[2], tensor.shape[3])
        var elements: [Float] = []
        for image in 0..<n {
            for channel in 0..<c {
                for place in 0..<h * w { elements.append(tensor.elements[(image * h * w + place) * c + channel]) }
            }
        }
        return Tensor([n, c, h, w], elements)
    }
}
