import AnnealCore
import AnnealGraph

extension InstanceNorm: XLAOperator {
    private func rows(_ x: HLOValue) -> NormalizedRows {
        NormalizedRows(axes: Array(1..<(x.rank - 1)), parameterAxis: x.rank - 1, eps: Double(eps))
    }

    func forward(_ operands: Operands) throws {
        let x = operands.stored(.input(0))
        operands.writeStored(.output(0), try rows(x).forward(operands, x))
    }

    func backward(_ operands: Operands, part: Int) {
        let x = operands.stored(.input(0))
        operands.writeStored(.gradient(0), rows(x).backward(operands, x, operands.stored(.outputGradient(0))))
    }
}

extension LayerNorm: XLAOperator {
    private func rows(_ x: HLOValue) -> NormalizedRows {
        let place = Order.place(of: axis < 0 ? axis + x.rank : axis, rank: x.rank)
        return NormalizedRows(axes: [place], parameterAxis: place, eps: Double(eps))
    }

    func forward(_ operands: Operands) throws {
        let x = operands.stored(.input(0))
        operands.writeStored(.output(0), try rows(x).forward(operands, x))
    }

    func backward(_ operands: Operands, part: Int) {
        let x = operands.stored(.input(0))
        operands.writeStored(.gradient(0), rows(x).backward(operands, x, operands.stored(.outputGradient(0))))
    }
}

extension GroupNorm: XLAOperator {
    /// Splits the channels, which are last, into (groups, channels per group).
    private func grouped(_ x: HLOValue) -> HLOValue {
        x.reshaped(x.dims.dropLast() + [groups, x.dims[x.rank - 1] / groups])
    }

    private func rows(_ x: HLOValue) -> NormalizedRows {
        NormalizedRows(axes: Array(1..<(x.rank - 2)) + [x.rank - 1], parameterAxis: x.rank - 2, eps: Double(eps))
    }

    func forward(_ operands: Operands) throws {
        let x = operands.stored(.input(0)), grouped = grouped(x)
        operands.writeStored(.output(0), try rows(grouped).forward(operands, grouped).reshaped(x.dims))
    }

    func backward(_ operands: Operands, part: Int) {
        let x = operands.stored(.input(0)), grouped = grouped(x), dy = self.grouped(operands.stored(.outputGradient(0)))
        operands.writeStored(.gradient(0), rows(grouped).backward(operands, grouped, dy).reshaped(x.dims))
    }
}

/// (x - mean) / sqrt(variance + eps) · gamma + beta, with statistics over some axes and parameters along another.
private struct NormalizedRows {
    let axes: [Int]
    let parameterAxis: Int
    let eps: Double

    private func mean(_ x: HLOValue) -> HLOValue { x.sum(axes) / Double(axes.map { x.dims[$0] }.reduce(1, *)) }

    func forward(_ operands: Operands, _ x: HLOValue) throws -> HLOValue {
        let mean = mean(x), centred = x - mean.spread(over: axes, of: x.dims)
        let variance = self.mean(centred * centred), inverse = (variance + eps).reciprocalSquareRoot()
        func write(_ role: Operands.Role, _ statistics: HLOValue) throws {
            guard operands.has(role) else { return }
            operands.writeStored(role, statistics.reshaped(Order.channelsLast(try operands.shape(role).dims)))
        }
        try write(.saved(0), mean)
        try write(.saved(1), inverse)
        try write(.output(1), mean)
        try write(.output(2), (variance + eps).squareRoot())
        let gamma = operands.stored(.input(1)).broadcast(to: x.dims, axis: parameterAxis)
        let beta = operands.stored(.input(2)).broadcast(to: x.dims, axis: parameterAxis)
        return centred * inverse.spread(over: axes, of: x.dims) * gamma + beta
    }

    /// Writes the parameters' gradients.
    /// - Returns: the data's gradient.
    func backward(_ operands: Operands, _ x: HLOValue, _ dy: HLOValue) -> HLOValue {
        let kept = x.dims.indices.filter { !axes.contains($0) }.map { x.dims[$0] }
        func spread(_ v: HLOValue) -> HLOValue { v.reshaped(kept).spread(over: axes, of: x.dims) }
        let inverse = spread(operands.stored(.saved(1)))
        let normal = (x - spread(operands.stored(.saved(0)))) * inverse
        let others = x.dims.indices.filter { $0 != parameterAxis }
        operands.writeStored(.gradient(1), (dy * normal).sum(others))
        operands.writeStored(.gradient(2), dy.sum(others))
        let scaled = dy * operands.stored(.input(1)).broadcast(to: x.dims, axis: parameterAxis)
        return (scaled - spread(mean(scaled)) - normal * spread(mean(scaled * normal))) * inverse
    }
}

extension L2Normalization: XLAOperator {
    /// The axes of the sums, in a channels-last array.
    private func axes(_ x: HLOValue) -> [Int] {
        switch mode {
        case .instance: Array(1..<x.rank)
        case .channel: [x.rank - 1]
        case .spatial: Array(1..<(x.rank - 1))
        }
    }

    func forward(_ operands: Operands) throws {
        let x = operands.stored(.input(0)), axes = axes(x)
        let norms = ((x * x).sum(axes) + Double(eps)).squareRoot()
        operands.writeStored(.output(0), x / norms.spread(over: axes, of: x.dims))
        if operands.has(.saved(0)) {
            operands.writeStored(.saved(0), norms.reshaped(try operands.shape(.saved(0)).dims))
        }
    }

    func backward(_ operands: Operands, part: Int) {
        let y = operands.stored(.output(0)), dy = operands.stored(.outputGradient(0)), axes = axes(y)
        let kept = y.dims.indices.filter { !axes.contains($0) }.map { y.dims[$0] }
        let norms = operands.stored(.saved(0)).reshaped(kept).spread(over: axes, of: y.dims)
        let product = (y * dy).sum(axes).spread(over: axes, of: y.dims)
        operands.writeStored(.gradient(0), (dy - y * product) / norms)
    }
}

extension LRN: XLAOperator {
    func forward(_ operands: Operands) {
        let x = operands.stored(.input(0)), norms = neighbours(x * x) * (Double(alpha) / Double(nsize)) + Double(knorm)
        operands.writeStored(.output(0), x * norms.power(-Double(beta)))
        operands.writeStored(.saved(0), norms)
    }

    /// dx_i = dy_i n_i^-beta - 2 alpha beta / nsize x_i Σ dy_j y_j / n_j over the channels j whose sums x_i is part of.
    func backward(_ operands: Operands, part: Int) {
        let x = operands.stored(.input(0)), y = operands.stored(.output(0)), dy = operands.stored(.outputGradient(0))
        let norms = operands.stored(.saved(0)), factor = 2 * Double(alpha) * Double(beta) / Double(nsize)
        operands.writeStored(
            .gradient(0), dy * norms.power(-Double(beta)) - x * neighbours(dy * y / norms) * factor)
    }

    /// Sums over `nsize` channels centred on each; the channels are last.
    private func neighbours(_ x: HLOValue) -> HLOValue {
        let others = [Int](repeating: 1, count: x.rank - 1), none = others.map { _ in 0 }
        return x.reducedWindows(
            .sum,
            HLOValue.Windows(
                extents: others + [nsize], strides: others + [1], low: none + [nsize / 2], high: none + [nsize / 2]))
    }
}
