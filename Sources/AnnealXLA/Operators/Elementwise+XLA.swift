import AnnealCore
import AnnealGraph
import Foundation

extension Activation: XLAOperator {
    func forward(_ operands: Operands) {
        operands.map(.input(0), to: .output(0)) { x in
            switch kind {
            case .relu: x.maximum(0)
            case .sigmoid: x.logistic()
            case .tanh: x.tanh()
            case .softrelu: x.compare(.greater, 30).select(x, x.exponential().logarithmOfOnePlus())
            case .softsign: x / (x.absolute() + 1)
            }
        }
    }

    func backward(_ operands: Operands, part: Int) {
        operands.map(.output(0), .outputGradient(0), to: .gradient(0)) { y, dy in
            switch kind {
            case .relu: return y.compare(.greater, 0).select(dy, 0)
            case .sigmoid: return dy * y * (1 - y)
            case .tanh: return dy * (1 - y * y)
            case .softrelu: return dy * -(-y).exponentialMinusOne()
            case .softsign:
                let root = 1 - y.absolute()
                return dy * root * root
            }
        }
    }
}

extension HardSigmoid: XLAOperator {
    func forward(_ operands: Operands) {
        operands.map(.input(0), to: .output(0)) { ($0 * Double(alpha) + Double(beta)).maximum(0).minimum(1) }
    }

    func backward(_ operands: Operands, part: Int) {
        operands.map(.output(0), .outputGradient(0), to: .gradient(0)) { y, dy in
            (y.compare(.greater, 0) & y.compare(.less, 1)).select(dy * Double(alpha), 0)
        }
    }
}

extension Clip: XLAOperator {
    func forward(_ operands: Operands) {
        operands.map(.input(0), to: .output(0)) { x in
            let low = Double(minimum), high = Double(maximum)
            return x.compare(.less, low).select(x.like(low), x.compare(.greater, high).select(x.like(high), x))
        }
    }

    func backward(_ operands: Operands, part: Int) {
        operands.map(.input(0), .outputGradient(0), to: .gradient(0)) { x, dy in
            (x.compare(.atLeast, Double(minimum)) & x.compare(.atMost, Double(maximum))).select(dy, 0)
        }
    }
}

extension LeakyReLU: XLAOperator {
    private static let seluScale = 1.0507009873554805, seluAlpha = 1.6732632423543772

    func forward(_ operands: Operands) throws {
        let x = operands.stored(.input(0)), isPositive = x.compare(.greater, 0)
        let y: HLOValue
        switch kind {
        case .leaky: y = isPositive.select(x, x * Double(slope))
        case .elu: y = isPositive.select(x, x.exponentialMinusOne() * Double(slope))
        case .selu: y = isPositive.select(x, x.exponentialMinusOne() * Self.seluAlpha) * Self.seluScale
        case .gelu: y = x * normalShare(x)
        case .prelu: y = isPositive.select(x, x * gammas(operands.stored(.input(1)), x))
        case .rrelu:
            let low = Double(lowerBound), high = Double(upperBound)
            var slopes = x.like((low + high) / 2)
            if operands.isTraining {
                let uniform = Order.channelsLast(operands.uniform(try operands.shape(.input(0))))
                slopes = isPositive.select(x.like(1), uniform * (high - low) + low)
            }
            y = isPositive.select(x, x * slopes)
            operands.writeStored(.output(1), slopes)
        }
        operands.writeStored(.output(0), y)
    }

    func backward(_ operands: Operands, part: Int) {
        let dy = operands.stored(.outputGradient(0))
        let dx: HLOValue
        switch kind {
        case .leaky: dx = operands.stored(.input(0)).compare(.greater, 0).select(dy, dy * Double(slope))
        case .elu:
            let y = operands.stored(.output(0))
            dx = y.compare(.greater, 0).select(dy, (y + Double(slope)) * dy)
        case .selu:
            // MXNet's own gradient uses y for y / scale.
            let y = operands.stored(.output(0)), factor = operands.reproducesMXNetDefects ? Self.seluScale : 1
            let below = y * factor + Self.seluScale * Self.seluAlpha
            dx = dy * y.compare(.greater, 0).select(y.like(Self.seluScale), below)
        case .gelu:
            let x = operands.stored(.input(0)), density = (x * x * -0.5).exponential() * (1 / (2 * .pi).squareRoot())
            dx = dy * (normalShare(x) + x * density)
        case .rrelu: dx = operands.stored(.output(1)) * dy
        case .prelu:
            let x = operands.stored(.input(0)), gamma = operands.stored(.input(1))
            dx = x.compare(.greater, 0).select(dy, dy * gammas(gamma, x))
            // MXNet writes the data's gradient over the output's where it can, and then reads that.
            let read = operands.reproducesMXNetDefects && operands.overwritesOutputGradient ? dx : dy
            let shares = x.compare(.atMost, 0).select(read * x, 0), channels = channelAxis(x)
            let others = x.dims.indices.filter { gamma.elementCount == 1 || $0 != channels }
            operands.writeStored(.gradient(1), shares.sum(others).reshaped(gamma.dims))
        }
        operands.writeStored(.gradient(0), dx)
    }

