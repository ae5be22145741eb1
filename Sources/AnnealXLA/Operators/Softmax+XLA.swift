import AnnealCore
import AnnealGraph

extension HLOValue {
    /// Softmax along axes, and its logarithm.
    /// - Parameter mask: flags of the elements that count; all if nil.
    fileprivate func softmax(_ axes: [Int], mask: HLOValue? = nil) -> (value: HLOValue, log: HLOValue) {
        let masked = mask.map { $0.select(self, -.infinity) } ?? self
        let shifted = self - masked.reduced(.largest, axes).spread(over: axes, of: dims)
        let powers = mask.map { $0.select(shifted.exponential(), 0) } ?? shifted.exponential()
        let sum = powers.sum(axes)
        return (
            powers / sum.spread(over: axes, of: dims), shifted - sum.logarithm().spread(over: axes, of: dims)
        )
    }

    /// The gradient of softmax, whose value this is: y (dy - Σ y dy).
    fileprivate func softmaxGradient(_ dy: HLOValue, _ axes: [Int]) -> HLOValue {
        self * (dy - (self * dy).sum(axes).spread(over: axes, of: dims))
    }
}

extension Softmax: XLAOperator {
    private var factor: Double { (member == .softmin ? -1 : 1) / Double(temperature) }

    /// With sequence lengths, which lack the axis, data is in plain order.
    private func read(_ operands: Operands, _ role: Operands.Role) -> HLOValue {
        useLength ? operands[role] : operands.stored(role)
    }

    private func write(_ operands: Operands, _ role: Operands.Role, _ value: HLOValue) {
        if useLength { operands.write(role, value) } else { operands.writeStored(role, value) }
    }

    private func axis(_ x: HLOValue) throws -> Int {
        let index = axis < 0 ? axis + x.rank : axis
        return useLength ? index : Order.place(of: index, rank: x.rank)
    }

    /// Flags of the elements that count.
    private func mask(_ operands: Operands, _ x: HLOValue, _ axis: Int) -> HLOValue? {
        guard useLength else { return nil }
        let others = x.dims.indices.filter { $0 != axis }
        let lengths = operands[.input(1)].reshaped(others.map { x.dims[$0] }).floor().broadcast(
            to: x.dims, along: others)
        return x.function.iota(x.dims, axis: axis, .f32).compare(.less, lengths)
    }

    func forward(_ operands: Operands) throws {
        let x = read(operands, .input(0)), axis = try axis(x), mask = mask(operands, x, axis)
        let result = (x * factor).softmax([axis], mask: mask)
        let y = member == .logSoftmax ? result.log : result.value
        write(operands, .output(0), mask.map { $0.select(y, 0) } ?? y)
    }

    func backward(_ operands: Operands, part: Int) throws {
        let y = read(operands, .output(0)), head = read(operands, .outputGradient(0)), axis = try axis(y)
        let mask = mask(operands, y, axis), dy = mask.map { $0.select(head, 0) } ?? head
        var dx =
            member == .logSoftmax
            ? dy - y.exponential() * dy.reducedAndRepeated(.sum, axis: axis) : y.softmaxGradient(dy, [axis])
        dx = dx * factor
        write(operands, .gradient(0), mask.map { $0.select(dx, 0) } ?? dx)
    }
}

extension SoftmaxActivation: XLAOperator {
    private func axis(_ x: HLOValue, channels: Bool) -> Int {
        Order.place(of: channels ? 1 : x.rank - 1, rank: x.rank)
    }

    func forward(_ operands: Operands) {
        operands.map(.input(0), to: .output(0)) { x in x.softmax([axis(x, channels: mode == .channel)]).value }
    }

    func backward(_ operands: Operands, part: Int) {
        operands.map(.output(0), .outputGradient(0), to: .gradient(0)) { y, dy in
            // MXNet's gradient runs along the channels in both modes.
            let channels = operands.reproducesMXNetDefects && y.rank > 1
            return y.softmaxGradient(dy, [axis(y, channels: channels || mode == .channel)])
        }
    }
}

