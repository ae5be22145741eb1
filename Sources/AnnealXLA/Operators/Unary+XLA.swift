import AnnealGraph
import Foundation

extension Unary: XLAOperator {
    func forward(_ operands: Operands) { operands.map(.input(0), to: .output(0), function) }

    func backward(_ operands: Operands, part: Int) {
        switch backward[0].reads[0] {
        case .output: operands.map(.output(0), .outputGradient(0), to: .gradient(0)) { y, dy in dy * slopeOfOutput(y) }
        case .input: operands.map(.input(0), .outputGradient(0), to: .gradient(0)) { x, dy in dy * slopeOfInput(x) }
        // Linear functions.
        default: operands.map(.outputGradient(0), to: .gradient(0), function)
        }
    }

    private func function(_ x: HLOValue) -> HLOValue {
        switch member {
        case .abs: x.absolute()
        case .sign: x.signOrZero()
        case .negative: -x
        case .reciprocal: 1 / x
        case .square: x * x
        case .sqrt: x.squareRoot()
        case .rsqrt: x.reciprocalSquareRoot()
        case .cbrt: x.cubeRoot()
        case .rcbrt: 1 / x.cubeRoot()
        case .exp: x.exponential()
        case .expm1: x.exponentialMinusOne()
        case .log: x.logarithm()
        case .log10: x.logarithm() * (1 / Foundation.log(10))
        case .log2: x.logarithm() * (1 / Foundation.log(2))
        case .log1p: x.logarithmOfOnePlus()
        case .sin: x.sine()
        case .cos: x.cosine()
        case .tan: x.tangent()
        case .arcsin: x.arcSine()
        case .arccos: x.arcCosine()
        case .arctan: x.arcTangent()
        case .sinh: x.hyperbolicSine()
        case .cosh: x.hyperbolicCosine()
        case .tanh: x.tanh()
        case .arcsinh: x.inverseHyperbolicSine()
        case .arccosh: x.inverseHyperbolicCosine()
        case .arctanh: x.inverseHyperbolicTangent()
        case .degrees: x * (180 / .pi)
        case .radians: x * (.pi / 180)
        case .round: x.rounded()
        // Halves are rounded down.
        case .rint: (x - x.floor()).compare(.greater, 0.5).select(x.floor() + 1, x.floor())
        case .ceil: x.ceiling()
        case .floor: x.floor()
        case .trunc, .fix: x.truncated()
        case .relu: x.maximum(0)
        case .sigmoid: x.logistic()
        case .softsign: x / (x.absolute() + 1)
        case .erf: x.errorFunction()
        case .erfinv: x.inverseErrorFunction()
        case .gamma: x.gamma()
        case .gammaln: x.logarithmOfGamma()
        case .logicalNot: x.compare(.equal, 0).numbers()
        case .zerosLike: x.like(0)
        case .onesLike: x.like(1)
        }
    }

    private func slopeOfOutput(_ y: HLOValue) -> HLOValue {
        switch member {
        case .sqrt: 0.5 / y
        case .cbrt: 1 / (y * y * 3)
        case .exp: y
        case .tan: y * y + 1
        case .tanh: 1 - y * y
        case .sigmoid: y * (1 - y)
        case .erfinv: (y * y).exponential() * (Double.pi.squareRoot() / 2)
        default: y.compare(.greater, 0).numbers()
        }
    }

    private func slopeOfInput(_ x: HLOValue) -> HLOValue {
        switch member {
        case .abs: x.signOrZero()
        case .reciprocal: -1 / (x * x)
        case .square: x * 2
        case .rsqrt: x.reciprocalSquareRoot() / x * -0.5
        case .rcbrt: -1 / (x * x.cubeRoot() * 3)
        case .expm1: x.exponential()
        case .log: 1 / x
        case .log10: 1 / (x * Foundation.log(10))
        case .log2: 1 / (x * Foundation.log(2))
        case .log1p: 1 / (x + 1)
        case .sin: x.cosine()
        case .cos: -x.sine()
        // (1 - x)(1 + x) instead of 1 - x²: exact near ±1.
        case .arcsin: ((1 - x) * (x + 1)).reciprocalSquareRoot()
        case .arccos: -((1 - x) * (x + 1)).reciprocalSquareRoot()
        case .arctan: 1 / (x * x + 1)
        case .sinh: x.hyperbolicCosine()
        case .cosh: x.hyperbolicSine()
        case .arcsinh: 1 / x.hypot(x.like(1))
        case .arccosh: ((x - 1) * (x + 1)).reciprocalSquareRoot()
        case .arctanh: 1 / ((1 - x) * (x + 1))
        case .softsign: 1 / ((x.absolute() + 1) * (x.absolute() + 1))
        case .erf: (-(x * x)).exponential() * (2 / Double.pi.squareRoot())
        case .gamma: x.gamma() * x.digamma()
        case .gammaln: x.digamma()
        default: x.like(0)
        }
    }
}