    /// Φ(x), the normal distribution function.
    private func normalShare(_ x: HLOValue) -> HLOValue { (x * -0.5.squareRoot()).complementaryErrorFunction() * 0.5 }

    private func channelAxis(_ x: HLOValue) -> Int { x.rank > 1 ? Order.place(of: 1, rank: x.rank) : 0 }

    /// A gamma per channel, or a single one, broadcast over the data.
    private func gammas(_ gamma: HLOValue, _ x: HLOValue) -> HLOValue {
        gamma.elementCount == 1
            ? gamma.reshaped([]).broadcast(to: x.dims) : gamma.broadcast(to: x.dims, axis: channelAxis(x))
    }
}

extension Cast: XLAOperator {
    func forward(_ operands: Operands) { operands.map(.input(0), to: .output(0), rounded) }
    func backward(_ operands: Operands, part: Int) { operands.map(.outputGradient(0), to: .gradient(0), rounded) }

    private func rounded(_ x: HLOValue) -> HLOValue {
        switch dtype {
        case .float32, .float64: return x
        case .float16:
            // Compilers may drop a conversion to float16 and back. Below 2^-14 the spacing of values is 2^-24.
            let ordinary = x.function.emit(
                x.dims, x.type, "stablehlo.reduce_precision \(x.name), format = e5m10 : \(x.text)")
            return x.absolute().compare(.less, 0x1p-14).select((x * 0x1p24).roundedToEven() * 0x1p-24, ordinary)
        case .bfloat16:
            let bits = x.bits(as: .ui32)
            return (bits & bits.like(Double(0xffff_0000 as UInt32))).bits(as: .f32)
        case .bool: return x.isNotZero().numbers()
        case .int64: return whole(x, limit: 0x1p63)
        case .int32: return whole(x, limit: 0x1p31)
        case .uint8: return lowBits(x, 8)
        case .int8: return signed(lowBits(x, 8), 8)
        case .int16: return signed(lowBits(x, 16), 16)
        }
    }

    /// Truncated towards zero; values outside the integer type's range become its minimum.
    private func whole(_ x: HLOValue, limit: Double) -> HLOValue {
        x.absolute().compare(.less, limit).select(x.truncated(), -limit)
    }

    private func lowBits(_ x: HLOValue, _ count: Int) -> HLOValue {
        let number = whole(x, limit: 0x1p31).converted(to: .i32)
        return (number & number.like(Double(1 << count - 1))).converted(to: .f32)
    }

    private func signed(_ x: HLOValue, _ count: Int) -> HLOValue {
        x.compare(.atLeast, Double(1 << (count - 1))).select(x - Double(1 << count), x)
    }
}

extension Dropout: XLAOperator {
    func forward(_ operands: Operands) throws {
        let x = operands.stored(.input(0))
        guard operands.isTraining || mode == .always else { return operands.writeStored(.output(0), x) }
        var shape = try operands.shape(.input(0))
        for axis in axes { shape[axis] = 1 }
        let keep = 1 - p, uniform = Order.channelsLast(operands.uniform(shape))
        let mask = uniform.compare(.less, Double(keep)).select(uniform.like(Double(1 / keep)), 0)
        operands.writeStored(.saved(0), mask)
        operands.writeStored(.output(0), x * mask.stretched(to: x.dims))
    }

    func backward(_ operands: Operands, part: Int) {
        operands.map(.outputGradient(0), .saved(0), to: .gradient(0)) { dy, mask in dy * mask.stretched(to: dy.dims) }
    }
}
