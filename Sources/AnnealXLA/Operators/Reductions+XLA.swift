import AnnealCore
import AnnealGraph

/// Some axes of an array, and how a result without them is stored.
private struct Reduced {
    /// The whole array's extents, with channels last, and which of them are reduced.
    let dims: [Int]
    let axes: [Int]
    /// The result's extents in plain order, with extent 1 for reduced axes that are kept.
    let result: [Int]

    /// - Parameter axes: in plain order.
    init(_ data: Shape, _ axes: [Int], result: Shape) {
        dims = Order.channelsLast(data.dims)
        self.axes = axes.map { Order.place(of: $0, rank: data.rank) }.sorted()
        self.result = result.dims
    }

    /// The plain axes that remain, in the order in which they are stored.
    private var rest: [Int] {
        let order = Order.axes(dims.count)
        return order.indices.filter { !axes.contains($0) }.map { order[$0] }
    }

    func plain(_ value: HLOValue) -> HLOValue {
        let rest = rest
        return value.transposed(rest.indices.sorted { rest[$0] < rest[$1] }).reshaped(result)
    }

    /// Broadcasts a result in plain order over the whole array.
    func spread(_ value: HLOValue) -> HLOValue {
        let rest = rest, sorted = rest.sorted()
        let extents = sorted.map { dims[Order.place(of: $0, rank: dims.count)] }
        return value.reshaped(extents).transposed(rest.map { axis in sorted.firstIndex(of: axis) ?? 0 })
            .spread(over: axes, of: dims)
    }
}

extension ReducedAxes {
    fileprivate func reduced(_ data: Shape, result: Shape) throws -> Reduced {
        let kept = try kept(data)
        return Reduced(data, kept.dims.indices.filter { kept[$0] == 1 }, result: result)
    }
}

extension Reduction: XLAOperator {
    func forward(_ operands: Operands) throws {
        let x = operands.stored(.input(0))
        let rows = try axes.reduced(operands.inputShape(0), result: operands.shape(.output(0)))
        let y: HLOValue
        switch member {
        case .sum: y = x.sum(rows.axes)
        case .mean: y = x.sum(rows.axes) / Double(rows.axes.map { rows.dims[$0] }.reduce(1, *))
        case .prod: y = x.reduced(.product, rows.axes)
        case .max: y = x.reduced(.largest, rows.axes)
        case .min: y = x.reduced(.smallest, rows.axes)
        case .nansum: y = x.isNaN().select(x.like(0), x).sum(rows.axes)
        case .nanprod: y = x.isNaN().select(x.like(1), x).reduced(.product, rows.axes)
        }
        operands.write(.output(0), rows.plain(y))
    }

    func backward(_ operands: Operands, part: Int) throws {
        let rows = try axes.reduced(operands.shape(.gradient(0)), result: operands.shape(.outputGradient(0)))
        let dy = rows.spread(operands[.outputGradient(0)])
        let x = operands.optionalStored(.input(0)) ?? dy
        let y = operands.optional(.output(0)).map { rows.spread($0) } ?? dy
        let dx: HLOValue
        switch member {
        case .sum: dx = dy
        case .mean: dx = dy / Double(rows.axes.map { rows.dims[$0] }.reduce(1, *))
        case .nansum: dx = x.isNaN().select(x.like(0), dy)
        case .prod: dx = dy * y / x
        case .nanprod: dx = x.isNaN().select(x.like(0), dy * y / x)
        case .max, .min:
            // At a tie every winner gets the whole gradient. Both sides are read from memory: recomputed in another
            // kernel, the maximum may differ in its last bit.
            let x = x.barrier(), best = x.reduced(member == .max ? .largest : .smallest, rows.axes)
            dx = x.compare(.equal, best.spread(over: rows.axes, of: x.dims)).select(dy, 0)
        }
        operands.writeStored(.gradient(0), dx)
    }
}

extension Norm: XLAOperator {
    func forward(_ operands: Operands) throws {
        let x = operands.stored(.input(0))
        let rows = try axes.reduced(operands.inputShape(0), result: operands.shape(.output(0)))
        let y = order == 1 ? x.absolute().sum(rows.axes) : (x * x).sum(rows.axes).squareRoot()
        operands.write(.output(0), rows.plain(y))
    }

