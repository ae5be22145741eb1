import AnnealCore
import AnnealGraph
import Foundation

extension Softmax: ReferenceOperator {
    private var factor: Double { (member == .softmin ? -1 : 1) / Double(temperature) }

    /// The elements of a row that count.
    private func used(_ row: [Int], _ length: Double?) -> ArraySlice<Int> {
        row.prefix(length.map { Int(min(max($0, 0), Double(row.count))) } ?? row.count)
    }

    func forward(_ operands: Operands) {
        let x = operands[.input(0)], lengths = operands.optional(.input(1))
        var y = NDArray(x.shape)
        AxisView(extents(of: x.shape, around: axis)).forEachRow { number, row in
            let used = used(row, lengths?[number])
            for (i, p) in zip(used, softmax(used.map { x[$0] * factor })) {
                y[i] = member == .logSoftmax ? p.log : p.value
            }
        }
        operands.write(.output(0), y)
    }

    func backward(_ operands: Operands, part: Int) {
        let y = operands[.output(0)], dy = operands[.outputGradient(0)], lengths = operands.optional(.input(1))
        var dx = NDArray(y.shape)
        AxisView(extents(of: y.shape, around: axis)).forEachRow { number, row in
            let used = used(row, lengths?[number])
            if member == .logSoftmax {
                let sum = used.reduce(0) { $0 + dy[$1] }
                for i in used { dx[i] = factor * (dy[i] - exp(y[i]) * sum) }
            } else {
                let sum = used.reduce(0) { $0 + y[$1] * dy[$1] }
                for i in used { dx[i] = factor * y[i] * (dy[i] - sum) }
            }
        }
        operands.write(.gradient(0), dx)
    }
}

/// Of a row, with the logarithms.
private func softmax(_ x: [Double]) -> [(value: Double, log: Double)] {
    let top = x.max() ?? 0, sum = x.reduce(0) { $0 + exp($1 - top) }
    return x.map { (exp($0 - top) / sum, $0 - top - log(sum)) }
}

extension SoftmaxActivation: ReferenceOperator {
    func forward(_ operands: Operands) {
        let x = operands[.input(0)]
        var y = x
        AxisView(axes(x.shape)).forEachRow { _, row in
            for (i, p) in zip(row, softmax(row.map { x[$0] })) { y[i] = p.value }
        }
        operands.write(.output(0), y)
    }

    func backward(_ operands: Operands, part: Int) {
        let y = operands[.output(0)], dy = operands[.outputGradient(0)]
        // MXNet's gradient runs along the channels in both modes.
        let channels = operands.reproducesMXNetDefects && y.shape.rank > 1
        var dx = y
        AxisView(channels ? extents(of: y.shape, around: 1) : axes(y.shape)).forEachRow { _, row in
            let sum = row.reduce(0) { $0 + y[$1] * dy[$1] }
            for i in row { dx[i] = y[i] * (dy[i] - sum) }
        }
        operands.write(.gradient(0), dx)
    }
}

extension SoftmaxCrossEntropy: ReferenceOperator {
    private func label(_ value: Double, _ classes: Int) -> Int { Int(min(max(value, 0), Double(classes - 1))) }

    func forward(_ operands: Operands) {
        let x = operands[.input(0)], labels = operands[.input(1)], classes = x.shape[1]
        var sum = 0.0
        AxisView((x.shape[0], classes, 1)).forEachRow { number, row in
            let p = softmax(row.map { x[$0] })[label(labels[number], classes)].value
            sum -= log(max(p, 1e-8))
        }
        operands.write(.output(0), NDArray([1], [sum]))
    }

    func backward(_ operands: Operands, part: Int) {
        let x = operands[.input(0)], labels = operands[.input(1)], scale = operands[.outputGradient(0)][0]
        var dx = x
        AxisView((x.shape[0], x.shape[1], 1)).forEachRow { number, row in
            let label = label(labels[number], row.count)
            for (k, (i, p)) in zip(row, softmax(row.map { x[$0] })).enumerated() {
                dx[i] = scale * (p.value - (k == label ? 1 : 0))
            }
        }
        operands.write(.gradient(0), dx)
    }
}

extension SoftmaxOutput: ReferenceOperator {
    func forward(_ operands: Operands) {
        let x = operands[.input(0)]
        var y = x
        AxisView(view(x.shape)).forEachRow { _, row in
            for (i, p) in zip(row, softmax(row.map { x[$0] })) { y[i] = p.value }
        }
        operands.write(.output(0), y)
    }

    private func view(_ data: Shape) -> (outer: Int, axis: Int, inner: Int) {
        let (outer, classes, inner) = axes(data)
        return (outer, classes, inner)
    }

    func backward(_ operands: Operands, part: Int) {
        let p = operands[.output(0)], labels = operands[.input(1)], view = AxisView(view(p.shape))
        let rows = view.outer * view.inner, scale = Double(gradScale)
        var dx = p
        if labels.shape == p.shape {
            view.forEachRow { _, row in
                let sum = labelSum ? row.reduce(0) { $0 + labels[$1] } : 1
                let divisor = labelSum && normalization != .null ? Double(rows) : 1
                for i in row { dx[i] = (sum * p[i] - labels[i]) * scale / divisor }
            }
        } else {
            func whole(_ label: Double) -> Int { abs(label) < 2e9 ? Int(label) : -1 }
            let ignored = whole(Double(ignoreLabel))
            let divisor =
                switch normalization {
                case .null: multiOutput ? view.inner : 1
                case .batch: multiOutput ? p.shape[0] * view.inner : rows
                case .valid: max(1, labels.elements.count { whole($0) != ignored })
                }
            // MXNet smooths labels only in its plain mode.
            let smooth = multiOutput ? 0 : Double(smoothAlpha)
            let other = view.axis > 1 ? smooth / Double(view.axis - 1) : 0
            view.forEachRow { number, row in
                let label = whole(labels[number])
                for (k, i) in row.enumerated() {
                    let target = k == label ? 1 - smooth : other
                    dx[i] = useIgnore && label == ignored ? 0 : (p[i] - target) * scale / Double(divisor)
                }
            }
        }
        if outGrad { for i in 0..<dx.count { dx[i] *= p[i] } }
        operands.write(.gradient(0), dx)
    }
}
