import AnnealCore
import AnnealGraph

extension OperatorImport {
    /// Functions of one array that MXNet has too, possibly under another name.
    static let functions: [String: Convert] = [
        "Abs": unary("abs"), "Neg": unary("negative"), "Sign": unary("sign"), "Reciprocal": unary("reciprocal"),
        "Sqrt": unary("sqrt"), "Exp": unary("exp"), "Log": unary("log"), "Erf": unary("erf"), "Floor": unary("floor"),
        "Ceil": unary("ceil"), "Sin": unary("sin"), "Cos": unary("cos"), "Tan": unary("tan"), "Asin": unary("arcsin"),
        "Acos": unary("arccos"), "Atan": unary("arctan"), "Sinh": unary("sinh"), "Cosh": unary("cosh"),
        "Asinh": unary("arcsinh"), "Acosh": unary("arccosh"), "Atanh": unary("arctanh"),
        "Identity": { site in
            let (stored, order) = try site.ordered(0)
            return [stored.value(order)]
        },
        "Cast": { site in
            let number = site.int("to", default: 0)
            guard ONNXTensorRecord.elementType(number)?.isFloat == true else {
                throw site.refusal(
                    "numbers of the image become \(ONNXTensorRecord.typeNames[number] ?? "an unknown type")")
            }
            let (stored, order) = try site.ordered(0)
            return [stored.value(order)]
        },
        "CastLike": { site in
            let (stored, order) = try site.ordered(0)
            if case .constant(let like)? = site.inputs.last, !like.array(batch: 0).type.isFloat {
                throw site.refusal("numbers of the image become \(like.array(batch: 0).type)")
            }
            return [stored.value(order)]
        },
    ]

    private static func unary(_ operation: String) -> Convert {
        { site in
            let (stored, order) = try site.ordered(0)
            return [try site.op(operation, [stored]).value(order)]
        }
    }

