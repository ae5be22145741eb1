import AnnealCore
import AnnealGraph
import Foundation

/// A network with its parameters in the Open Neural Network Exchange format.
///
/// Values keep MXNet's names: parameters those of the checkpoint, outputs `LAYER_output`. Every number is float32.
///
/// ```swift
/// let model = try ONNXModel(symbol, parameters: parameters, inputs: ["data": [1, 3, 224, 224]])
/// try model.write(to: "resnet-50.onnx")
/// ```
public struct ONNXModel: Sendable {
    /// The version of ONNX's operators, from 2022; ONNX Runtime has supported it since 1.12.
    public static let opset = 17

    /// What the model's outputs are.
    public enum Ending: Sendable {
        /// The network's own outputs.
        case asIs
        /// The logits: a softmax at the end of the network, or its logarithm, is left out.
        case logits
        /// One output, the class probabilities: a network that ends in logits gets a softmax.
        case probabilities
    }

    /// How raw pixels become the network's data: (x - mean) / std.
    public struct Preprocessing: Sendable {
        /// The type of a model's pixel input.
        public enum Pixels: String, CaseIterable, Sendable { case uint8, float32 }
        /// One number for each channel.
        public var mean: [Float]
        public var std: [Float]
        /// The type of the model's pixel input, 0 to 255.
        public var pixels: Pixels

        public init(mean: [Float], std: [Float], pixels: Pixels = .uint8) {
            self.mean = mean
            self.std = std
            self.pixels = pixels
        }
    }

    /// How a network is exported.
    public struct Options: Sendable {
        /// The first axis of every input accepts any extent; it is named `N`.
        public var anyBatchSize = true
        public var ending = Ending.logits
        /// Part of the model, applied to the network's data.
        public var preprocessing: Preprocessing?
        /// By label: stored in the model's metadata as a JSON array under the key `class_names`.
        public var classNames: [String]?
        /// The graph's name.
        public var name = "network"

        public init() {}
    }

    /// An input or output of the model.
    public struct Port: Sendable, Equatable {
        public let name: String
        package let type: ONNXType
        /// nil for the batch.
        public let extents: [Int?]

        /// `float32` or `uint8`.
        public var elementType: String { "\(type)" }
    }

    let graph: ONNXGraph
    /// The model's custom metadata in ONNX Runtime.
    let metadata: [(key: String, value: String)]
    public var inputs: [Port] { graph.inputs }
    public var outputs: [Port] { graph.outputs }

    /// - Parameters:
    ///   - parameters: parameters and auxiliary states by name; surplus ones are ignored.
    ///   - inputs: shapes of the inputs, by name, the batch first.
    /// - Throws: an error that names the layer with an operator that ONNX cannot express, the parameter that is
    ///   missing, or, for probabilities, the layer with scores that are not logits.
    public init(
        _ symbol: Symbol, parameters: [String: Tensor], inputs: [String: Shape], options: Options = Options()
    ) throws {
        metadata = try options.classNames.map { [("class_names", try Self.json($0))] } ?? []
        var exporter = try ONNXExporter(symbol, parameters: parameters, inputs: inputs, options: options)
        try exporter.addLayers()
        graph = try exporter.finished()
    }

    private static func json(_ names: [String]) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return String(decoding: try encoder.encode(names), as: UTF8.self)
    }

    /// The file's bytes.
    public func encoded() -> Data { ProtobufWriter.encode(self) }

    /// Writes the file atomically.
    /// - Returns: its size in bytes.
    @discardableResult
    public func write(to path: String) throws -> Int {
        let data = encoded()
        try Files.writeAtomically(data, to: path)
        return data.count
    }

    /// Refuses models that one file cannot hold: a protocol buffer is limited to 2 GB. A margin is left for names and
    /// nodes.
    package static func checkSize(_ bytes: Int) throws {
        guard bytes <= Int(Int32.max) - (16 << 20) else {
            throw AnnealError(
                "ONNX", "the parameters take more than the 2 GB that an ONNX file can hold",
                suggestion: "external parameter files are not supported; export a smaller network",
                code: .unsupported)
        }
    }
}