extension SoftmaxCrossEntropy: XLAOperator {
    /// Flags of the labels' elements.
    private func labelled(_ operands: Operands, _ x: HLOValue) -> HLOValue {
        let labels = operands.stored(.input(1)).maximum(0).minimum(Double(x.dims[1] - 1)).converted(to: .i32)
        return x.function.iota(x.dims, axis: 1).compare(.equal, labels.broadcast(to: x.dims, axis: 0))
    }

    func forward(_ operands: Operands) {
        let x = operands.stored(.input(0)), p = x.softmax([1]).value
        let chosen = labelled(operands, x).select(p, 0).sum([1])
        operands.writeStored(.output(0), -chosen.maximum(1e-8).logarithm().sum().reshaped([1]))
    }

    func backward(_ operands: Operands, part: Int) {
        let x = operands.stored(.input(0)), p = x.softmax([1]).value
        let scale = operands.stored(.outputGradient(0)).reshaped([])
        operands.writeStored(.gradient(0), (p - labelled(operands, x).numbers()) * scale)
    }
}

extension SoftmaxOutput: XLAOperator {
    /// An array transposed so that the classes are the last axis.
    private func classesLast(_ operands: Operands, _ role: Operands.Role) -> HLOValue {
        if multiOutput { return operands.stored(role) }
        let plain = operands[role]
        return preserveShape ? plain : plain.reshaped([plain.dims[0], plain.elementCount / plain.dims[0]])
    }

    private func write(_ operands: Operands, _ role: Operands.Role, _ value: HLOValue) throws {
        guard operands.has(role) else { return }
        if multiOutput { return operands.writeStored(role, value) }
        operands.write(role, value.reshaped(try operands.shape(role).dims))
    }

    func forward(_ operands: Operands) throws {
        let x = classesLast(operands, .input(0))
        try write(operands, .output(0), x.softmax([x.rank - 1]).value)
    }

    func backward(_ operands: Operands, part: Int) throws {
        let p = classesLast(operands, .output(0))
        let isProbabilities = try operands.shape(.input(1)) == operands.shape(.output(0))
        let dx =
            isProbabilities
            ? gradient(p, probabilities: classesLast(operands, .input(1))) : gradient(p, labels: operands[.input(1)])
        try write(operands, .gradient(0), outGrad ? dx * p : dx)
    }

    private func gradient(_ p: HLOValue, probabilities labels: HLOValue) -> HLOValue {
        let classes = p.rank - 1, scale = Double(gradScale)
        guard labelSum else { return (p - labels) * scale }
        let rows = Double(p.elementCount / p.dims[classes])
        let difference = p * labels.reducedAndRepeated(.sum, axis: classes) - labels
        return difference * (normalization == .null ? scale : scale / rows)
    }

    private func gradient(_ p: HLOValue, labels: HLOValue) -> HLOValue {
        let axis = p.rank - 1, classes = p.dims[axis], rows = p.elementCount / classes
        // Labels that are NaN or too large for an index are class -1.
        let labels = labels.reshaped(Array(p.dims.dropLast()))
        let whole = labels.absolute().compare(.less, 2e9).select(labels, -1).converted(to: .i32)
        let ignored = whole.like(abs(ignoreLabel) < 2e9 ? Double(ignoreLabel).rounded(.towardZero) : -1)
        // MXNet smooths labels only in the plain form.
        let smooth = multiOutput ? 0 : Double(smoothAlpha)
        let spread = whole.spread(over: [axis], of: p.dims)
        let isLabel = p.function.iota(p.dims, axis: axis).compare(.equal, spread)
        let target = isLabel.select(p.like(1 - smooth), classes > 1 ? smooth / Double(classes - 1) : 0)
        var dx = (p - target) * Double(gradScale)
        switch normalization {
        case .null: if multiOutput { dx = dx / Double(rows / p.dims[0]) }
        case .batch: dx = dx / Double(rows)
        case .valid: dx = dx / whole.compare(.unequal, ignored).numbers().sum().maximum(1)
        }
        guard useIgnore else { return dx }
        let isIgnored = whole.compare(.equal, ignored).spread(over: [axis], of: p.dims)
        return isIgnored.select(dx.like(0), dx)
    }
}
