import AnnealCore
import AnnealGraph
import Foundation

/// An imported model file: an MXNet graph with its parameters, and what the file says about images and classes.
package struct ImportedModel {
    /// Its input is `data`, in the order (batch, channels, height, width).
    package var symbol: Symbol
    package var arguments: [String: ModelArray]
    package var auxiliary: [String: ModelArray]
    /// Channels, height, width; nil if the model does not read images.
    package var imageShape: [Int]?
    /// How the file says that images are prepared.
    package var images = ImageRecord()
    /// Notes for the user, a sentence each.
    package var notes: [String] = []

    package struct ImageRecord {
        package var mean: [Float]?
        package var std: [Float]?
        package var resize: Int?
        package var classNames: [String]?
    }
}

/// How a model is to be read.
package struct ImportOptions {
    /// Channels, height and width: needed if the file does not say, or to use the network for other images.
    package var imageShape: [Int]?
    /// The network's name in timm or torchvision, if the weights do not show it.
    package var architecture: String?
    /// Values of inputs besides the first, by name: they become constants.
    package var inputs: [String: ModelArray] = [:]
    /// The shape of the whole first input, batch included, for graphs that are not classifiers: nothing is then added
    /// to their end.
    package var inputShape: [Int]?

    package init(imageShape: [Int]? = nil, architecture: String? = nil) {
        (self.imageShape, self.architecture) = (imageShape, architecture)
    }
}

/// Rebuilds an ONNX graph with MXNet's operators.
///
/// Each value is either known, and then computed at import, or computed from the image, and then the output of a layer,
/// with known shapes for two batch sizes: extents that differ between the two grow with the batch.
package struct ONNXImporter {
    let file: ONNXFile
    let options: ImportOptions
    let external: ExternalData?
    let modelBytes: Int

    /// - Parameter path: the model's path, for data in files next to it; nil if there are none.
    package init(_ data: Data, path: String?, options: ImportOptions = ImportOptions()) throws {
        file = try ONNXFile(data)
        self.options = options
        external = path.map { ExternalData(besides: $0) }
        modelBytes = data.count
    }

    package func model() throws -> ImportedModel {
        let input = try self.input(), fixed = input.extents?.first.flatMap { $0 }
        guard let fixed, options.inputShape == nil else { return try trace(input, [2, 3]) }
        // Its constants may be valid only for its own batch size: then nodes fail that could be imported otherwise.
        if let model = try? trace(input, [2, 3]) { return model }
        return try trace(input, [fixed, fixed])
    }

    private func trace(_ input: ONNXFile.Port, _ batches: [Int]) throws -> ImportedModel {
        var trace = try ONNXTrace(self, input: input, batches: batches)
        return try trace.model()
    }

    /// The only input that is neither a constant nor given.
    private func input() throws -> ONNXFile.Port {
        let known = Set(file.constants.map(\.name)).union(options.inputs.keys)
        let inputs = file.inputs.filter { !known.contains($0.name) }
        guard let input = inputs.first, inputs.count == 1 else {
            throw AnnealError(
                "",
                "has \(inputs.count) inputs"
                    + (inputs.isEmpty ? "" : ": \(inputs.prefix(5).map(\.name).joined(separator: ", "))"),
                suggestion: "an image classifier has one", code: .unsupported)
        }
        if let type = input.type, ONNXTensorRecord.elementType(type).map({ $0.isFloat || $0 == .uint8 }) != true {
            throw AnnealError(
                "input \(input.name)", "has the type \(ONNXTensorRecord.typeNames[type] ?? "\(type)")",
                suggestion: "images are floating-point numbers, or uint8", code: .unsupported)
        }
        return input
    }
}
