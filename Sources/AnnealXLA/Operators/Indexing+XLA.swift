import AnnealCore
import AnnealGraph

extension HLOValue {
    /// Numbers converted to indices, 0 ..< count (i32).
    fileprivate func indices(_ mode: IndexMode, _ count: Int) -> HLOValue {
        // NaN is 0.
        let inside = compare(.greater, 0).select(minimum(Double(count - 1)), 0).converted(to: .i32)
        let clipped = inside.minimum(Double(count - 1))
        guard mode == .wrap else { return clipped }
        let isSmall = absolute().compare(.less, 1e9), whole = isSmall.select(self, 0).converted(to: .i32)
        let rest = whole.remainder(whole.like(Double(count)))
        return isSmall.select(rest.compare(.less, 0).select(rest + rest.like(Double(count)), rest), clipped)
    }

    /// Zeros (count, …), with each row of this (indices…, …) added at its index: the adjoint of `rows`.
    func scatteredRows(_ indices: HLOValue, count: Int) -> HLOValue {
        let row = Array(dims[indices.rank...]), width = row.reduce(1, *), scalar = Self.text([], type)
        let updates = reshaped([indices.elementCount, width]), list = indices.reshaped([indices.elementCount, 1])
        let zeros = function.constant(0, [count, width], type)
        return function.emit(
            zeros.dims, type,
            "\"stablehlo.scatter\"(\(zeros.name), \(list.name), \(updates.name)) ({\n"
                + "^bb0(%a: \(scalar), %b: \(scalar)):\n%c = stablehlo.add %a, %b : \(scalar)\n"
                + "stablehlo.return %c : \(scalar)\n"
                + "}) {scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], "
                + "inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, "
                + "indices_are_sorted = false, "
                + "unique_indices = false} : (\(zeros.text), \(list.text), \(updates.text)) -> \(zeros.text)"
        ).reshaped([count] + row)
    }
}

extension Take: XLAOperator {
    func forward(_ operands: Operands) throws {
        let a = operands[.input(0)], index = axis < 0 ? axis + a.rank : axis
        let indices = operands[.input(1)].indices(mode, a.dims[index])
        // (indices, before the axis, after it) to (before, indices, after).
        let rows = a.transposed([index] + a.dims.indices.filter { $0 != index }).rows(indices)
        let before = Array(indices.rank..<(indices.rank + index)), after = Array((indices.rank + index)..<rows.rank)
        operands.write(.output(0), rows.transposed(before + Array(0..<indices.rank) + after))
    }

    func backward(_ operands: Operands, part: Int) throws {
        let data = try operands.shape(.gradient(0)), index = axis < 0 ? axis + data.rank : axis
        let indices = operands[.input(1)].indices(mode, data[index]), dy = operands[.outputGradient(0)]
        let along = Array(index..<(index + indices.rank)), after = Array((index + indices.rank)..<dy.rank)
        let sums = dy.transposed(along + Array(0..<index) + after).scatteredRows(indices, count: data[index])
        let back = Array(1..<(index + 1)) + [0] + Array((index + 1)..<data.rank)
        operands.write(.gradient(0), sums.transposed(back))
    }
}

extension Embedding: XLAOperator {
    func forward(_ operands: Operands) {
        let indices = operands[.input(0)].indices(.clip, inputDim)
        operands.write(.output(0), operands.stored(.input(1)).rows(indices))
    }

    func backward(_ operands: Operands, part: Int) {
        let indices = operands[.input(0)].indices(.clip, inputDim)
        operands.writeStored(.gradient(1), operands[.outputGradient(0)].scatteredRows(indices, count: inputDim))
    }
}

extension OneHot: XLAOperator {
    func forward(_ operands: Operands) throws {
        let indices = operands[.input(0)], dims = indices.dims + [depth]
        let isInside = indices.compare(.greater, -1) & indices.compare(.less, Double(depth))
        let places = isInside.select(indices, -1).converted(to: .i32).spread(over: [indices.rank], of: dims)
        let isOn = operands.function.iota(dims, axis: indices.rank).compare(.equal, places)
        operands.write(.output(0), isOn.select(operands.function.constant(Double(onValue), dims), Double(offValue)))
    }

    func backward(_ operands: Operands, part: Int) {}
}

extension Pick: XLAOperator {
    /// The data's extents for picking, the axis that is picked along, and flags of the elements that the indices name.
    private func picked(_ operands: Operands, _ data: Shape) -> (dims: [Int], axis: Int, flags: HLOValue) {
        let dims = axis == nil ? [data.count] : data.dims, index = axis.map { $0 < 0 ? $0 + data.rank : $0 } ?? 0
        var rest = dims
        rest.remove(at: index)
        let indices = operands[.input(1)].indices(mode, dims[index]).reshaped(rest).spread(over: [index], of: dims)
        return (dims, index, operands.function.iota(dims, axis: index).compare(.equal, indices))
    }

    func forward(_ operands: Operands) throws {
        let (dims, axis, flags) = picked(operands, try operands.inputShape(0))
        let y = flags.select(operands[.input(0)].reshaped(dims), 0).sum([axis])
        operands.write(.output(0), y.reshaped(try operands.shape(.output(0)).dims))
    }

    func backward(_ operands: Operands, part: Int) throws {
        let data = try operands.shape(.gradient(0)), (dims, axis, flags) = picked(operands, data)
        var rest = dims
        rest.remove(at: axis)
        let dy = operands[.outputGradient(0)].reshaped(rest).spread(over: [axis], of: dims)
        operands.write(.gradient(0), flags.select(dy, 0).reshaped(data.dims))
    }
}

extension Where: XLAOperator {
    /// Flags over an array with channels last.
    private func flags(_ operands: Operands, _ dims: [Int]) -> HLOValue {
        let condition = operands.stored(.input(0)).isNotZero()
        return condition.dims == dims ? condition : condition.broadcast(to: dims, axis: 0)
    }

    func forward(_ operands: Operands) {
        operands.map(.input(1), .input(2), to: .output(0)) { x, y in flags(operands, x.dims).select(x, y) }
    }

    func backward(_ operands: Operands, part: Int) {
        operands.map(.outputGradient(0), to: .gradient(part + 1)) { dy in
            let flags = flags(operands, dy.dims)
            return (part == 0 ? flags : !flags).select(dy, 0)
        }
    }
}
