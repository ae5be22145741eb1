import AnnealCore
import Foundation

/// A file with one `TensorProto`, the format of inputs and outputs in ONNX's tests.
package enum ONNXTensorFile {
    package static func read(_ path: String) throws -> ModelArray {
        do {
            return try ONNXTensorRecord(ProtobufReader(file: Files.read(path))).array(nil)
        } catch let error as AnnealError {
            throw error.place == path ? error : error.within(path)
        }
    }
}

extension ONNXFile {
    /// The operators of a model's nodes, in the file's order.
    package static func operators(of data: Data) throws -> [String] { try ONNXFile(data).nodes.map(\.type) }

    /// The graph's inputs that are not constants of the file, with their element types: nil for inputs that are not
    /// numeric tensors.
    package static func inputs(of data: Data) throws -> [(name: String, type: ModelElementType?)] {
        let file = try ONNXFile(data), constants = Set(file.constants.map(\.name))
        return file.inputs.filter { !constants.contains($0.name) }
            .map { ($0.name, $0.type.flatMap(ONNXTensorRecord.elementType)) }
    }
}
