import AnnealCompiler
import AnnealGraph
import CAnnealKernels
import Foundation

extension ScalarArithmetic: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.following }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let s = Float(scalar)
        switch member {
        case .plus: return try affine(site, .input(0), .output(0), scale: 1, shift: s)
        case .minus: return try affine(site, .input(0), .output(0), scale: 1, shift: -s)
        case .reverseMinus: return try affine(site, .input(0), .output(0), scale: -1, shift: s)
        case .multiply: return try affine(site, .input(0), .output(0), scale: s, shift: 0)
        case .divide where s != 0: return try affine(site, .input(0), .output(0), scale: 1 / s, shift: 0)
        case .maximum: return try clipKernel(site, from: s, to: .infinity)
        case .minimum: return try clipKernel(site, from: -.infinity, to: s)
        default:
            let f = function
            return try pointwiseKernel(site, .input(0), to: .output(0)) { x, _, _ in f(x, s) }
        }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let s = Float(scalar)
        switch member {
        case .plus, .minus, .modulo: return try affine(site, .outputGradient(0), .gradient(0), scale: 1, shift: 0)
        case .reverseMinus: return try affine(site, .outputGradient(0), .gradient(0), scale: -1, shift: 0)
        case .multiply: return try affine(site, .outputGradient(0), .gradient(0), scale: s, shift: 0)
        case .divide: return try affine(site, .outputGradient(0), .gradient(0), scale: 1 / s, shift: 0)
        case .maximum: return try clipBackwardKernel(site, from: s, to: .infinity)
        case .minimum: return try clipBackwardKernel(site, from: -.infinity, to: s)
        case .reversePower:
            let slope = log(s)
            return try pointwiseKernel(site, .output(0), .outputGradient(0), to: .gradient(0)) { y, dy, _ in
                dy * (y * slope)
            }
        default:
            let slope = slope
            return try pointwiseKernel(site, .input(0), .outputGradient(0), to: .gradient(0)) { x, dy, _ in
                dy * slope(x, s)
            }
        }
    }

    private func affine(
        _ site: KernelSite, _ from: Program.Operand, _ to: Program.Operand, scale: Float, shift: Float
    ) throws -> PreparedKernel {
        let dims = Dims(try site.value(to)).c
        var kernel = PreparedKernel { memory in
            let x = memory[from], y = memory[to]
            return { anneal_affine(x, scale, shift, y, dims) }
        }
        kernel.inPlace = [(from, to)]
        return kernel
    }

    /// Of x and s.
    private var function: @Sendable (Float, Float) -> Float {
        switch member {
        case .plus: { $0 + $1 }
        case .minus: { $0 - $1 }
        case .reverseMinus: { $1 - $0 }
        case .multiply: { $0 * $1 }
        case .divide: { $0 / $1 }
        case .reverseDivide: { $1 / $0 }
        case .modulo: { flooredRemainder($0, $1) }
        case .reverseModulo: { flooredRemainder($1, $0) }
        case .power: { pow($0, $1) }
        case .reversePower: { pow($1, $0) }
        case .maximum: { $0 > $1 || $0.isNaN ? $0 : $1 }
        case .minimum: { $0 < $1 || $0.isNaN ? $0 : $1 }
        case .hypot: { Foundation.hypot($0, $1) }
        case .smoothL1:
            { x, sigma in
                let square = sigma * sigma
                return abs(x) > 1 / square ? abs(x) - 0.5 / square : 0.5 * x * x * square
            }
        case .equal: BinaryFunction.equal.function
        case .notEqual: BinaryFunction.notEqual.function
        case .greater: BinaryFunction.greater.function
        case .greaterEqual: BinaryFunction.greaterEqual.function
        case .lesser: BinaryFunction.lesser.function
        case .lesserEqual: BinaryFunction.lesserEqual.function
        case .logicalAnd: BinaryFunction.logicalAnd.function
        case .logicalOr: BinaryFunction.logicalOr.function
        case .logicalXor: BinaryFunction.logicalXor.function
        }
    }

    /// The derivative with respect to x, as a function of x and s, for functions with a derivative that reads x.
    private var slope: @Sendable (Float, Float) -> Float {
        switch member {
        case .reverseDivide: { -$1 / ($0 * $0) }
        case .reverseModulo: { -($1 / $0).rounded(.down) }
        case .power: { $1 * pow($0, $1 - 1) }
        case .hypot: { $0 / Foundation.hypot($0, $1) }
        case .smoothL1:
            { x, sigma in
                let square = sigma * sigma
                return x > 1 / square ? 1 : x < -1 / square ? -1 : square * x
            }
        default: { _, _ in 0 }
        }
    }
}

/// MXNet's modulo: the remainder with the divisor's sign; 0 for a divisor of 0.
@Sendable func flooredRemainder(_ a: Float, _ b: Float) -> Float {
    guard b != 0 else { return 0 }
    let rest = fmod(a, b)
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest
}
