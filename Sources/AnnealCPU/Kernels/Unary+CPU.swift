import AnnealCompiler
import AnnealGraph
import CAnnealKernels
import Foundation

extension Unary: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.following }

    /// The functions that `Activation` implements in C.
    private var activation: anneal_activation? {
        switch member {
        case .relu: ANNEAL_RELU
        case .sigmoid: ANNEAL_SIGMOID
        case .tanh: ANNEAL_TANH
        default: nil
        }
    }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        if let activation { return try activationKernel(site, activation) }
        let f = function
        return try pointwiseKernel(site, .input(0), to: .output(0)) { x, _, _ in f(x) }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        if let activation { return try activationGradientKernel(site, activation) }
        let slope = slope
        switch backward[0].reads.first {
        case .input?:
            return try pointwiseKernel(site, .input(0), .outputGradient(0), to: .gradient(0)) { x, dy, _ in
                dy * slope(x)
            }
        case .output?:
            return try pointwiseKernel(site, .output(0), .outputGradient(0), to: .gradient(0)) { y, dy, _ in
                dy * slope(y)
            }
        default:
            return try pointwiseKernel(site, .outputGradient(0), to: .gradient(0)) { dy, _, _ in dy * slope(0) }
        }
    }

    private var function: @Sendable (Float) -> Float {
        switch member {
        case .abs: { Swift.abs($0) }
        case .sign: { $0 > 0 ? 1 : $0 < 0 ? -1 : 0 }
        case .negative: { -$0 }
        case .reciprocal: { 1 / $0 }
        case .square: { $0 * $0 }
        case .sqrt: { $0.squareRoot() }
        case .rsqrt: { 1 / $0.squareRoot() }
        case .cbrt: { Foundation.cbrt($0) }
        case .rcbrt: { 1 / Foundation.cbrt($0) }
        case .exp: { Foundation.exp($0) }
        case .expm1: { Foundation.expm1($0) }
        case .log: { Foundation.log($0) }
        case .log10: { Foundation.log10($0) }
        case .log2: { Foundation.log2($0) }
        case .log1p: { Foundation.log1p($0) }
        case .sin: { Foundation.sin($0) }
        case .cos: { Foundation.cos($0) }
        case .tan: { Foundation.tan($0) }
        case .arcsin: { asin($0) }
        case .arccos: { acos($0) }
        case .arctan: { atan($0) }
        case .sinh: { Foundation.sinh($0) }
        case .cosh: { Foundation.cosh($0) }
        case .tanh: { Foundation.tanh($0) }
        case .arcsinh: { asinh($0) }
        case .arccosh: { acosh($0) }
        case .arctanh: { atanh($0) }
        case .degrees: { $0 * (180 / .pi) }
        case .radians: { $0 * (.pi / 180) }
        case .round: { $0.rounded(.toNearestOrAwayFromZero) }
        case .rint:
            { x in
                let low = x.rounded(.down), high = x.rounded(.up)
                return x - low <= high - x ? low : high
            }
        case .ceil: { $0.rounded(.up) }
        case .floor: { $0.rounded(.down) }
        case .trunc, .fix: { $0.rounded(.towardZero) }
        case .relu: { $0 > 0 || $0.isNaN ? $0 : 0 }
        case .sigmoid: { 1 / (1 + Foundation.exp(-$0)) }
        case .softsign: { $0 / (1 + Swift.abs($0)) }
        case .erf: { Foundation.erf($0) }
        case .erfinv: { Float(inverseErf(Double($0))) }
        case .gamma: { Float(tgamma(Double($0))) }
        case .gammaln: { Float(lgamma(Double($0))) }
        case .logicalNot: { $0 == 0 ? 1 : 0 }
        case .zerosLike: { _ in 0 }
        case .onesLike: { _ in 1 }
        }
    }

    /// The derivative, as a function of what the definition says that it reads: the input, or the output.
    private var slope: @Sendable (Float) -> Float {
        switch member {
        case .abs: { $0 > 0 ? 1 : $0 < 0 ? -1 : 0 }
        case .negative: { _ in -1 }
        case .reciprocal: { -1 / ($0 * $0) }
        case .square: { 2 * $0 }
        case .sqrt: { 0.5 / $0 }
        case .rsqrt: { -0.5 / ($0.squareRoot() * $0) }
        case .cbrt: { 1 / (3 * $0 * $0) }
        case .rcbrt: { -1 / (3 * Foundation.cbrt($0) * $0) }
        case .exp: { $0 }
        case .expm1: { Foundation.exp($0) }
        case .log: { 1 / $0 }
        case .log10: { 0.4342944819 / $0 }
        case .log2: { 1.442695041 / $0 }
        case .log1p: { 1 / (1 + $0) }
        case .sin: { Foundation.cos($0) }
        case .cos: { -Foundation.sin($0) }
        case .tan: { $0 * $0 + 1 }
        case .arcsin: { 1 / (1 - $0 * $0).squareRoot() }
        case .arccos: { -1 / (1 - $0 * $0).squareRoot() }
        case .arctan: { 1 / ($0 * $0 + 1) }
        case .sinh: { Foundation.cosh($0) }
        case .cosh: { Foundation.sinh($0) }
        case .tanh: { 1 - $0 * $0 }
        case .arcsinh: { 1 / Foundation.hypot($0, 1) }
        case .arccosh: { 1 / ($0 * $0 - 1).squareRoot() }
        case .arctanh: { 1 / (1 - $0 * $0) }
        case .degrees: { _ in 180 / .pi }
        case .radians: { _ in .pi / 180 }
        case .relu: { $0 > 0 ? 1 : 0 }
        case .sigmoid: { $0 * (1 - $0) }
        case .softsign:
            { x in
                let t = 1 + Swift.abs(x)
                return 1 / (t * t)
            }
        case .erf: { 2 / Float.pi.squareRoot() * Foundation.exp(-$0 * $0) }
        case .erfinv: { 0.5 * Float.pi.squareRoot() * Foundation.exp($0 * $0) }
        case .gamma: { Float(tgamma(Double($0)) * digamma(Double($0))) }
        case .gammaln: { Float(digamma(Double($0))) }
        case .sign, .round, .rint, .ceil, .floor, .trunc, .fix, .logicalNot, .zerosLike, .onesLike: { _ in 0 }
        }
    }
}

