import AnnealCore
import AnnealGraph

extension IndexMode {
    /// A number as an index, 0 ..< count.
    fileprivate func index(_ value: Double, _ count: Int) -> Int {
        guard self == .wrap, abs(value) < 1e9 else {
            return value >= Double(count - 1) ? count - 1 : value > 0 ? Int(value) : 0
        }
        let rest = Int(value) % count
        return rest < 0 ? rest + count : rest
    }
}

/// Calls body(element of the result, element of the table) for slices of a table (outer, extent, inner).
private func gather(_ view: AxisView, _ indices: NDArray, _ mode: IndexMode, _ body: (Int, Int) -> Void) {
    for o in 0..<view.outer {
        for k in 0..<indices.count {
            let row = mode.index(indices[k], view.axis)
            for i in 0..<view.inner { body((o * indices.count + k) * view.inner + i, view.offset(o, row, i)) }
        }
    }
}

extension Take: ReferenceOperator {
    func forward(_ operands: Operands) throws {
        let a = operands[.input(0)]
        var y = NDArray(try operands.shape(.output(0)))
        gather(AxisView(extents(of: a.shape, around: axis)), operands[.input(1)], mode) { y[$0] = a[$1] }
        operands.write(.output(0), y)
    }

    func backward(_ operands: Operands, part: Int) throws {
        let dy = operands[.outputGradient(0)]
        var da = NDArray(try operands.shape(.gradient(0)))
        gather(AxisView(extents(of: da.shape, around: axis)), operands[.input(1)], mode) { da[$1] += dy[$0] }
        operands.write(.gradient(0), da)
    }
}

extension Embedding: ReferenceOperator {
    private var view: AxisView { AxisView((1, inputDim, outputDim)) }

    func forward(_ operands: Operands) throws {
        let weight = operands[.input(1)]
        var y = NDArray(try operands.shape(.output(0)))
        gather(view, operands[.input(0)], .clip) { y[$0] = weight[$1] }
        operands.write(.output(0), y)
    }

    func backward(_ operands: Operands, part: Int) {
        let dy = operands[.outputGradient(0)]
        var weight = NDArray([inputDim, outputDim])
        gather(view, operands[.input(0)], .clip) { weight[$1] += dy[$0] }
        operands.write(.gradient(1), weight)
    }
}

extension OneHot: ReferenceOperator {
    func forward(_ operands: Operands) throws {
        let indices = operands[.input(0)]
        var y = NDArray(try operands.shape(.output(0)), repeating: Double(offValue))
        for i in 0..<indices.count where indices[i] > -1 && indices[i] < Double(depth) {
            y[i * depth + Int(indices[i])] = Double(onValue)
        }
        operands.write(.output(0), y)
    }

    func backward(_ operands: Operands, part: Int) {}
}

extension Pick: ReferenceOperator {
    /// The element of each row that its index selects.
    private func places(_ data: Shape, _ indices: NDArray) -> [Int] {
        let view = AxisView(axes(data))
        var places: [Int] = []
        view.forEachRow { number, row in places.append(row[mode.index(indices[number], view.axis)]) }
        return places
    }

    func forward(_ operands: Operands) throws {
        let x = operands[.input(0)]
        operands.write(
            .output(0),
            NDArray(try operands.shape(.output(0)), places(x.shape, operands[.input(1)]).map { x[$0] }))
    }

    func backward(_ operands: Operands, part: Int) throws {
        let dy = operands[.outputGradient(0)]
        var dx = NDArray(try operands.shape(.gradient(0)))
        for (i, place) in places(dx.shape, operands[.input(1)]).enumerated() { dx[place] += dy[i] }
        operands.write(.gradient(0), dx)
    }
}

extension Where: ReferenceOperator {
    func forward(_ operands: Operands) {
        let condition = operands[.input(0)], x = operands[.input(1)], y = operands[.input(2)]
        let run = x.count / condition.count
        operands.write(.output(0), NDArray(x.shape, (0..<x.count).map { condition[$0 / run] != 0 ? x[$0] : y[$0] }))
    }

    func backward(_ operands: Operands, part: Int) {
        let condition = operands[.input(0)], dy = operands[.outputGradient(0)], run = dy.count / condition.count
        operands.write(
            .gradient(part + 1),
            NDArray(dy.shape, (0..<dy.count).map { (condition[$0 / run] != 0) == (part == 0) ? dy[$0] : 0 }))
    }
}
