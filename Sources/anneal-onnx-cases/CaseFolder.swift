import Anneal
import Foundation

/// Writes a case: models, arrays as raw bytes, and `case.json`, which lists what belongs together.
///
/// ```json
/// {"models": [{"file": "m.onnx", "inputs": {"data": ARRAY}, "outputs": [ARRAY]}], "refused": null}
/// ```
/// with `ARRAY` as `{"file": "0.bin", "dtype": "float32", "shape": [2, 10]}`.
struct CaseFolder {
    struct Array: Encodable {
        var file: String
        var dtype: String
        var shape: [Int]
    }

    private struct Model: Encodable {
        var file: String
        var inputs: [String: Array]
        var outputs: [Array]
        /// Whether rows can be computed one by one.
        var anyBatchSize: Bool
    }

    private struct Record: Encodable {
        var models: [Model] = []
        /// Why there is no model.
        var refused: String?
    }

    let path: String
    private var record = Record()
    private var count = 0

    init(_ path: String) { self.path = path }

    mutating func refuse(_ why: String) { record.refused = why }

    mutating func add(
        _ model: ONNXModel, name: String, inputs: [String: Array], outputs: [Array], anyBatchSize: Bool
    ) throws {
        try model.write(to: "\(path)/\(name).onnx")
        record.models.append(
            Model(file: "\(name).onnx", inputs: inputs, outputs: outputs, anyBatchSize: anyBatchSize))
    }

    mutating func write(_ tensor: Tensor) throws -> Array {
        try write(tensor.elements.withUnsafeBytes { Data($0) }, "float32", tensor.shape)
    }

    mutating func write(_ data: Data, _ dtype: String, _ shape: Shape) throws -> Array {
        defer { count += 1 }
        try Files.writeAtomically(data, to: "\(path)/\(count).bin")
        return Array(file: "\(count).bin", dtype: dtype, shape: shape.dims)
    }

    func finish() throws { try Files.writeAtomically(try JSONEncoder().encode(record), to: path + "/case.json") }
}
