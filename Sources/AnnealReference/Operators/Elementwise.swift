import AnnealCore
import AnnealGraph
import Foundation

// Functions of the elements at one position. Derivatives of smooth functions of the input are central differences;
// where the definition's gradient reads the output, or a kink has a convention, they are written out.

extension Unary: ReferenceOperator {
    func forward(_ operands: Operands) { operands.map(.input(0), to: .output(0), function) }

    func backward(_ operands: Operands, part: Int) {
        switch backward[0].reads[0] {
        case .output: operands.map(.output(0), .outputGradient(0), to: .gradient(0)) { y, dy in dy * slopeOfOutput(y) }
        case .input: operands.map(.input(0), .outputGradient(0), to: .gradient(0)) { x, dy in dy * slopeOfInput(x) }
        // Linear functions.
        default: operands.map(.outputGradient(0), to: .gradient(0)) { dy in dy * function(1) }
        }
    }

    private func slopeOfInput(_ x: Double) -> Double {
        member == .abs ? (x > 0 ? 1 : x < 0 ? -1 : 0) : slope(of: function, at: x)
    }

    private func slopeOfOutput(_ y: Double) -> Double {
        switch member {
        case .sqrt: 0.5 / y
        case .cbrt: 1 / (3 * y * y)
        case .exp: y
        case .tan: 1 + y * y
        case .tanh: 1 - y * y
        case .sigmoid: y * (1 - y)
        case .erfinv: Double.pi.squareRoot() / 2 * Foundation.exp(y * y)
        default: y > 0 ? 1 : 0
        }
    }

    private func function(_ x: Double) -> Double {
        switch member {
        case .abs: Swift.abs(x)
        case .sign: x > 0 ? 1 : x < 0 ? -1 : 0
        case .negative: -x
        case .reciprocal: 1 / x
        case .square: x * x
        case .sqrt: x.squareRoot()
        case .rsqrt: 1 / x.squareRoot()
        case .cbrt: Foundation.cbrt(x)
        case .rcbrt: 1 / Foundation.cbrt(x)
        case .exp: Foundation.exp(x)
        case .expm1: Foundation.expm1(x)
        case .log: Foundation.log(x)
        case .log10: Foundation.log10(x)
        case .log2: Foundation.log2(x)
        case .log1p: Foundation.log1p(x)
        case .sin: Foundation.sin(x)
        case .cos: Foundation.cos(x)
        case .tan: Foundation.tan(x)
        case .arcsin: asin(x)
        case .arccos: acos(x)
        case .arctan: atan(x)
        case .sinh: Foundation.sinh(x)
        case .cosh: Foundation.cosh(x)
        case .tanh: Foundation.tanh(x)
        case .arcsinh: asinh(x)
        case .arccosh: acosh(x)
        case .arctanh: atanh(x)
        case .degrees: x * 180 / .pi
        case .radians: x * .pi / 180
        case .round: x.rounded(.toNearestOrAwayFromZero)
        // Halves are rounded down.
        case .rint: (x - 0.5).rounded(.up)
        case .ceil: x.rounded(.up)
        case .floor: x.rounded(.down)
        case .trunc, .fix: x.rounded(.towardZero)
        case .relu: x > 0 || x.isNaN ? x : 0
        case .sigmoid: 1 / (1 + Foundation.exp(-x))
        case .softsign: x / (1 + Swift.abs(x))
        case .erf: Foundation.erf(x)
        case .erfinv: inverseErf(x)
        case .gamma: tgamma(x)
        case .gammaln: lgamma(x)
        case .logicalNot: x == 0 ? 1 : 0
        case .zerosLike: 0
        case .onesLike: 1
        }
    }

