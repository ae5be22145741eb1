import AnnealCore
import AnnealGraph
import AnnealONNX
import Foundation

/// A model read back from its bytes, by the field numbers of ONNX's schema.
struct ReadModel {
    struct Node {
        var name: String
        var opType: String
        var input: [String]
        var output: [String]
        private var attributes: [String: WireMessage] = [:]

        init(_ message: WireMessage) throws {
            input = message.strings(1)
            output = message.strings(2)
            name = message.strings(3)[0]
            opType = message.strings(4)[0]
            for attribute in try message.messages(5) { attributes[attribute.strings(1)[0]] = attribute }
        }

        var isBare: Bool { attributes.isEmpty }
        /// Field 20 names the type: 1 float, 2 int, 3 string, 7 ints.
        func float(_ name: String) -> Float? { attribute(name, 1)?.float(2) }
        func int(_ name: String) -> Int? { attribute(name, 2)?.integers(3).first }
        func string(_ name: String) -> String? { attribute(name, 3)?.strings(4).first }
        func ints(_ name: String) -> [Int]? { attribute(name, 7)?.integers(8) }
        private func attribute(_ name: String, _ type: Int) -> WireMessage? {
            attributes[name].flatMap { $0.integers(20) == [type] ? $0 : nil }
        }
    }

    struct Constant {
        var name: String
        var dims: [Int]
        var type: Int
        var raw: Data

        init(_ message: WireMessage) {
            dims = message.integers(1)
            type = message.integers(2)[0]
            name = message.strings(8)[0]
            raw = message.bytes(9)[0]
        }
    }

    struct Port {
        var name: String
        var type: Int
        /// Extents, with `N` for the batch.
        var shape: [String]

        init(_ message: WireMessage) throws {
            name = message.strings(1)[0]
            let tensor = try message.message(2).message(1)
            type = tensor.integers(1)[0]
            shape = try tensor.message(2).messages(1).map { $0.strings(2).first ?? "\($0.integers(1)[0])" }
        }
    }

    let irVersion: [Int]
    let opset: [Int]
    let nodes: [Node]
    let constants: [Constant]
    let inputs: [Port]
    let outputs: [Port]
    /// `metadata_props`, messages of a key and a value.
    let metadata: [[String]]

    init(_ model: ONNXModel) throws {
        let message = try WireMessage(model.encoded())
        irVersion = message.integers(1)
        opset = try message.messages(8).flatMap { $0.integers(2) }
        metadata = try message.messages(14).map { $0.strings(1) + $0.strings(2) }
        let graph = try message.message(7)
        nodes = try graph.messages(1).map { try Node($0) }
        constants = try graph.messages(5).map { Constant($0) }
        inputs = try graph.messages(11).map { try Port($0) }
        outputs = try graph.messages(12).map { try Port($0) }
    }

    var types: [String] { nodes.map(\.opType) }
    func node(_ type: String) -> Node? { nodes.first { $0.opType == type } }
    func constant(_ name: String) -> Constant? { constants.first { $0.name == name } }

    func integers(_ name: String) -> [Int]? {
        constant(name).flatMap { constant in
            guard constant.type == 7 else { return nil }
            return [UInt8](constant.raw).withUnsafeBytes { raw in
                (0..<raw.count / 8).map { Int(raw.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self)) }
            }
        }
    }

    func floats(_ name: String) -> [Float]? {
        constant(name).flatMap { constant in
            guard constant.type == 1 else { return nil }
            return [UInt8](constant.raw).withUnsafeBytes { raw in
                (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
            }
        }
    }
}

/// An operator on `data`, with parameters that count up from 1, exported and read back.
func exported(
    _ operation: String, _ attributes: KeyValuePairs<String, String?> = [:], data: Shape,
    change: (inout ONNXModel.Options) -> Void = { _ in }
) throws -> ReadModel {
    let symbol = try SymbolBuilder().apply(
        operation, name: "layer", inputs: [.variable("data")], attributes: attributes)
    return try exported(Symbol([symbol.outputs[0]]), data: data) {
        $0.ending = .asIs
        change(&$0)
    }
}

func exported(
    _ symbol: Symbol, data: Shape, change: (inout ONNXModel.Options) -> Void = { _ in }
) throws -> ReadModel {
    var options = ONNXModel.Options()
    change(&options)
    let shapes = try symbol.inferShapes(["data": data]).variables
    let parameters = Dictionary(
        uniqueKeysWithValues: shapes.filter { $0.key != "data" && !$0.key.hasSuffix("label") }.map { name, shape in
            (name, Tensor(shape, (0..<shape.count).map { Float($0 + 1) }))
        })
    return try ReadModel(ONNXModel(symbol, parameters: parameters, inputs: ["data": data], options: options))
}

/// The description of the error that `body` throws; nil if it throws none.
func message(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch {
        return "\(error)"
    }
}