    func backward(_ operands: Operands, part: Int) throws {
        let x = operands.stored(.input(0))
        let rows = try axes.reduced(operands.inputShape(0), result: operands.shape(.outputGradient(0)))
        let dy = rows.spread(operands[.outputGradient(0)])
        let slope = order == 1 ? x.signOrZero() : x / rows.spread(operands[.output(0)])
        operands.writeStored(.gradient(0), dy * slope)
    }
}

extension ArgExtremum: XLAOperator {
    func forward(_ operands: Operands) throws {
        let shape = try operands.shape(.output(0))
        guard let axis else {
            let x = operands[.input(0)]
            return operands.write(.output(0), first(x.reshaped([x.elementCount]), axis: 0).reshaped(shape.dims))
        }
        let data = try operands.inputShape(0), index = try axisIndex(axis, of: data)
        let rows = Reduced(data, [index], result: shape)
        operands.write(.output(0), rows.plain(first(operands.stored(.input(0)), axis: rows.axes[0])))
    }

    func backward(_ operands: Operands, part: Int) {}

    /// The position of the first extremum along an axis. NaN is skipped, unless it is the first element.
    private func first(_ data: HLOValue, axis: Int) -> HLOValue {
        // Read from memory: recomputed in another kernel, an element may differ in its last bit.
        let x = data.barrier()
        let least = member == .argmin, isNaN = x.isNaN()
        let numbers = isNaN.select(x.like(least ? .infinity : -.infinity), x)
        let best = numbers.reducedAndRepeated(least ? .smallest : .largest, axis: axis)
        let places = x.function.iota(x.dims, axis: axis)
        let place = x.compare(.equal, best).select(places, places.like(Double(Int32.max))).reduced(.smallest, [axis])
        let startsWithNaN = isNaN.sliced(axis: axis, from: 0, to: 1).reshaped(place.dims)
        return startsWithNaN.select(place.like(0), place).converted(to: .f32)
    }
}

extension Ordering: XLAOperator {
    /// The data with the axis to sort along: with channels last, or flattened to one row.
    private func rows(_ value: HLOValue) -> (value: HLOValue, axis: Int) {
        guard let axis else { return (value.reshaped([value.elementCount]), 0) }
        let index = axis < 0 ? axis + value.rank : axis
        return (value, Order.place(of: index, rank: value.rank))
    }

    private func read(_ operands: Operands, _ role: Operands.Role) -> HLOValue {
        axis == nil ? operands[role] : operands.stored(role)
    }

    private func write(_ operands: Operands, _ role: Operands.Role, _ value: HLOValue) throws {
        guard operands.has(role) else { return }
        if axis == nil {
            operands.write(role, value.reshaped(try operands.shape(role).dims))
        } else {
            operands.writeStored(role, value)
        }
    }

    func forward(_ operands: Operands) throws {
        let (x, axis) = rows(read(operands, .input(0))), taken = k > 0 ? k : x.dims[axis]
        let (values, places) = x.sorted(axis: axis, ascending: ascending)
        if returned == .mask {
            // Sorting the places gives each element's rank.
            let ranks = places.sorted(axis: axis, ascending: true).places
            return try write(operands, .output(0), ranks.compare(.less, Double(taken)).numbers())
        }
        let first = places.sliced(axis: axis, from: 0, to: taken).converted(to: .f32)
        let top = returned == .indices ? first : values.sliced(axis: axis, from: 0, to: taken)
        try write(operands, .output(0), top)
        try write(operands, returned == .both ? .output(1) : .saved(0), first)
    }

    func backward(_ operands: Operands, part: Int) throws {
        let (dy, axis) = rows(read(operands, .outputGradient(0)))
        let places = rows(read(operands, returned == .both ? .output(1) : .saved(0))).value.converted(to: .i32)
        let shape = try operands.shape(.gradient(0))
        let dims = self.axis == nil ? [shape.count] : Order.channelsLast(shape.dims)
        // The index of each element in the data's memory.
        var index = places.like(0), stride = 1
        for other in dims.indices.reversed() {
            let along = other == axis ? places : dy.function.iota(dy.dims, axis: other)
            index = index + along * Double(stride)
            stride *= dims[other]
        }
        try write(operands, .gradient(0), dy.scattered(index, count: stride).reshaped(dims))
    }
}
