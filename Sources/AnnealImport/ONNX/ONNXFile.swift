import AnnealCore
import Foundation

/// An ONNX model as stored in its file, with the field numbers of ONNX's schema, onnx.proto. Weights are not copied.
package struct ONNXFile {
    struct Attribute {
        var name = ""
        var float: Float?
        var integer: Int?
        var string: Data?
        var tensor: ONNXTensorRecord?
        var floats: [Float] = []
        var integers: [Int] = []
        var strings: [Data] = []
        /// Whether it contains a graph, as control flow does.
        var isGraph = false
    }

    struct Node {
        var inputs: [String] = []
        var outputs: [String] = []
        var name = ""
        var type = ""
        var domain = ""
        var attributes: [String: Attribute] = [:]
    }

    /// An input or output of the graph.
    struct Port {
        var name = ""
        /// `TensorProto.DataType`; nil if it is not a tensor or the file does not say.
        var type: Int?
        /// Extents, nil where they are dynamic; nil if the file does not say.
        var extents: [Int?]?
    }

    var version = 0
    var producer = ""
    /// Versions of the operator sets, by domain.
    var opsets: [String: Int] = [:]
    /// Names of local functions.
    var functions: [String] = []
    var metadata: [(key: String, value: String)] = []
    var nodes: [Node] = []
    var constants: [ONNXTensorRecord] = []
    var sparseConstants = 0
    var inputs: [Port] = []
    var outputs: [Port] = []

    /// - Parameter data: the file's bytes.
    package init(_ data: Data) throws {
        var reader = ProtobufReader(file: data), hasGraph = false
        while let field = try reader.next() {
            switch field.number {
            case 1: version = try field.integer()
            case 2: producer = try field.string()
            case 7:
                try readGraph(reader.message(try field.bytes()))
                hasGraph = true
            case 8:
                let (domain, version) = try Self.opset(reader.message(try field.bytes()))
                opsets[domain == "ai.onnx" ? "" : domain] = version
            case 14: metadata.append(try Self.entry(reader.message(try field.bytes())))
            case 25: functions.append(try Self.functionName(reader.message(try field.bytes())))
            default: break
            }
        }
        guard hasGraph, version > 0 else {
            throw AnnealError(
                "", "is not an ONNX model: it has no graph", suggestion: "give an .onnx file", code: .damaged)
        }
    }

    /// The version of ONNX's own operator set.
    var opset: Int {
        get throws {
            guard let opset = opsets[""] else {
                throw AnnealError(
                    "", "does not use ONNX's own operators: it names no version of them", code: .unsupported)
            }
            return opset
        }
    }

    private mutating func readGraph(_ graph: ProtobufReader) throws {
        var reader = graph
        while let field = try reader.next() {
            switch field.number {
            case 1: nodes.append(try Self.node(reader.message(try field.bytes())))
            case 5: constants.append(try ONNXTensorRecord(reader.message(try field.bytes())))
            case 11: inputs.append(try Self.port(reader.message(try field.bytes())))
            case 12: outputs.append(try Self.port(reader.message(try field.bytes())))
            case 15: sparseConstants += 1
            default: break
            }
        }
    }

    private static func node(_ message: ProtobufReader) throws -> Node {
        var reader = message, node = Node()
        while let field = try reader.next() {
            switch field.number {
            case 1: node.inputs.append(try field.string())
            case 2: node.outputs.append(try field.string())
            case 3: node.name = try field.string()
            case 4: node.type = try field.string()
            case 5:
                let attribute = try attribute(reader.message(try field.bytes()))
                node.attributes[attribute.name] = attribute
            case 7: node.domain = try field.string()
            default: break
            }
        }
        if node.domain == "ai.onnx" { node.domain = "" }
        return node
    }

    private static func attribute(_ message: ProtobufReader) throws -> Attribute {
        var reader = message, attribute = Attribute()
        while let field = try reader.next() {
            switch field.number {
            case 1: attribute.name = try field.string()
            case 2: attribute.float = try field.float()
            case 3: attribute.integer = try field.integer()
            case 4: attribute.string = try field.bytes()
            case 5: attribute.tensor = try ONNXTensorRecord(reader.message(try field.bytes()))
            case 6, 11: attribute.isGraph = true
            case 7:
                let bytes = try field.packed(size: 4)
                attribute.floats += ModelArray(type: .float32, shape: [bytes.count / 4], raw: bytes).floats
            case 8: attribute.integers += try field.integers()
            case 9: attribute.strings.append(try field.bytes())
            default: break
            }
        }
        return attribute
    }

    private static func port(_ message: ProtobufReader) throws -> Port {
        var reader = message, port = Port()
        while let field = try reader.next() {
            switch field.number {
            case 1: port.name = try field.string()
            case 2:
                var type = reader.message(try field.bytes())
                while let field = try type.next() {
                    if field.number == 1 { try readTensorType(type.message(try field.bytes()), &port) }
                }
            default: break
            }
        }
        return port
    }

    private static func readTensorType(_ message: ProtobufReader, _ port: inout Port) throws {
        var reader = message
        while let field = try reader.next() {
            switch field.number {
            case 1: port.type = try field.integer()
            case 2:
                var shape = reader.message(try field.bytes()), extents: [Int?] = []
                while let field = try shape.next() {
                    guard field.number == 1 else { continue }
                    var dimension = shape.message(try field.bytes()), extent: Int?
                    while let field = try dimension.next() {
                        // Exporters also write 0 or -1 for dynamic extents.
                        if field.number == 1 { extent = try field.integer() }
                    }
                    extents.append(extent.flatMap { $0 > 0 ? $0 : nil })
                }
                port.extents = extents
            default: break
            }
        }
    }

    private static func opset(_ message: ProtobufReader) throws -> (String, Int) {
        var reader = message, domain = "", version = 0
        while let field = try reader.next() {
            if field.number == 1 { domain = try field.string() }
            if field.number == 2 { version = try field.integer() }
        }
        return (domain, version)
    }

    private static func entry(_ message: ProtobufReader) throws -> (key: String, value: String) {
        var reader = message, key = "", value = ""
        while let field = try reader.next() {
            if field.number == 1 { key = try field.string() }
            if field.number == 2 { value = try field.string() }
        }
        return (key, value)
    }

    private static func functionName(_ message: ProtobufReader) throws -> String {
        var reader = message, name = ""
        while let field = try reader.next() {
            if field.number == 1 { name = try field.string() }
        }
        return name
    }
}
