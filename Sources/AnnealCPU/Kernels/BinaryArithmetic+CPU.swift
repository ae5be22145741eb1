import AnnealCompiler
import AnnealCore
import AnnealGraph
import CAnnealKernels
import Foundation

extension BinaryFunction {
    var function: @Sendable (Float, Float) -> Float {
        switch self {
        case .add: { $0 + $1 }
        case .subtract: { $0 - $1 }
        case .multiply: { $0 * $1 }
        case .divide: { $0 / $1 }
        case .modulo: { flooredRemainder($0, $1) }
        case .power: { pow($0, $1) }
        case .maximum: { $0 > $1 || $0.isNaN ? $0 : $1 }
        case .minimum: { $0 < $1 || $0.isNaN ? $0 : $1 }
        case .hypot: { Foundation.hypot($0, $1) }
        case .equal: { $0 == $1 ? 1 : 0 }
        case .notEqual: { $0 != $1 ? 1 : 0 }
        case .greater: { $0 > $1 ? 1 : 0 }
        case .greaterEqual: { $0 >= $1 ? 1 : 0 }
        case .lesser: { $0 < $1 ? 1 : 0 }
        case .lesserEqual: { $0 <= $1 ? 1 : 0 }
        case .logicalAnd: { $0 != 0 && $1 != 0 ? 1 : 0 }
        case .logicalOr: { $0 != 0 || $1 != 0 ? 1 : 0 }
        case .logicalXor: { ($0 != 0) != ($1 != 0) ? 1 : 0 }
        }
    }

    /// The derivative with respect to a (0) or b (1). At a tie `maximum` and `minimum` give the gradient to a.
    func slope(_ input: Int) -> @Sendable (Float, Float) -> Float {
        switch (self, input) {
        case (.add, _), (.subtract, 0), (.modulo, 0): { _, _ in 1 }
        case (.subtract, _): { _, _ in -1 }
        case (.multiply, 0): { $1 }
        case (.multiply, _): { a, _ in a }
        case (.divide, 0): { 1 / $1 }
        case (.divide, _): { -$0 / ($1 * $1) }
        case (.modulo, _): { -($0 / $1).rounded(.down) }
        case (.power, 0): { $1 * pow($0, $1 - 1) }
        case (.power, _): { pow($0, $1) * log($0) }
        case (.maximum, 0): { $0 >= $1 ? 1 : 0 }
        case (.maximum, _): { $0 < $1 ? 1 : 0 }
        case (.minimum, 0): { $0 <= $1 ? 1 : 0 }
        case (.minimum, _): { $0 > $1 ? 1 : 0 }
        case (.hypot, 0): { $0 / Foundation.hypot($0, $1) }
        case (.hypot, _): { $1 / Foundation.hypot($0, $1) }
        default: { _, _ in 0 }
        }
    }

    /// Arrays of one shape and layout.
    fileprivate func sameShapeForward(_ site: KernelSite) throws -> PreparedKernel {
        guard self == .multiply else {
            let f = function
            return try pointwiseKernel(site, .input(0), .input(1), to: .output(0)) { a, b, _ in f(a, b) }
        }
        return try product(site, .input(0), .input(1), to: .output(0))
    }

    fileprivate func sameShapeBackward(_ site: KernelSite, part: Int) throws -> PreparedKernel {
        let slope = slope(part)
        switch self {
        case .add, .subtract:
            let factor = slope(0, 0)
            return try pointwiseKernel(site, .outputGradient(0), to: .gradient(part)) { dy, _, _ in dy * factor }
        case .multiply: return try product(site, .input(1 - part), .outputGradient(0), to: .gradient(part))
        default:
            return try pointwiseKernel(site, .input(0), .input(1), .outputGradient(0), to: .gradient(part)) {
                a, b, dy in
                dy * slope(a, b)
            }
        }
    }

    private func product(
        _ site: KernelSite, _ a: Program.Operand, _ b: Program.Operand, to target: Program.Operand
    ) throws -> PreparedKernel {
        let count = Dims(try site.value(target)).elements
        var kernel = PreparedKernel { memory in
            let a = memory[a], b = memory[b], y = memory[target]
            return { anneal_multiply(a, b, y, count) }
        }
        kernel.inPlace = [(a, target), (b, target)]
        return kernel
    }
}

extension ElementwiseArithmetic: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.following }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        try function.sameShapeForward(site)
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        try function.sameShapeBackward(site, part: part)
    }
}

extension BroadcastArithmetic: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts {
        request.inputs[0] == request.inputs[1] ? request.following : request.plain
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let lhs = try site.shape(.input(0)), rhs = try site.shape(.input(1))
        if lhs == rhs { return try function.sameShapeForward(site) }
        let walk = Walk(try site.shape(.output(0)), broadcasting: lhs, rhs), f = function.function
        return PreparedKernel { memory in
            let a = memory[.input(0)], b = memory[.input(1)], y = memory[.output(0)]
            return { walk.forEach { i, j, k in y[i] = f(a[j], b[k]) } }
        }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let lhs = try site.inputShape(0), rhs = try site.inputShape(1)
        if lhs == rhs { return try function.sameShapeBackward(site, part: part) }
        let walk = Walk(try site.shape(.outputGradient(0)), broadcasting: lhs, rhs), slope = function.slope(part)
        let count = part == 0 ? lhs.count : rhs.count
        return summingKernel(.gradient(part), count: count) { memory in
            let dy = memory[.outputGradient(0)]
            // Operands that the derivative does not read do not exist.
            let a = memory.optional(.input(0)) ?? dy, b = memory.optional(.input(1)) ?? dy
            let readsA = memory.optional(.input(0)) != nil, readsB = memory.optional(.input(1)) != nil
            return { sums in
                walk.forEach { i, j, k in
                    sums[part == 0 ? j : k] += Double(dy[i] * slope(readsA ? a[j] : 0, readsB ? b[k] : 0))
                }
            }
        }
    }
}

/// target = sums that `body` accumulates in double precision, from zero.
func summingKernel(
    _ target: Program.Operand, count: Int,
    _ bind: @escaping (KernelMemory) -> (UnsafeMutablePointer<Double>) -> Void
) -> PreparedKernel {
    var kernel = PreparedKernel { memory in
        let y = memory[target]
        guard let scratch = memory.scratch else { return {} }
        let sums = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Double.self)
        let add = bind(memory)
        return {
            sums.update(repeating: 0, count: count)
            add(sums)
            for i in 0..<count { y[i] = Float(sums[i]) }
        }
    }
    kernel.scratch = 2 * count
    return kernel
}
