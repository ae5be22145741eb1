import Anneal
import Foundation

/// What the engine asks of an operator.
protocol ListOperator: Operator {
    func forward(_ operands: Operands)
    /// Gives the gradients that a part of the backward pass has (`Operator.backward`), of which some may not be wanted.
    func backward(_ operands: Operands, part: Int)
}

extension FullyConnected: ListOperator {
    func forward(_ operands: Operands) {
        let x = operands[.input(0)], w = operands[.input(1)], y = operands[.output(0)], b = operands.optional(.input(2))
        let width = w.shape[1]
        for i in y.indices {
            let row = i / numHidden * width, unit = i % numHidden
            y[i] = (0..<width).reduce(b?[unit] ?? 0) { $0 + x[row + $1] * w[unit * width + $1] }
        }
    }

    func backward(_ operands: Operands, part: Int) {
        let dy = operands[.outputGradient(0)]
        if part == 1 {
            let w = operands[.input(1)], dx = operands[.gradient(0)], width = w.shape[1]
            for i in dx.indices {
                dx[i] = (0..<numHidden).reduce(0) { $0 + dy[i / width * numHidden + $1] * w[$1 * width + i % width] }
            }
            return
        }
        let x = operands[.input(0)], rows = dy.memory.count / numHidden, width = x.memory.count / rows
        if let dw = operands.optional(.gradient(1)) {
            for i in dw.indices {
                dw[i] = (0..<rows).reduce(0) { $0 + dy[$1 * numHidden + i / width] * x[$1 * width + i % width] }
            }
        }
        if let db = operands.optional(.gradient(2)) {
            for unit in db.indices { db[unit] = (0..<rows).reduce(0) { $0 + dy[$1 * numHidden + unit] } }
        }
    }
}

extension Activation: ListOperator {
    func forward(_ operands: Operands) {
        let x = operands[.input(0)], y = operands[.output(0)]
        for i in y.indices {
            y[i] =
                switch kind {
                case .relu: max(x[i], 0)
                case .sigmoid: 1 / (1 + exp(-x[i]))
                case .tanh: tanh(x[i])
                case .softrelu: log1p(exp(x[i]))
                case .softsign: x[i] / (1 + abs(x[i]))
                }
        }
    }

    /// The slope as a function of the output.
    func backward(_ operands: Operands, part: Int) {
        let y = operands[.output(0)], dy = operands[.outputGradient(0)], dx = operands[.gradient(0)]
        for i in dx.indices {
            let slope: Float =
                switch kind {
                case .relu: y[i] > 0 ? 1 : 0
                case .sigmoid: y[i] * (1 - y[i])
                case .tanh: 1 - y[i] * y[i]
                case .softrelu: 1 - exp(-y[i])
                case .softsign: (1 - abs(y[i])) * (1 - abs(y[i]))
                }
            dx[i] = dy[i] * slope
        }
    }
}

/// For labels that are class numbers; what else MXNet's operator can is left out.
extension SoftmaxOutput: ListOperator {
    func forward(_ operands: Operands) {
        let x = operands[.input(0)], y = operands[.output(0)], classes = axes(x.shape).classes
        for row in stride(from: 0, to: x.memory.count, by: classes) {
            let largest = (row..<row + classes).reduce(x[row]) { max($0, x[$1]) }
            let sum = (row..<row + classes).reduce(0) { $0 + exp(x[$1] - largest) }
            for i in row..<row + classes { y[i] = exp(x[i] - largest) / sum }
        }
    }

    func backward(_ operands: Operands, part: Int) {
        let y = operands[.output(0)], labels = operands[.input(1)], dx = operands[.gradient(0)]
        let classes = axes(y.shape).classes
        for i in dx.indices { dx[i] = gradScale * (y[i] - (Int(labels[i / classes]) == i % classes ? 1 : 0)) }
    }
}
