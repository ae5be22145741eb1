import AnnealCore
import AnnealGraph
import Foundation

extension BatchNorm: ReferenceOperator {
    func forward(_ operands: Operands) {
        let x = operands[.input(0)], rows = AxisView(extents(of: x.shape, around: axis))
        let ones = NDArray([rows.axis], repeating: 1)
        // MXNet overwrites a fixed gamma with 1, in inference too.
        if fixGamma { operands.write(.input(1), ones) }
        let gamma = fixGamma ? ones : operands[.input(1)], beta = operands[.input(2)]
        let moving = (mean: operands[.input(3)], variance: operands[.input(4)])
        let (mean, variance) = operands.isTraining && !useGlobalStats ? statistics(x, rows) : moving
        var y = x
        forEach(rows) { i, c in
            y[i] = (x[i] - mean[c]) / (variance[c] + Double(eps)).squareRoot() * gamma[c] + beta[c]
        }
        operands.write(.output(0), y)
        operands.write(.saved(0), mean)
        operands.write(.saved(1), variance)
        if outputMeanVar {
            operands.write(.output(1), mean)
            operands.write(.output(2), variance.map { 1 / ($0 + Double(eps)).squareRoot() })
        }
    }

    func backward(_ operands: Operands, part: Int) {
        let x = operands[.input(0)], dy = operands[.outputGradient(0)],
            rows = AxisView(extents(of: x.shape, around: axis))
        let gamma = fixGamma ? NDArray([rows.axis], repeating: 1) : operands[.input(1)]
        let (mean, variance) =
            useGlobalStats ? (operands[.input(3)], operands[.input(4)]) : statistics(x, rows)
        let deviation = variance.map { ($0 + Double(eps)).squareRoot() }
        func normal(_ i: Int, _ c: Int) -> Double { (x[i] - mean[c]) / deviation[c] }
        var dBeta = NDArray([rows.axis]), dGamma = dBeta, dx = x
        forEach(rows) { i, c in
            dBeta[c] += dy[i]
            dGamma[c] += dy[i] * normal(i, c)
        }
        let count = Double(rows.outer * rows.inner)
        forEach(rows) { i, c in
            let centred = useGlobalStats ? dy[i] : dy[i] - dBeta[c] / count - normal(i, c) * dGamma[c] / count
            dx[i] = gamma[c] / deviation[c] * centred
        }
        operands.write(.gradient(0), dx)
        operands.write(.gradient(1), fixGamma ? NDArray([rows.axis]) : dGamma)
        operands.write(.gradient(2), dBeta)
        // Once per step, here and not in the forward pass, as in MXNet.
        guard !useGlobalStats else { return }
        for (input, batch) in [(3, mean), (4, variance)] {
            operands.write(
                .input(input),
                NDArray.map(operands[.input(input)], batch) { $0 * Double(momentum) + $1 * Double(1 - momentum) })
        }
    }

    /// Mean and biased variance of each channel.
    private func statistics(_ x: NDArray, _ rows: AxisView) -> (mean: NDArray, variance: NDArray) {
        let count = Double(rows.outer * rows.inner)
        var mean = NDArray([rows.axis]), variance = mean
        forEach(rows) { i, c in mean[c] += x[i] / count }
        forEach(rows) { i, c in variance[c] += (x[i] - mean[c]) * (x[i] - mean[c]) / count }
        return (mean, variance)
    }

    private func forEach(_ rows: AxisView, _ body: (_ element: Int, _ channel: Int) -> Void) {
        for o in 0..<rows.outer {
            for c in 0..<rows.axis { for i in 0..<rows.inner { body(rows.offset(o, c, i), c) } }
        }
    }
}

extension InstanceNorm: ReferenceOperator {
    private func rows(_ data: Shape) -> NormalizedRows {
        let positions = data.dims.dropFirst(2).reduce(1, *), channels = data[1]
        return NormalizedRows(view: AxisView((data[0] * channels, positions, 1)), eps: Double(eps)) { row, _ in
            row % channels
        }
    }

    func forward(_ operands: Operands) throws { rows(try operands.inputShape(0)).forward(operands) }
    func backward(_ operands: Operands, part: Int) throws { rows(try operands.inputShape(0)).backward(operands) }
}

extension LayerNorm: ReferenceOperator {
    private func rows(_ data: Shape) -> NormalizedRows {
        NormalizedRows(view: AxisView(extents(of: data, around: axis)), eps: Double(eps)) { _, place in place }
    }

    func forward(_ operands: Operands) throws { rows(try operands.inputShape(0)).forward(operands) }
    func backward(_ operands: Operands, part: Int) throws { rows(try operands.inputShape(0)).backward(operands) }
}

extension GroupNorm: ReferenceOperator {
    private func rows(_ data: Shape) -> NormalizedRows {
        let extent = data.dims.dropFirst().reduce(1, *) / groups, groups = groups
        return NormalizedRows(view: AxisView((data[0] * groups, extent, 1)), eps: Double(eps)) { row, _ in row % groups
        }
    }

    func forward(_ operands: Operands) throws { rows(try operands.inputShape(0)).forward(operands) }
    func backward(_ operands: Operands, part: Int) throws { rows(try operands.inputShape(0)).backward(operands) }
}

