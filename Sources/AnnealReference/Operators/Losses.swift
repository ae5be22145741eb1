import AnnealCore
import AnnealGraph
import Foundation

extension RegressionOutput: ReferenceOperator {
    func forward(_ operands: Operands) {
        operands.map(.input(0), to: .output(0)) { member == .logistic ? 1 / (1 + exp(-$0)) : $0 }
    }

    func backward(_ operands: Operands, part: Int) {
        let y = operands[.output(0)], labels = operands[.input(1)]
        let scale = Double(gradScale) / Double(max(y.count / y.shape[0], 1))
        operands.write(
            .gradient(0),
            NDArray.map(y, labels) { y, label in
                // MXNet counts a zero difference as negative.
                scale * (member == .absolute ? (y - label > 0 ? 1 : -1) : y - label)
            })
    }
}

extension SVMOutput: ReferenceOperator {
    func forward(_ operands: Operands) { operands.map(.input(0), to: .output(0)) { $0 } }

    func backward(_ operands: Operands, part: Int) {
        let y = operands[.output(0)], labels = operands[.input(1)], classes = y.count / labels.count
        var dx = y
        for i in 0..<y.count {
            let sign: Double = labels[i / classes].rounded(.towardZero) == Double(i % classes) ? -1 : 1
            let loss = Double(margin) + sign * y[i]
            dx[i] = loss > 0 ? sign * Double(regularization) * (useLinear ? 1 : 2 * loss) : 0
        }
        operands.write(.gradient(0), dx)
    }
}

extension MakeLoss: ReferenceOperator {
    func forward(_ operands: Operands) { operands.map(.input(0), to: .output(0)) { $0 } }

    func backward(_ operands: Operands, part: Int) throws {
        let shape = try operands.shape(.gradient(0))
        let divisor =
            switch normalization {
            case .null: 1
            case .batch: shape.dims.dropLast().reduce(1, *)
            case .valid: max(1, operands[.input(0)].elements.count { $0 > Double(validThreshold) })
            }
        operands.write(.gradient(0), NDArray(shape, repeating: Double(gradScale) / Double(divisor)))
    }
}

extension SimpleMakeLoss: ReferenceOperator {
    func forward(_ operands: Operands) { operands.map(.input(0), to: .output(0)) { $0 } }

    func backward(_ operands: Operands, part: Int) throws {
        operands.write(.gradient(0), NDArray(try operands.shape(.gradient(0)), repeating: 1))
    }
}
