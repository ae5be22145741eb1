import AnnealCore
import AnnealGraph
import Foundation

// Sums, products and functions of two numbers.

extension ElementwiseAdd: XLAOperator {
    func forward(_ operands: Operands) { operands.map(.input(0), .input(1), to: .output(0), +) }
    func backward(_ operands: Operands, part: Int) {
        for input in 0...1 { operands.map(.outputGradient(0), to: .gradient(input)) { $0 } }
    }
}

extension AddN: XLAOperator {
    func forward(_ operands: Operands) {
        let terms = (0..<numArgs).map { operands.stored(.input($0)) }
        operands.writeStored(.output(0), terms.dropFirst().reduce(terms[0], +))
    }

    func backward(_ operands: Operands, part: Int) {
        for input in 0..<numArgs { operands.map(.outputGradient(0), to: .gradient(input)) { $0 } }
    }
}

extension ElementwiseArithmetic: XLAOperator {
    func forward(_ operands: Operands) throws { try function.forward(operands) }
    func backward(_ operands: Operands, part: Int) throws { try function.backward(operands, part: part) }
}

extension BroadcastArithmetic: XLAOperator {
    func forward(_ operands: Operands) throws { try function.forward(operands) }
    func backward(_ operands: Operands, part: Int) throws { try function.backward(operands, part: part) }
}

extension BinaryFunction {
    fileprivate func forward(_ operands: Operands) throws {
        let isPlain = try isPlain(operands), shape = try operands.shape(.output(0)).dims
        let dims = isPlain ? shape : Order.channelsLast(shape)
        let terms = (0...1).map { input in
            (isPlain ? operands[.input(input)] : operands.stored(.input(input))).stretched(to: dims)
        }
        let y = value(terms[0], terms[1])
        if isPlain { operands.write(.output(0), y) } else { operands.writeStored(.output(0), y) }
    }

    fileprivate func backward(_ operands: Operands, part: Int) throws {
        let isPlain = try isPlain(operands), shape = try operands.inputShape(part).dims
        func read(_ role: Operands.Role) -> HLOValue? {
            isPlain ? operands.optional(role) : operands.optionalStored(role)
        }
        guard let dy = read(.outputGradient(0)) else { return }
        let terms = (0...1).map { read(.input($0))?.stretched(to: dy.dims) }
        let gradient = gradient(part, dy, terms[0] ?? dy, terms[1] ?? dy)
        if isPlain {
            operands.write(.gradient(part), gradient.summed(to: shape))
        } else {
            operands.writeStored(.gradient(part), gradient.summed(to: Order.channelsLast(shape)))
        }
    }

    /// Arrays of equal rank keep the same order of axes with channels last too.
    private func isPlain(_ operands: Operands) throws -> Bool {
        try operands.inputShape(0).rank != operands.inputShape(1).rank
    }

    func value(_ a: HLOValue, _ b: HLOValue) -> HLOValue {
        switch self {
        case .add: a + b
        case .subtract: a - b
        case .multiply: a * b
        case .divide: a / b
        case .modulo: a.modulo(b)
        case .power: a.power(b)
        case .maximum: a.maximum(b)
        case .minimum: a.minimum(b)
        case .hypot: a.hypot(b)
        case .equal: a.compare(.equal, b).numbers()
        case .notEqual: a.compare(.unequal, b).numbers()
        case .greater: a.compare(.greater, b).numbers()
        case .greaterEqual: a.compare(.atLeast, b).numbers()
        case .lesser: a.compare(.less, b).numbers()
        case .lesserEqual: a.compare(.atMost, b).numbers()
        case .logicalAnd: (a.isNotZero() & b.isNotZero()).numbers()
        case .logicalOr: (a.isNotZero() | b.isNotZero()).numbers()
        case .logicalXor: (a.isNotZero() ^ b.isNotZero()).numbers()
        }
    }

    /// The gradient of a (part 0) or b (part 1); operands that it does not depend on are not read. At ties of maximum
    /// and minimum it goes to a.
    fileprivate func gradient(_ part: Int, _ dy: HLOValue, _ a: HLOValue, _ b: HLOValue) -> HLOValue {
        switch self {
        case .add: return dy
        case .subtract: return part == 0 ? dy : -dy
        case .multiply: return dy * (part == 0 ? b : a)
        case .divide: return part == 0 ? dy / b : -(dy / b * (a / b))
        case .maximum, .minimum:
            let isFirst = a.compare(self == .maximum ? .atLeast : .atMost, b)
            return (part == 0 ? isFirst : !isFirst).select(dy, 0)
        case .modulo: return part == 0 ? dy : dy * -quotient(a, b)
        case .power:
            // The limits where one factor is 0 and the other infinite.
            if part == 0 { return dy * b.compare(.equal, 0).select(b, b * a.power(b - 1)) }
            let y = a.power(b)
            return dy * y.compare(.equal, 0).select(y, y * a.logarithm())
        case .hypot:
            let y = a.hypot(b)
            return dy * y.compare(.equal, 0).select(y, (part == 0 ? a : b) / y)
        default: return dy.like(0)
        }
    }