/// (x - mean) / sqrt(variance + eps) · gamma + beta along rows.
private struct NormalizedRows {
    let view: AxisView
    let eps: Double
    /// The parameters' index for a row and a position in it.
    let parameter: (Int, Int) -> Int

    private func statistics(_ x: NDArray, _ row: [Int]) -> (mean: Double, deviation: Double) {
        let mean = row.reduce(0) { $0 + x[$1] } / Double(row.count)
        let variance = row.reduce(0) { $0 + (x[$1] - mean) * (x[$1] - mean) } / Double(row.count)
        return (mean, (variance + eps).squareRoot())
    }

    func forward(_ operands: Operands) {
        let x = operands[.input(0)], gamma = operands[.input(1)], beta = operands[.input(2)]
        var y = x, means = NDArray([view.outer * view.inner]), deviations = means
        view.forEachRow { number, row in
            (means[number], deviations[number]) = statistics(x, row)
            for (place, i) in row.enumerated() {
                let p = parameter(number, place)
                y[i] = (x[i] - means[number]) / deviations[number] * gamma[p] + beta[p]
            }
        }
        operands.write(.output(0), y)
        operands.write(.output(1), means)
        operands.write(.output(2), deviations)
    }

    func backward(_ operands: Operands) {
        let x = operands[.input(0)], gamma = operands[.input(1)], dy = operands[.outputGradient(0)]
        var dx = x, dGamma = NDArray(gamma.shape), dBeta = dGamma
        view.forEachRow { number, row in
            let (mean, deviation) = statistics(x, row)
            let normal = row.map { (x[$0] - mean) / deviation }
            let scaled = row.enumerated().map { dy[$1] * gamma[parameter(number, $0)] }
            let sum = scaled.reduce(0, +) / Double(row.count)
            let product = zip(scaled, normal).reduce(0) { $0 + $1.0 * $1.1 } / Double(row.count)
            for (place, i) in row.enumerated() {
                let p = parameter(number, place)
                dGamma[p] += dy[i] * normal[place]
                dBeta[p] += dy[i]
                dx[i] = (scaled[place] - sum - normal[place] * product) / deviation
            }
        }
        operands.write(.gradient(0), dx)
        operands.write(.gradient(1), dGamma)
        operands.write(.gradient(2), dBeta)
    }
}

extension L2Normalization: ReferenceOperator {
    func forward(_ operands: Operands) {
        let x = operands[.input(0)]
        let view = AxisView(axes(x.shape))
        var y = x, norms = NDArray([view.outer, view.inner])
        view.forEachRow { number, row in
            norms[number] = (row.reduce(Double(eps)) { $0 + x[$1] * x[$1] }).squareRoot()
            for i in row { y[i] = x[i] / norms[number] }
        }
        operands.write(.output(0), y)
        operands.write(.saved(0), norms)
    }

    func backward(_ operands: Operands, part: Int) {
        let y = operands[.output(0)], norms = operands[.saved(0)], dy = operands[.outputGradient(0)]
        var dx = dy
        AxisView(axes(y.shape)).forEachRow { number, row in
            let product = row.reduce(0) { $0 + y[$1] * dy[$1] }
            for i in row { dx[i] = (dy[i] - y[i] * product) / norms[number] }
        }
        operands.write(.gradient(0), dx)
    }
}

extension LRN: ReferenceOperator {
    func forward(_ operands: Operands) {
        let x = operands[.input(0)], norms = norms(x)
        operands.write(.output(0), NDArray.map(x, norms) { $0 * pow($1, -Double(beta)) })
        operands.write(.saved(0), norms)
    }

    /// dx_i = dy_i n_i^-beta - 2 alpha beta / nsize x_i Σ dy_j y_j / n_j over the channels j with sums that include
    /// x_i.
    func backward(_ operands: Operands, part: Int) {
        let x = operands[.input(0)], dy = operands[.outputGradient(0)], norms = norms(x)
        let shares = NDArray(
            x.shape, x.elements.indices.map { dy[$0] * x[$0] * pow(norms[$0], -Double(beta) - 1) })
        let sums = neighbours(shares), factor = 2 * Double(alpha) * Double(beta) / Double(nsize)
        operands.write(
            .gradient(0),
            NDArray(
                x.shape,
                x.elements.indices.map { dy[$0] * pow(norms[$0], -Double(beta)) - factor * x[$0] * sums[$0] }))
    }

    private func norms(_ x: NDArray) -> NDArray {
        neighbours(x.map { $0 * $0 }).map { Double(knorm) + Double(alpha) / Double(nsize) * $0 }
    }

    /// Sums over `nsize` channels around each.
    private func neighbours(_ x: NDArray) -> NDArray {
        let channels = x.shape[1], positions = x.shape.dims.dropFirst(2).reduce(1, *)
        var sums = NDArray(x.shape)
        for i in 0..<x.count {
            let channel = i / positions % channels
            for other in max(0, channel - nsize / 2)...min(channels - 1, channel + nsize / 2) {
                sums[i] += x[i + (other - channel) * positions]
            }
        }
        return sums
    }
}
