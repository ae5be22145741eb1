import AnnealCore
import AnnealGraph

// Views, concatenation and splitting.

/// The data's elements under another shape.
private protocol SameElements: XLAOperator {}

extension SameElements {
    func forward(_ operands: Operands) throws { try move(operands, .input(0), to: .output(0)) }
    func backward(_ operands: Operands, part: Int) throws { try move(operands, .outputGradient(0), to: .gradient(0)) }

    private func move(_ operands: Operands, _ source: Operands.Role, to target: Operands.Role) throws {
        let shape = try operands.shape(target)
        guard try operands.shape(source) != shape else { return operands.map(source, to: target) { $0 } }
        operands.write(target, operands[source].reshaped(shape.dims))
    }
}

extension BlockGrad: SameElements {}
extension ExpandDims: SameElements {}
extension Flatten: SameElements {}
extension Reshape: SameElements {}
extension ReshapeLike: SameElements {}
extension Squeeze: SameElements {}

extension HLOValue {
    /// Consecutive parts of an axis with the given extents.
    fileprivate func parts(_ extents: [Int], axis: Int) -> [HLOValue] {
        var first = 0
        return extents.map { extent in
            defer { first += extent }
            return sliced(axis: axis, from: first, to: first + extent)
        }
    }
}

extension Concat: XLAOperator {
    private func index(_ shape: Shape) -> Int { dim < 0 ? dim + shape.rank : dim }

    func forward(_ operands: Operands) throws {
        let shape = try operands.inputShape(0), place = Order.place(of: index(shape), rank: shape.rank)
        let parts = (0..<numArgs).map { operands.stored(.input($0)) }
        operands.writeStored(.output(0), HLOValue.concatenated(parts, axis: place))
    }

    func backward(_ operands: Operands, part: Int) throws {
        let extents = try (0..<numArgs).map { input in
            let shape = try operands.inputShape(input)
            return shape[index(shape)]
        }
        let shape = try operands.shape(.outputGradient(0)), place = Order.place(of: index(shape), rank: shape.rank)
        for (input, part) in operands.stored(.outputGradient(0)).parts(extents, axis: place).enumerated() {
            operands.writeStored(.gradient(input), part)
        }
    }
}

extension Stack: XLAOperator {
    private func index(_ whole: Shape) -> Int { axis < 0 ? axis + whole.rank : axis }

    func forward(_ operands: Operands) throws {
        let shape = try operands.shape(.output(0)), index = index(shape)
        var single = shape.dims
        single[index] = 1
        let parts = (0..<numArgs).map { operands[.input($0)].reshaped(single) }
        operands.write(.output(0), HLOValue.concatenated(parts, axis: index))
    }

    func backward(_ operands: Operands, part: Int) throws {
        let dy = operands[.outputGradient(0)], index = index(try operands.shape(.outputGradient(0)))
        for input in 0..<numArgs where operands.has(.gradient(input)) {
            let part = dy.sliced(axis: index, from: input, to: input + 1)
            operands.write(.gradient(input), part.reshaped(try operands.inputShape(input).dims))
        }
    }
}

extension SliceChannel: XLAOperator {
    private func index(_ whole: Shape) -> Int { axis < 0 ? axis + whole.rank : axis }

    func forward(_ operands: Operands) throws {
        let shape = try operands.inputShape(0), index = index(shape)
        let extents = Array(repeating: shape[index] / numOutputs, count: numOutputs)
        if squeezeAxis {
            for (output, part) in operands[.input(0)].parts(extents, axis: index).enumerated() {
                guard operands.has(.output(output)) else { continue }
                operands.write(.output(output), part.reshaped(try operands.shape(.output(output)).dims))
            }
        } else {
            let place = Order.place(of: index, rank: shape.rank)
            for (output, part) in operands.stored(.input(0)).parts(extents, axis: place).enumerated() {
                operands.writeStored(.output(output), part)
            }
        }
    }

    func backward(_ operands: Operands, part: Int) throws {
        let shape = try operands.inputShape(0), index = index(shape)
        var single = shape.dims
        single[index] /= numOutputs
        // Outputs that nothing reads have no gradient.
        let heads = (0..<numOutputs).map { output in
            operands.optional(.outputGradient(output))?.reshaped(single) ?? operands.function.constant(0, single)
        }
        operands.write(.gradient(0), HLOValue.concatenated(heads, axis: index))
    }
}