    /// ⌊a / b⌋
    fileprivate func quotient(_ a: HLOValue, _ b: HLOValue) -> HLOValue { ((a - a.modulo(b)) / b).rounded() }
}

extension ScalarArithmetic: XLAOperator {
    func forward(_ operands: Operands) { operands.map(.input(0), to: .output(0), value) }

    func backward(_ operands: Operands, part: Int) {
        switch backward[0].reads[0] {
        case .input: operands.map(.input(0), .outputGradient(0), to: .gradient(0), gradient)
        // s to the power of x.
        case .output: operands.map(.output(0), .outputGradient(0), to: .gradient(0)) { y, dy in dy * y * log(s) }
        default:
            operands.map(.outputGradient(0), to: .gradient(0)) { dy in
                switch member {
                case .reverseMinus: -dy
                case .multiply: dy * s
                case .divide: dy / s
                default: dy
                }
            }
        }
    }

    private var s: Double { Double(Float(scalar)) }

    private func value(_ x: HLOValue) -> HLOValue {
        switch member {
        case .plus: return x + s
        case .minus: return x - s
        case .reverseMinus: return s - x
        case .multiply: return x * s
        case .divide: return x / s
        case .reverseDivide: return s / x
        case .reverseModulo: return x.like(s).modulo(x)
        case .reversePower: return x.like(s).power(x)
        case .smoothL1:
            let size = x.absolute(), scaled = x * s
            return isLinear(x).select(size - 0.5 / (s * s), scaled * scaled * 0.5)
        default: return function.value(x, x.like(s))
        }
    }

    private func gradient(_ x: HLOValue, _ dy: HLOValue) -> HLOValue {
        switch member {
        case .reverseDivide: return -(dy / x * (s / x))
        case .reverseModulo: return dy * -BinaryFunction.modulo.quotient(x.like(s), x)
        // At a tie the gradient passes.
        case .power, .maximum, .minimum, .hypot: return function.gradient(0, dy, x, x.like(s))
        case .smoothL1: return dy * isLinear(x).select(x.signOrZero(), x * (s * s))
        default: return dy.like(0)
        }
    }

    private func isLinear(_ x: HLOValue) -> HLOValue { x.absolute().compare(.greater, 1 / (s * s)) }

    /// Of the data and the scalar.
    private var function: BinaryFunction {
        switch member {
        case .plus: .add
        case .minus, .reverseMinus: .subtract
        case .multiply, .smoothL1: .multiply
        case .divide, .reverseDivide: .divide
        case .modulo, .reverseModulo: .modulo
        case .power, .reversePower: .power
        case .maximum: .maximum
        case .minimum: .minimum
        case .hypot: .hypot
        case .equal: .equal
        case .notEqual: .notEqual
        case .greater: .greater
        case .greaterEqual: .greaterEqual
        case .lesser: .lesser
        case .lesserEqual: .lesserEqual
        case .logicalAnd: .logicalAnd
        case .logicalOr: .logicalOr
        case .logicalXor: .logicalXor
        }
    }
}

extension Dot: XLAOperator {}
extension BatchDot: XLAOperator {}

extension XLAOperator where Self: MatrixOperator {
    func forward(_ operands: Operands) throws {
        try product(operands.inputShape(0), operands.inputShape(1)).forward(operands)
    }

    func backward(_ operands: Operands, part: Int) throws {
        try product(operands.inputShape(0), operands.inputShape(1)).backward(operands, part: part)
    }
}

extension MatrixProduct {
    private func a(_ value: HLOValue) -> HLOValue { value.reshaped(transposeA ? [batch, k, m] : [batch, m, k]) }
    private func b(_ value: HLOValue) -> HLOValue { value.reshaped(transposeB ? [batch, n, k] : [batch, k, n]) }

    private func product(_ x: HLOValue, _ y: HLOValue, over axes: (Int, Int)) -> HLOValue {
        x.dot(y, contracting: ([axes.0], [axes.1]), batching: ([0], [0]))
    }

    private func factor(_ operands: Operands, _ role: Operands.Role) -> HLOValue { Order.plain(operands.factor(role)) }

    fileprivate func forward(_ operands: Operands) throws {
        let y = product(
            a(factor(operands, .input(0))), b(factor(operands, .input(1))),
            over: (transposeA ? 1 : 2, transposeB ? 2 : 1))
        operands.write(.output(0), y.reshaped(try operands.shape(.output(0)).dims))
    }

    fileprivate func backward(_ operands: Operands, part: Int) throws {
        let dy = factor(operands, .outputGradient(0)).reshaped([batch, m, n])
        let gradient: HLOValue
        if part == 0 {
            let b = b(factor(operands, .input(1))), columns = transposeB ? 1 : 2
            gradient = transposeA ? product(b, dy, over: (columns, 2)) : product(dy, b, over: (2, columns))
        } else {
            let a = a(factor(operands, .input(0))), rows = transposeA ? 2 : 1
            gradient = transposeB ? product(dy, a, over: (1, rows)) : product(a, dy, over: (rows, 1))
        }
        operands.write(.gradient(part), gradient.reshaped(try operands.inputShape(part).dims))
    }
}
