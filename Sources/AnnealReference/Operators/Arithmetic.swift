import AnnealCore
import AnnealGraph
import Foundation

// Sums, products and functions of two numbers.

extension ElementwiseAdd: ReferenceOperator {
    func forward(_ operands: Operands) { operands.map(.input(0), .input(1), to: .output(0), +) }
    func backward(_ operands: Operands, part: Int) {
        for input in 0...1 { operands.map(.outputGradient(0), to: .gradient(input)) { $0 } }
    }
}

extension AddN: ReferenceOperator {
    func forward(_ operands: Operands) {
        var sum = operands[.input(0)]
        for input in 1..<numArgs { sum = NDArray.map(sum, operands[.input(input)], +) }
        operands.write(.output(0), sum)
    }

    func backward(_ operands: Operands, part: Int) {
        for input in 0..<numArgs { operands.map(.outputGradient(0), to: .gradient(input)) { $0 } }
    }
}

extension ElementwiseArithmetic: ReferenceOperator {
    func forward(_ operands: Operands) throws { try function.forward(operands) }
    func backward(_ operands: Operands, part: Int) throws { try function.backward(operands, part: part) }
}

extension BroadcastArithmetic: ReferenceOperator {
    func forward(_ operands: Operands) throws { try function.forward(operands) }
    func backward(_ operands: Operands, part: Int) throws { try function.backward(operands, part: part) }
}

extension BinaryFunction {
    fileprivate func forward(_ operands: Operands) throws {
        let a = operands[.input(0)], b = operands[.input(1)], shape = try operands.shape(.output(0))
        let strides = (broadcastStrides(a.shape, to: shape), broadcastStrides(b.shape, to: shape))
        operands.write(
            .output(0),
            NDArray(shape, Indices(shape.dims).map { value(a[offset($0, strides.0)], b[offset($0, strides.1)]) }))
    }

    fileprivate func backward(_ operands: Operands, part: Int) throws {
        let shapes = try (operands.inputShape(0), operands.inputShape(1)), dy = operands[.outputGradient(0)]
        let strides = (broadcastStrides(shapes.0, to: dy.shape), broadcastStrides(shapes.1, to: dy.shape))
        let a = operands.optional(.input(0)), b = operands.optional(.input(1))
        var sum = NDArray(part == 0 ? shapes.0 : shapes.1)
        for (i, index) in Indices(dy.shape.dims).enumerated() {
            let places = (offset(index, strides.0), offset(index, strides.1))
            // Operands that the derivative does not depend on do not exist.
            let slope = slope(part, a.map { $0[places.0] } ?? 0, b.map { $0[places.1] } ?? 0)
            sum[part == 0 ? places.0 : places.1] += dy[i] * slope
        }
        operands.write(.gradient(part), sum)
    }

    func value(_ a: Double, _ b: Double) -> Double {
        switch self {
        case .add: a + b
        case .subtract: a - b
        case .multiply: a * b
        case .divide: a / b
        // The remainder has the divisor's sign.
        case .modulo: b == 0 ? 0 : a - (a / b).rounded(.down) * b
        case .power: pow(a, b)
        case .maximum: a > b || a.isNaN ? a : b
        case .minimum: a < b || a.isNaN ? a : b
        case .hypot: Foundation.hypot(a, b)
        case .equal: a == b ? 1 : 0
        case .notEqual: a != b ? 1 : 0
        case .greater: a > b ? 1 : 0
        case .greaterEqual: a >= b ? 1 : 0
        case .lesser: a < b ? 1 : 0
        case .lesserEqual: a <= b ? 1 : 0
        case .logicalAnd: a != 0 && b != 0 ? 1 : 0
        case .logicalOr: a != 0 || b != 0 ? 1 : 0
        case .logicalXor: (a != 0) != (b != 0) ? 1 : 0
        }
    }

    /// The derivative with respect to a (part 0) or b (1). At ties of maximum and minimum the gradient is a's.
    private func slope(_ part: Int, _ a: Double, _ b: Double) -> Double {
        switch self {
        case .add: 1
        case .subtract: part == 0 ? 1 : -1
        case .multiply: part == 0 ? b : a
        case .maximum: (a >= b) == (part == 0) ? 1 : 0
        case .minimum: (a <= b) == (part == 0) ? 1 : 0
        case .modulo: part == 0 ? 1 : -(a / b).rounded(.down)
        default:
            part == 0
                ? AnnealReference.slope(of: { value($0, b) }, at: a)
                : AnnealReference.slope(of: { value(a, $0) }, at: b)
        }
    }
}

