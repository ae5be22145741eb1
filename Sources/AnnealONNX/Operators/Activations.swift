import AnnealCore
import AnnealGraph

// Elementwise functions of one array, and softmax.

extension Activation: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let type =
            switch kind {
            case .relu: "Relu"
            case .sigmoid: "Sigmoid"
            case .tanh: "Tanh"
            case .softrelu: "Softplus"
            case .softsign: "Softsign"
            }
        return [try site.node(type, site.names)]
    }
}

extension LeakyReLU: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let x = site.names[0]
        switch kind {
        case .leaky: return [try site.node("LeakyRelu", [x], ["alpha": .float(slope)])]
        // The mean of the random slopes.
        case .rrelu: return [try site.node("LeakyRelu", [x], ["alpha": .float((lowerBound + upperBound) / 2)])]
        case .elu: return [try site.node("Elu", [x], ["alpha": .float(slope)])]
        case .selu: return [try site.node("Selu", [x])]
        case .prelu:
            let gamma = try site.channels(site.inputs[1], trailing: max(0, site.inputs[0].shape.rank - 2))
            return [try site.node("PRelu", [x, gamma])]
        case .gelu:
            let erf = try site.node("Erf", [site.node("Mul", [x, site.scalar(Float(0.5).squareRoot())])])
            let twice = try site.node("Mul", [x, site.node("Add", [erf, site.scalar(1)])])
            return [try site.node("Mul", [twice, site.scalar(0.5)])]
        }
    }
}

extension HardSigmoid: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        [try site.node("HardSigmoid", site.names, ["alpha": .float(alpha), "beta": .float(beta)])]
    }
}

extension Clip: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        [try site.node("Clip", [site.names[0], site.scalar(minimum), site.scalar(maximum)])]
    }
}

extension Softmax: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        guard !useLength else { throw site.refusal("softmax with use_length cannot be exported to ONNX") }
        var x = site.names[0]
        if member == .softmin { x = try site.node("Neg", [x]) }
        if temperature != 1 { x = try site.node("Div", [x, site.scalar(temperature)]) }
        return [try site.node(member == .logSoftmax ? "LogSoftmax" : "Softmax", [x], ["axis": .int(axis)])]
    }
}

extension SoftmaxActivation: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        [try site.node("Softmax", site.names, ["axis": .int(mode == .channel ? 1 : -1)])]
    }
}

extension Unary: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let x = site.names[0]
        if let type = Unary.onnxTypes[member] { return [try site.node(type, [x])] }
        func scaled(_ value: String, by factor: Double) throws -> String {
            try site.node("Mul", [value, site.scalar(Float(factor))])
        }
        func magnitude(_ function: (String) throws -> String) throws -> String {
            try site.node("Mul", [site.node("Sign", [x]), function(site.node("Abs", [x]))])
        }
        func cubeRoot() throws -> String {
            try magnitude { try site.node("Pow", [$0, site.scalar(1 / 3)]) }
        }
        func filled(with value: Float) throws -> String {
            try site.node("Expand", [site.scalar(value), site.node("Shape", [x])])
        }
        switch member {
        case .square: return [try site.node("Mul", [x, x])]
        case .rsqrt: return [try site.node("Reciprocal", [site.node("Sqrt", [x])])]
        case .cbrt: return [try cubeRoot()]
        case .rcbrt: return [try site.node("Reciprocal", [cubeRoot()])]
        case .expm1: return [try site.node("Sub", [site.node("Exp", [x]), site.scalar(1)])]
        case .log1p: return [try site.node("Log", [site.node("Add", [x, site.scalar(1)])])]
        case .log10: return [try scaled(site.node("Log", [x]), by: 0.4342944819032518)]
        case .log2: return [try scaled(site.node("Log", [x]), by: 1.4426950408889634)]
        case .degrees: return [try scaled(x, by: 180 / .pi)]
        case .radians: return [try scaled(x, by: .pi / 180)]
        // ONNX rounds halves to even.
        case .round:
            return [
                try magnitude { try site.node("Floor", [site.node("Add", [$0, site.scalar(0.5)])]) }
            ]
        case .rint: return [try site.node("Ceil", [site.node("Sub", [x, site.scalar(0.5)])])]
        case .trunc, .fix: return [try magnitude { try site.node("Floor", [$0]) }]
        case .logicalNot: return [try site.cast(site.node("Equal", [x, site.scalar(0)]), to: .float32)]
        case .zerosLike: return [try filled(with: 0)]
        case .onesLike: return [try filled(with: 1)]
        default: throw site.refusal("the operator \(operation) cannot be exported to ONNX")
        }
    }

    /// Functions with a direct ONNX equivalent.
    private static let onnxTypes: [Member: String] = [
        .abs: "Abs", .sign: "Sign", .negative: "Neg", .reciprocal: "Reciprocal", .sqrt: "Sqrt", .exp: "Exp",
        .log: "Log", .sin: "Sin", .cos: "Cos", .tan: "Tan", .arcsin: "Asin", .arccos: "Acos", .arctan: "Atan",
        .sinh: "Sinh", .cosh: "Cosh", .tanh: "Tanh", .arcsinh: "Asinh", .arccosh: "Acosh", .arctanh: "Atanh",
        .ceil: "Ceil", .floor: "Floor", .relu: "Relu", .sigmoid: "Sigmoid", .softsign: "Softsign", .erf: "Erf",
    ]
}

extension Cast: ONNXOperator {
    /// Values are rounded to what the type can represent and continue as float32.
    package func export(_ site: ONNXSite) throws -> [String] {
        let type: ONNXType
        switch dtype {
        case .float32, .float64: return [site.names[0]]
        case .float16: type = .float16
        case .bfloat16: type = .bfloat16
        case .uint8: type = .uint8
        case .int8: type = .int8
        case .int16: type = .int16
        case .int32: type = .int32
        case .int64: type = .int64
        case .bool: type = .bool
        }
        return [try site.cast(site.cast(site.names[0], to: type), to: .float32)]
    }
}