extension HardSigmoid: CPUOperator {
    package func layouts(_ request: LayoutRequest) throws -> OperandLayouts { request.following }

    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let alpha = alpha, beta = beta
        return try pointwiseKernel(site, .input(0), to: .output(0)) { x, _, _ in min(max(alpha * x + beta, 0), 1) }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let alpha = alpha
        return try pointwiseKernel(site, .output(0), .outputGradient(0), to: .gradient(0)) { y, dy, _ in
            y > 0 && y < 1 ? alpha * dy : 0
        }
    }
}

/// ψ = (ln Γ)′, by reflection and recurrence to where Stirling's series is exact.
private func digamma(_ x: Double) -> Double {
    if x <= 0, x == x.rounded() { return .nan }
    if x < 0.5 { return digamma(1 - x) - .pi / tan(.pi * x) }
    var x = x, sum = 0.0
    while x < 10 {
        sum -= 1 / x
        x += 1
    }
    let z = 1 / (x * x)
    return sum + log(x) - 0.5 / x - z * (1.0 / 12 - z * (1.0 / 120 - z * (1.0 / 252 - z * (1.0 / 240 - z / 132))))
}

/// By Newton's method from Winitzki's approximation.
private func inverseErf(_ y: Double) -> Double {
    guard abs(y) < 1 else { return abs(y) == 1 ? (y > 0 ? .infinity : -.infinity) : .nan }
    let l = log(1 - y * y), t = 2 / (.pi * 0.147) + l / 2
    var x = ((t * t - l / 0.147).squareRoot() - t).squareRoot()
    if y < 0 { x = -x }
    for _ in 0..<4 { x -= (erf(x) - y) / (2 / Double.pi.squareRoot() * exp(-x * x)) }
    return x
}
