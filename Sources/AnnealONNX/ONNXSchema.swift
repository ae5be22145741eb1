import AnnealCore

// The messages of an ONNX file that Anneal writes, with the field numbers of ONNX's schema, onnx.proto (IR version 8).

/// `TensorProto.DataType`.
package enum ONNXType: Int, Sendable {
    case float32 = 1
    case uint8 = 2
    case int8 = 3
    case int16 = 5
    case int32 = 6
    case int64 = 7
    case bool = 9
    case float16 = 10
    case bfloat16 = 16
}

/// `AttributeProto`, without its name.
package enum ONNXAttribute: Sendable {
    case int(Int)
    case ints([Int])
    case float(Float)
    case string(String)
}

/// `NodeProto`.
struct ONNXNode: ProtobufMessage {
    var name: String
    var type: String
    var inputs: [String]
    var outputs: [String]
    var attributes: [(name: String, value: ONNXAttribute)]

    func write(to writer: inout ProtobufWriter) {
        for input in inputs { writer.string(1, input) }
        for output in outputs { writer.string(2, output) }
        writer.string(3, name)
        writer.string(4, type)
        for attribute in attributes {
            writer.message(5) { writer in
                writer.string(1, attribute.name)
                // Field 20 tells which of the other fields holds the value.
                switch attribute.value {
                case .float(let number):
                    writer.float(2, number)
                    writer.integer(20, 1)
                case .int(let number):
                    writer.integer(3, number)
                    writer.integer(20, 2)
                case .string(let text):
                    writer.string(4, text)
                    writer.integer(20, 3)
                case .ints(let numbers):
                    for number in numbers { writer.integer(8, number) }
                    writer.integer(20, 7)
                }
            }
        }
    }
}

/// `TensorProto`: a constant, row-major and little-endian.
struct ONNXTensor: ProtobufMessage {
    enum Elements {
        case floats([Float])
        case integers([Int64])
    }

    var name: String
    var shape: Shape
    var elements: Elements

    var byteCount: Int {
        switch elements {
        case .floats(let values): values.count * 4
        case .integers(let values): values.count * 8
        }
    }

    func write(to writer: inout ProtobufWriter) {
        for extent in shape.dims { writer.integer(1, extent) }
        writer.string(8, name)
        switch elements {
        case .floats(let values):
            writer.integer(2, ONNXType.float32.rawValue)
            values.withUnsafeBytes { writer.bytes(9, $0) }
        case .integers(let values):
            writer.integer(2, ONNXType.int64.rawValue)
            values.withUnsafeBytes { writer.bytes(9, $0) }
        }
    }
}

/// `GraphProto`.
struct ONNXGraph: ProtobufMessage, Sendable {
    var name: String
    var nodes: [ONNXNode]
    var initializers: [ONNXTensor]
    var inputs: [ONNXModel.Port]
    var outputs: [ONNXModel.Port]

    func write(to writer: inout ProtobufWriter) {
        for node in nodes { writer.message(1, node) }
        writer.string(2, name)
        for initializer in initializers { writer.message(5, initializer) }
        for input in inputs { writer.message(11, input) }
        for output in outputs { writer.message(12, output) }
    }
}

/// `ValueInfoProto`, of a tensor.
extension ONNXModel.Port: ProtobufMessage {
    package func write(to writer: inout ProtobufWriter) {
        writer.string(1, name)
        writer.message(2) { writer in
            writer.message(1) { writer in
                writer.integer(1, type.rawValue)
                writer.message(2) { writer in
                    for extent in extents {
                        writer.message(1) { writer in
                            if let extent { writer.integer(1, extent) } else { writer.string(2, "N") }
                        }
                    }
                }
            }
        }
    }
}

/// `ModelProto`.
extension ONNXModel: ProtobufMessage {
    package func write(to writer: inout ProtobufWriter) {
        writer.integer(1, 8)
        writer.string(2, "Anneal")
        writer.message(7, graph)
        writer.message(8) { writer in
            writer.string(1, "")
            writer.integer(2, ONNXModel.opset)
        }
        // StringStringEntryProto.
        for entry in metadata {
            writer.message(14) { writer in
                writer.string(1, entry.key)
                writer.string(2, entry.value)
            }
        }
    }
}