extension ScalarArithmetic: ReferenceOperator {
    func forward(_ operands: Operands) { operands.map(.input(0), to: .output(0), value) }

    func backward(_ operands: Operands, part: Int) {
        switch backward[0].reads[0] {
        case .input: operands.map(.input(0), .outputGradient(0), to: .gradient(0)) { x, dy in dy * slope(x) }
        // s to the power x.
        case .output: operands.map(.output(0), .outputGradient(0), to: .gradient(0)) { y, dy in dy * y * log(s) }
        default:
            operands.map(.outputGradient(0), to: .gradient(0)) { dy in
                dy * (member == .modulo ? 1 : value(1) - value(0))
            }
        }
    }

    /// The scalar as the engines store it.
    private var s: Double { Double(Float(scalar)) }

    private func value(_ x: Double) -> Double {
        switch member {
        case .plus: x + s
        case .minus: x - s
        case .reverseMinus: s - x
        case .multiply: x * s
        case .divide: x / s
        case .reverseDivide: s / x
        case .modulo: BinaryFunction.modulo.value(x, s)
        case .reverseModulo: BinaryFunction.modulo.value(s, x)
        case .power: pow(x, s)
        case .reversePower: pow(s, x)
        case .maximum: BinaryFunction.maximum.value(x, s)
        case .minimum: BinaryFunction.minimum.value(x, s)
        case .hypot: BinaryFunction.hypot.value(x, s)
        case .smoothL1: abs(x) > 1 / (s * s) ? abs(x) - 0.5 / (s * s) : 0.5 * (s * x) * (s * x)
        case .equal: BinaryFunction.equal.value(x, s)
        case .notEqual: BinaryFunction.notEqual.value(x, s)
        case .greater: BinaryFunction.greater.value(x, s)
        case .greaterEqual: BinaryFunction.greaterEqual.value(x, s)
        case .lesser: BinaryFunction.lesser.value(x, s)
        case .lesserEqual: BinaryFunction.lesserEqual.value(x, s)
        case .logicalAnd: BinaryFunction.logicalAnd.value(x, s)
        case .logicalOr: BinaryFunction.logicalOr.value(x, s)
        case .logicalXor: BinaryFunction.logicalXor.value(x, s)
        }
    }

    private func slope(_ x: Double) -> Double {
        switch member {
        case .maximum: x >= s ? 1 : 0
        case .minimum: x <= s ? 1 : 0
        case .reverseModulo: -(s / x).rounded(.down)
        default: AnnealReference.slope(of: value, at: x)
        }
    }
}

extension Dot: ReferenceOperator {}
extension BatchDot: ReferenceOperator {}

extension ReferenceOperator where Self: MatrixOperator {
    func forward(_ operands: Operands) throws {
        try product(operands.inputShape(0), operands.inputShape(1)).forward(operands)
    }

    func backward(_ operands: Operands, part: Int) throws {
        try product(operands.inputShape(0), operands.inputShape(1)).backward(operands, part: part)
    }
}

extension MatrixProduct {
    /// Calls body(offset in a, in b, in y) for each product of the sums.
    private func forEach(_ body: (Int, Int, Int) -> Void) {
        for b in 0..<batch {
            for i in 0..<m {
                for j in 0..<n {
                    for l in 0..<k {
                        body(
                            b * m * k + (transposeA ? l * m + i : i * k + l),
                            b * k * n + (transposeB ? j * k + l : l * n + j), (b * m + i) * n + j)
                    }
                }
            }
        }
    }

    fileprivate func forward(_ operands: Operands) throws {
        let a = operands[.input(0)], b = operands[.input(1)]
        var y = NDArray(try operands.shape(.output(0)))
        forEach { y[$2] += a[$0] * b[$1] }
        operands.write(.output(0), y)
    }

    fileprivate func backward(_ operands: Operands, part: Int) throws {
        let other = operands[.input(1 - part)], dy = operands[.outputGradient(0)]
        var gradient = NDArray(try operands.inputShape(part))
        forEach { a, b, y in gradient[part == 0 ? a : b] += other[part == 0 ? b : a] * dy[y] }
        operands.write(.gradient(part), gradient)
    }
}