    static let activations: [String: Convert] = [
        "Relu": activation("relu"), "Sigmoid": activation("sigmoid"), "Tanh": activation("tanh"),
        "Softplus": activation("softrelu"), "Softsign": activation("softsign"),
        "LeakyRelu": { site in try leaky(site, "leaky", slope: site.float("alpha", default: 0.01)) },
        "Elu": { site in try leaky(site, "elu", slope: site.float("alpha", default: 1)) },
        "Selu": { site in
            let alpha = site.float("alpha", default: 1.673_263_2), gamma = site.float("gamma", default: 1.050_701)
            let (stored, order) = try site.ordered(0)
            let elu = try site.op(
                "LeakyReLU", [stored], ["act_type": "elu", "slope": AttributeText.float(Double(alpha))])
            return [try site.scalar("_mul_scalar", elu, gamma, suffix: "_scaled").value(order)]
        },
        "Celu": { site in
            let alpha = site.float("alpha", default: 1), (stored, order) = try site.ordered(0)
            guard alpha > 0 else { throw site.refusal("its alpha is \(alpha)") }
            let inner = try site.scalar("_div_scalar", stored, alpha, suffix: "_divided")
            let elu = try site.op("LeakyReLU", [inner], ["act_type": "elu", "slope": "1.0"])
            return [try site.scalar("_mul_scalar", elu, alpha, suffix: "_scaled").value(order)]
        },
        "ThresholdedRelu": { site in
            let (stored, order) = try site.ordered(0)
            let passes = try site.scalar(
                "_greater_scalar", stored, site.float("alpha", default: 1), suffix: "_passes")
            return [try site.op("elemwise_mul", [stored, passes]).value(order)]
        },
        "HardSigmoid": { site in
            let (stored, order) = try site.ordered(0)
            return [
                try site.op(
                    "hard_sigmoid", [stored],
                    [
                        "alpha": AttributeText.float(Double(site.float("alpha", default: 0.2))),
                        "beta": AttributeText.float(Double(site.float("beta", default: 0.5))),
                    ]
                ).value(order)
            ]
        },
        "HardSwish": { site in
            let (stored, order) = try site.ordered(0)
            let gate = try site.op(
                "hard_sigmoid", [stored], ["alpha": AttributeText.float(1.0 / 6), "beta": "0.5"], suffix: "_gate")
            return [try site.op("elemwise_mul", [stored, gate]).value(order)]
        },
        "Swish": { site in
            let (stored, order) = try site.ordered(0), alpha = site.float("alpha", default: 1)
            let inner = alpha == 1 ? stored : try site.scalar("_mul_scalar", stored, alpha, suffix: "_scaled")
            let gate = try site.op("Activation", [inner], ["act_type": "sigmoid"], suffix: "_gate")
            return [try site.op("elemwise_mul", [stored, gate]).value(order)]
        },
        "Mish": { site in
            let (stored, order) = try site.ordered(0)
            let inner = try site.op("Activation", [stored], ["act_type": "softrelu"], suffix: "_softplus")
            let gate = try site.op("Activation", [inner], ["act_type": "tanh"], suffix: "_gate")
            return [try site.op("elemwise_mul", [stored, gate]).value(order)]
        },
        "Gelu": { site in
            let (stored, order) = try site.ordered(0)
            if site.string("approximate", default: "none") == "none" {
                return [try site.op("LeakyReLU", [stored], ["act_type": "gelu"]).value(order)]
            }
            // ½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))
            let square = try site.op("square", [stored], suffix: "_square")
            let factor = try site.scalar(
                "_plus_scalar", site.scalar("_mul_scalar", square, 0.044715, suffix: "_cubic"), 1, suffix: "_factor")
            let inner = try site.scalar(
                "_mul_scalar", site.op("elemwise_mul", [stored, factor], suffix: "_inner"), 0.797_884_56,
                suffix: "_scaled")
            let tanh = try site.op("Activation", [inner], ["act_type": "tanh"], suffix: "_tanh")
            let half = try site.scalar(
                "_mul_scalar", site.scalar("_plus_scalar", tanh, 1, suffix: "_plus"), 0.5, suffix: "_gate")
            return [try site.op("elemwise_mul", [stored, half]).value(order)]
        },
        "PRelu": { site in
            let slope = try site.constant(1, "its slope"), data = try site.data(0)
            // Before version 7 a single axis refers to the channels.
            let isOld = site.opset < 7 && slope.rank == 1 && data.rank > 1 && slope.count == data.shape[1]
            let shape =
                isOld
                ? data.shape.dims.indices.map { $0 == 1 ? slope.count : 1 }
                : Array(repeating: 1, count: max(0, data.rank - slope.rank)) + slope.shape
            let isPerChannel =
                shape.count == data.rank && data.rank > 1
                && shape.enumerated().allSatisfy { $0.element == 1 || $0.offset == 1 && $0.element == data.shape[1] }
            if isPerChannel || slope.count == 1 {
                let channels = data.shape[data.rank > 1 ? 1 : 0]
                let gamma = slope.reshaped([slope.count]).broadcast([channels]) ?? slope
                return [
                    try site.graph.add(
                        "LeakyReLU", site.layer, [data], parameters: [(name: "gamma", array: gamma)],
                        ["act_type": "prelu"])[0].value
                ]
            }
            let positive = try site.op("relu", [data], suffix: "_positive")
            let negative = try site.scalar("_minimum_scalar", data, 0, suffix: "_negative")
            let scaled = try site.op(
                "broadcast_mul", [negative, site.parameter(slope, 1)], suffix: "_scaled")
            return [try site.op("elemwise_add", [positive, scaled]).value]
        },
        "Softmax": { site in try softmax(site, "softmax") },
        "LogSoftmax": { site in try softmax(site, "log_softmax") },
    ]

    private static func activation(_ kind: String) -> Convert {
        { site in
            let (stored, order) = try site.ordered(0)
            return [try site.op("Activation", [stored], ["act_type": kind]).value(order)]
        }
    }

    private static func leaky(_ site: ImportSite, _ kind: String, slope: Float) throws -> [ImportedValue] {
        let (stored, order) = try site.ordered(0)
        let attributes: KeyValuePairs<String, String?> = [
            "act_type": kind, "slope": AttributeText.float(Double(slope)),
        ]
        return [try site.op("LeakyReLU", [stored], attributes).value(order)]
    }

    /// Along one axis; before version 13 over all axes from one on, as if they were one.
    private static func softmax(_ site: ImportSite, _ operation: String) throws -> [ImportedValue] {
        let rank = try site.rank(0)
        let axis = try site.axis(site.int("axis", default: site.opset >= 13 ? -1 : 1), of: rank)
        let shapes = try site.shapes(0)
        let isOne = site.opset >= 13 || shapes.allSatisfy { $0.dims[(axis + 1)...].allSatisfy { $0 == 1 } }
        if isOne {
            let (stored, order) = try site.ordered(0)
            return [try site.op(operation, [stored], ["axis": "\(order?[axis] ?? axis)"]).value(order)]
        }
        let data = try site.data(0)
        let flat = shapes.map { Shape([$0.dims[..<axis].reduce(1, *), $0.dims[axis...].reduce(1, *)]) }
        let rows = try site.reshape(data, to: flat, suffix: "_rows")
        return [try site.reshape(site.op(operation, [rows], ["axis": "1"]), to: shapes, suffix: "_shaped").value]
    }
}
