import AnnealCore
import AnnealGraph

extension RegressionOutput: XLAOperator {
    func forward(_ operands: Operands) {
        operands.map(.input(0), to: .output(0)) { member == .logistic ? $0.logistic() : $0 }
    }

    func backward(_ operands: Operands, part: Int) throws {
        let y = operands.stored(.output(0)), shape = try operands.shape(.output(0))
        // Labels of shape (batch,) match data of shape (batch, 1).
        let labels =
            try operands.shape(.input(1)) == shape
            ? operands.stored(.input(1)) : Order.channelsLast(operands[.input(1)].reshaped(shape.dims))
        let difference = y - labels, scale = Double(gradScale) / Double(max(shape.count / shape[0], 1))
        guard member == .absolute else { return operands.writeStored(.gradient(0), difference * scale) }
        // MXNet treats a difference of zero as negative.
        operands.writeStored(
            .gradient(0), difference.compare(.greater, 0).select(y.like(scale), -scale))
    }
}

extension SVMOutput: XLAOperator {
    func forward(_ operands: Operands) { operands.map(.input(0), to: .output(0)) { $0 } }

    func backward(_ operands: Operands, part: Int) {
        let y = operands[.output(0)], classes = y.rank - 1
        let labels = operands[.input(1)].truncated().spread(over: [classes], of: y.dims)
        let isLabel = y.function.iota(y.dims, axis: classes, .f32).compare(.equal, labels)
        let sign = isLabel.select(y.like(-1), 1), loss = sign * y + Double(margin)
        let slope = useLinear ? sign : sign * loss * 2
        operands.write(.gradient(0), loss.compare(.greater, 0).select(slope * Double(regularization), 0))
    }
}

extension MakeLoss: XLAOperator {
    func forward(_ operands: Operands) { operands.map(.input(0), to: .output(0)) { $0 } }

    func backward(_ operands: Operands, part: Int) throws {
        let shape = try operands.shape(.gradient(0)), scale = operands.function.constant(Double(gradScale))
        let share: HLOValue
        switch normalization {
        case .null: share = scale
        case .batch: share = scale / Double(shape.dims.dropLast().reduce(1, *))
        case .valid:
            let valid = operands.stored(.input(0)).compare(.greater, Double(validThreshold))
            share = scale / valid.numbers().sum().maximum(1)
        }
        operands.write(.gradient(0), share.broadcast(to: shape.dims))
    }
}

extension SimpleMakeLoss: XLAOperator {
    func forward(_ operands: Operands) { operands.map(.input(0), to: .output(0)) { $0 } }

    func backward(_ operands: Operands, part: Int) throws {
        operands.write(.gradient(0), operands.function.constant(1, try operands.shape(.gradient(0)).dims))
    }
}