    /// By bisection.
    private func inverseErf(_ y: Double) -> Double {
        guard Swift.abs(y) < 1 else { return Swift.abs(y) == 1 ? y * .infinity : .nan }
        var low = -6.0, high = 6.0
        for _ in 0..<64 {
            let middle = (low + high) / 2
            if Foundation.erf(middle) < y { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }
}

extension Activation: ReferenceOperator {
    func forward(_ operands: Operands) {
        operands.map(.input(0), to: .output(0)) { x in
            switch kind {
            case .relu: x > 0 || x.isNaN ? x : 0
            case .sigmoid: 1 / (1 + exp(-x))
            case .tanh: Foundation.tanh(x)
            case .softrelu: x > 30 ? x : log1p(exp(x))
            case .softsign: x / (1 + abs(x))
            }
        }
    }

    func backward(_ operands: Operands, part: Int) {
        operands.map(.output(0), .outputGradient(0), to: .gradient(0)) { y, dy in
            switch kind {
            case .relu: y > 0 ? dy : 0
            case .sigmoid: dy * y * (1 - y)
            case .tanh: dy * (1 - y * y)
            case .softrelu: dy * -expm1(-y)
            case .softsign: dy * (1 - abs(y)) * (1 - abs(y))
            }
        }
    }
}

extension HardSigmoid: ReferenceOperator {
    func forward(_ operands: Operands) {
        operands.map(.input(0), to: .output(0)) { min(max(Double(alpha) * $0 + Double(beta), 0), 1) }
    }

    func backward(_ operands: Operands, part: Int) {
        operands.map(.output(0), .outputGradient(0), to: .gradient(0)) { y, dy in
            y > 0 && y < 1 ? Double(alpha) * dy : 0
        }
    }
}

extension Clip: ReferenceOperator {
    func forward(_ operands: Operands) {
        operands.map(.input(0), to: .output(0)) { x in
            x < Double(minimum) ? Double(minimum) : x > Double(maximum) ? Double(maximum) : x
        }
    }

    func backward(_ operands: Operands, part: Int) {
        operands.map(.input(0), .outputGradient(0), to: .gradient(0)) { x, dy in
            x >= Double(minimum) && x <= Double(maximum) ? dy : 0
        }
    }
}

extension LeakyReLU: ReferenceOperator {
    private static let seluScale = 1.0507009873554805, seluAlpha = 1.6732632423543772

    func forward(_ operands: Operands) {
        let x = operands[.input(0)], below = Double(self.slope)
        switch kind {
        case .leaky: operands.write(.output(0), x.map { $0 > 0 ? $0 : below * $0 })
        case .elu: operands.write(.output(0), x.map { $0 > 0 ? $0 : below * expm1($0) })
        case .selu:
            operands.write(.output(0), x.map { Self.seluScale * ($0 > 0 ? $0 : Self.seluAlpha * expm1($0)) })
        case .gelu: operands.write(.output(0), x.map(gelu))
        case .prelu:
            var y = x
            forEachChannel(x, operands[.input(1)]) { i, gamma, _ in y[i] = x[i] > 0 ? x[i] : gamma * x[i] }
            operands.write(.output(0), y)
        case .rrelu:
            let low = Double(lowerBound), high = Double(upperBound)
            let slopes =
                operands.isTraining
                ? NDArray.map(x, operands.uniform(x.shape)) { $0 > 0 ? 1 : low + $1 * (high - low) }
                : x.map { _ in (low + high) / 2 }
            operands.write(.output(0), NDArray.map(x, slopes) { $0 > 0 ? $0 : $0 * $1 })
            operands.write(.output(1), slopes)
        }
    }

    func backward(_ operands: Operands, part: Int) {
        let below = Double(self.slope)
        switch kind {
        case .leaky: operands.map(.input(0), .outputGradient(0), to: .gradient(0)) { $0 > 0 ? $1 : below * $1 }
        case .elu: operands.map(.output(0), .outputGradient(0), to: .gradient(0)) { $0 > 0 ? $1 : (below + $0) * $1 }
        case .selu:
            // MXNet's own gradient uses y in place of y / scale.
            let factor = operands.reproducesMXNetDefects ? Self.seluScale : 1
            operands.map(.output(0), .outputGradient(0), to: .gradient(0)) { y, dy in
                dy * (y > 0 ? Self.seluScale : Self.seluScale * Self.seluAlpha + factor * y)
            }
        case .gelu:
            operands.map(.input(0), .outputGradient(0), to: .gradient(0)) {
                $1 * AnnealReference.slope(of: gelu, at: $0)
            }
        case .rrelu: operands.map(.output(1), .outputGradient(0), to: .gradient(0)) { $0 * $1 }
        case .prelu:
            let x = operands[.input(0)], dy = operands[.outputGradient(0)], gammas = operands[.input(1)]
            var dx = x, dGamma = NDArray(gammas.shape)
            forEachChannel(x, gammas) { i, gamma, channel in dx[i] = x[i] > 0 ? dy[i] : gamma * dy[i] }
            // MXNet overwrites the output gradient with the data's gradient where it can, and then reads it.
            let read = operands.reproducesMXNetDefects && operands.overwritesOutputGradient ? dx : dy
            forEachChannel(x, gammas) { i, _, channel in if x[i] <= 0 { dGamma[channel] += read[i] * x[i] } }
            operands.write(.gradient(0), dx)
            operands.write(.gradient(1), dGamma)
        }
    }

    private func gelu(_ x: Double) -> Double { x * 0.5 * (1 + erf(x / 2.0.squareRoot())) }

    /// Calls body(element, its gamma, the gamma's index).
    private func forEachChannel(_ x: NDArray, _ gammas: NDArray, _ body: (Int, Double, Int) -> Void) {
        let channels = x.shape.rank > 1 ? x.shape[1] : x.shape[0]
        let positions = x.shape.dims.dropFirst(2).reduce(1, *)
        for i in 0..<x.count {
            let channel = gammas.count == 1 ? 0 : i / positions % channels
            body(i, gammas[channel], channel)
        }
    }
}

extension Cast: ReferenceOperator {
    func forward(_ operands: Operands) { operands.map(.input(0), to: .output(0), rounded) }
    func backward(_ operands: Operands, part: Int) { operands.map(.outputGradient(0), to: .gradient(0), rounded) }

    private func rounded(_ x: Double) -> Double {
        switch dtype {
        case .float32, .float64: x
        case .float16: Double(Float16(Float(x)))
        case .bfloat16: Double(Float(bitPattern: Float(x).bitPattern & 0xffff_0000))
        case .bool: x != 0 ? 1 : 0
        case .int64: Double(Int64(exactly: x.rounded(.towardZero)) ?? .min)
        case .int32: Double(whole(x))
        case .uint8: Double(UInt8(truncatingIfNeeded: whole(x)))
        case .int8: Double(Int8(truncatingIfNeeded: whole(x)))
        case .int16: Double(Int16(truncatingIfNeeded: whole(x)))
        }
    }

    private func whole(_ x: Double) -> Int32 { Int32(exactly: x.rounded(.towardZero)) ?? .min }
}

extension Dropout: ReferenceOperator {
    func forward(_ operands: Operands) {
        let x = operands[.input(0)]
        guard operands.isTraining || mode == .always else { return operands.write(.output(0), x) }
        var maskShape = x.shape
        for axis in axes { maskShape[axis] = 1 }
        let keep = 1 - p
        let mask = operands.uniform(maskShape).map { Float($0) < keep ? Double(1 / keep) : 0 }
        operands.write(.saved(0), mask)
        operands.write(.output(0), masked(x, mask))
    }

    func backward(_ operands: Operands, part: Int) {
        operands.write(.gradient(0), masked(operands[.outputGradient(0)], operands[.saved(0)]))
    }

    private func masked(_ x: NDArray, _ mask: NDArray) -> NDArray {
        let strides = broadcastStrides(mask.shape, to: x.shape)
        var result = x
        for (i, index) in Indices(x.shape.dims).enumerated() { result[i] *= mask[offset(index, strides)] }
        return result
    }
}
