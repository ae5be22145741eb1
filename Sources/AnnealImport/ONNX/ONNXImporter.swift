import AnnealCore
import AnnealGraph
import Foundation

/// What a model file becomes: an MXNet graph with its parameters, and what the file says of images and classes.
package struct ImportedModel {
    /// Its input is `data`, in the order (batch, channels, height, width).
    package var symbol: Symbol
    package var arguments: [String: ModelArray]
    package var auxiliary: [String: ModelArray]
    /// Channels, height, width; nil if the model does not read images.
    package var imageShape: [Int]?
    /// What the file says of preparing images.
    package var images = ImageRecord()
    /// What a user should know, a sentence each.
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
    /// Channels, height and width, where the file does not say, or to use the network for other images.
    package var imageShape: [Int]?
    /// What timm or torchvision calls the network, where weights do not show it.
    package var architecture: String?
    /// Values of inputs besides the first, by name: they become constants.
    package var inputs: [String: ModelArray] = [:]
    /// The shape of the whole first input, batch included, for graphs that are no classifiers: nothing is added to their
    /// end then.
    package var inputShape: [Int]?

    package init(imageShape: [Int]? = nil, architecture: String? = nil) {
        (self.imageShape, self.architecture) = (imageShape, architecture)
    }
}

/// Rebuilds an ONNX graph with MXNet's operators.
///
/// Each value is either known, and then computed at import, or computed from the image, and then a layer's output whose
/// shapes are known for two batch sizes: what differs between the two grows with the batch.
package struct ONNXImporter {
    let file: ONNXFile
    let options: ImportOptions
    let external: ExternalData?
    let modelBytes: Int

    /// - Parameter path: of the model, for data in files next to it; nil if there are none.
    package init(_ data: Data, path: String?, options: ImportOptions = ImportOptions()) throws {
        file = try ONNXFile(data)
        self.options = options
        external = path.map { ExternalData(besides: $0) }
        modelBytes = data.count
    }

    package func model() throws -> ImportedModel {
        let input = try self.input(), fixed = input.extents?.first.flatMap { $0 }
        guard let fixed, options.inputShape == nil else { return try trace(input, [2, 3]) }
        // Its constants may hold for its own batch size only: then nodes fail that are to be had.
        if let model = try? trace(input, [2, 3]) { return model }
        return try trace(input, [fixed, fixed])
    }

    private func trace(_ input: ONNXFile.Port, _ batches: [Int]) throws -> ImportedModel {
        var trace = try ONNXTrace(self, input: input, batches: batches)
        return try trace.model()
    }

    /// The one input that is neither a constant nor given.
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
