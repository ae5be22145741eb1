import AnnealCore
import AnnealGraph

// Operators of two arrays, of an array and a number, and sums of several.

extension BinaryFunction {
    fileprivate func export(_ a: String, _ b: String, _ site: ONNXSite) throws -> String {
        func compared(_ type: String) throws -> String { try site.cast(site.node(type, [a, b]), to: .float32) }
        func logical(_ type: String) throws -> String {
            try site.cast(site.node(type, [site.cast(a, to: .bool), site.cast(b, to: .bool)]), to: .float32)
        }
        switch self {
        case .add: return try site.node("Add", [a, b])
        case .subtract: return try site.node("Sub", [a, b])
        case .multiply: return try site.node("Mul", [a, b])
        case .divide: return try site.node("Div", [a, b])
        case .power: return try site.node("Pow", [a, b])
        case .maximum: return try site.node("Max", [a, b])
        case .minimum: return try site.node("Min", [a, b])
        case .hypot:
            return try site.node(
                "Sqrt", [site.node("Add", [site.node("Mul", [a, a]), site.node("Mul", [b, b])])])
        case .modulo:
            // a - floor(a / b) b, and 0 for b = 0; ONNX's own has the sign of a.
            let multiple = try site.node("Mul", [site.node("Floor", [site.node("Div", [a, b])]), b])
            let isZero = try site.node("Equal", [b, site.scalar(0)])
            return try site.node("Where", [isZero, site.scalar(0), site.node("Sub", [a, multiple])])
        case .equal: return try compared("Equal")
        case .notEqual: return try site.cast(site.node("Not", [site.node("Equal", [a, b])]), to: .float32)
        case .greater: return try compared("Greater")
        case .greaterEqual: return try compared("GreaterOrEqual")
        case .lesser: return try compared("Less")
        case .lesserEqual: return try compared("LessOrEqual")
        case .logicalAnd: return try logical("And")
        case .logicalOr: return try logical("Or")
        case .logicalXor: return try logical("Xor")
        }
    }
}

extension ElementwiseArithmetic: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        [try function.export(site.names[0], site.names[1], site)]
    }
}

extension BroadcastArithmetic: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        [try function.export(site.names[0], site.names[1], site)]
    }
}

extension ScalarArithmetic: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let x = site.names[0], s = site.scalar(Float(scalar))
        let (function, reversed): (BinaryFunction, Bool) =
            switch member {
            case .plus: (.add, false)
            case .minus: (.subtract, false)
            case .reverseMinus: (.subtract, true)
            case .multiply: (.multiply, false)
            case .divide: (.divide, false)
            case .reverseDivide: (.divide, true)
            case .modulo: (.modulo, false)
            case .reverseModulo: (.modulo, true)
            case .power: (.power, false)
            case .reversePower: (.power, true)
            case .maximum: (.maximum, false)
            case .minimum: (.minimum, false)
            case .hypot: (.hypot, false)
            case .equal: (.equal, false)
            case .notEqual: (.notEqual, false)
            case .greater: (.greater, false)
            case .greaterEqual: (.greaterEqual, false)
            case .lesser: (.lesser, false)
            case .lesserEqual: (.lesserEqual, false)
            case .logicalAnd: (.logicalAnd, false)
            case .logicalOr: (.logicalOr, false)
            case .logicalXor: (.logicalXor, false)
            case .smoothL1: throw site.refusal("the operator \(operation) cannot be exported to ONNX")
            }
        return [try reversed ? function.export(s, x, site) : function.export(x, s, site)]
    }
}

extension ElementwiseAdd: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] { [try site.node("Add", site.names)] }
}

extension AddN: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] { [try site.node("Sum", site.names)] }
}

extension Dot: ONNXOperator {
    /// As a matrix product, for any number of axes.
    package func export(_ site: ONNXSite) throws -> [String] {
        let lhs = site.inputs[0], rhs = site.inputs[1]
        func matrix(_ input: ONNXSite.Input, summedFirst: Bool, wantedFirst: Bool) throws -> String {
            let depth = summedFirst ? input.shape[0] : input.shape[-1]
            guard !input.shape.batchAxes.contains(summedFirst ? 0 : input.shape.rank - 1) else {
                throw site.refusal("it sums over the batch", suggestion: ONNXSite.fixBatch)
            }
            var value = input.name
            if input.shape.rank != 2 { value = try site.reshape(value, to: summedFirst ? [depth, -1] : [-1, depth]) }
            return summedFirst == wantedFirst ? value : try site.transpose(value, [1, 0])
        }
        let product = try site.node(
            "MatMul",
            [
                matrix(lhs, summedFirst: transposeA, wantedFirst: false),
                matrix(rhs, summedFirst: !transposeB, wantedFirst: true),
            ])
        let isMatrix = lhs.shape.rank == 2 && rhs.shape.rank == 2
        return [isMatrix ? product : try site.reshape(product, to: site.outputs[0])]
    }
}

extension BatchDot: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        func matrices(_ input: ONNXSite.Input, _ transposed: Bool) throws -> String {
            guard transposed else { return input.name }
            var order = Array(0..<input.shape.rank)
            order.swapAt(order.count - 1, order.count - 2)
            return try site.transpose(input.name, order)
        }
        return [
            try site.node(
                "MatMul", [matrices(site.inputs[0], transposeA), matrices(site.inputs[1], transposeB)])
        ]
    }
}
