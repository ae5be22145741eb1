import AnnealCore
import AnnealGraph

extension Reduction: ReferenceOperator {
    /// The elements of each sum.
    private func groups(_ data: Shape) throws -> [[Int]] { try axes.groups(data) }

    func forward(_ operands: Operands) throws {
        let x = operands[.input(0)]
        let results = try groups(x.shape).map { group -> Double in
            let values = group.map { x[$0] }
            return switch member {
            case .sum: values.reduce(0, +)
            case .mean: values.reduce(0, +) / Double(values.count)
            case .prod: values.reduce(1, *)
            case .nansum: values.filter { !$0.isNaN }.reduce(0, +)
            case .nanprod: values.filter { !$0.isNaN }.reduce(1, *)
            case .max: values.reduce(-.infinity) { $1 > $0 || $1.isNaN ? $1 : $0 }
            case .min: values.reduce(.infinity) { $1 < $0 || $1.isNaN ? $1 : $0 }
            }
        }
        operands.write(.output(0), NDArray(try operands.shape(.output(0)), results))
    }

    func backward(_ operands: Operands, part: Int) throws {
        let dy = operands[.outputGradient(0)], x = operands.optional(.input(0)), y = operands.optional(.output(0))
        var dx = NDArray(try operands.shape(.gradient(0)))
        for (j, group) in try groups(dx.shape).enumerated() {
            for i in group {
                let x = x?[i] ?? 0, y = y?[j] ?? 0
                dx[i] =
                    switch member {
                    case .sum: dy[j]
                    case .mean: dy[j] / Double(group.count)
                    case .nansum: x.isNaN ? 0 : dy[j]
                    case .prod: dy[j] * y / x
                    case .nanprod: x.isNaN ? 0 : dy[j] * y / x
                    // At ties every maximum gets the whole gradient.
                    case .max, .min: x == y ? dy[j] : 0
                    }
            }
        }
        operands.write(.gradient(0), dx)
    }
}

extension ReducedAxes {
    /// The elements of the data that contribute to each element of the result.
    fileprivate func groups(_ data: Shape) throws -> [[Int]] {
        let kept = try kept(data), strides = broadcastStrides(kept, to: data)
        var groups = Array(repeating: [Int](), count: kept.count)
        for (i, index) in Indices(data.dims).enumerated() { groups[offset(index, strides)].append(i) }
        return groups
    }
}

extension Norm: ReferenceOperator {
    func forward(_ operands: Operands) throws {
        let x = operands[.input(0)]
        let results = try axes.groups(x.shape).map { group in
            order == 1
                ? group.reduce(0) { $0 + abs(x[$1]) } : group.reduce(0) { $0 + x[$1] * x[$1] }.squareRoot()
        }
        operands.write(.output(0), NDArray(try operands.shape(.output(0)), results))
    }

    func backward(_ operands: Operands, part: Int) throws {
        let x = operands[.input(0)], y = operands.optional(.output(0)), dy = operands[.outputGradient(0)]
        var dx = x
        for (j, group) in try axes.groups(x.shape).enumerated() {
            for i in group { dx[i] = y.map { dy[j] * x[i] / $0[j] } ?? (x[i] > 0 ? dy[j] : x[i] < 0 ? -dy[j] : 0) }
        }
        operands.write(.gradient(0), dx)
    }
}

extension ArgExtremum: ReferenceOperator {
    func forward(_ operands: Operands) throws {
        let x = operands[.input(0)], view = axis.map { extents(of: x.shape, around: $0) } ?? (1, x.count, 1)
        var places: [Double] = []
        AxisView(view).forEachRow { _, row in
            var best = 0
            for k in row.indices.dropFirst() {
                let better = member == .argmin ? x[row[k]] < x[row[best]] : x[row[k]] > x[row[best]]
                if better { best = k }
            }
            places.append(Double(best))
        }
        operands.write(.output(0), NDArray(try operands.shape(.output(0)), places))
    }

    func backward(_ operands: Operands, part: Int) {}
}

extension Ordering: ReferenceOperator {
    func forward(_ operands: Operands) throws {
        let x = operands[.input(0)], view = AxisView(axes(x.shape)), taken = k > 0 ? k : view.axis
        let shape = try operands.shape(.output(0)), target = AxisView((view.outer, taken, view.inner))
        var values = NDArray(shape), places = values
        view.forEachRow { number, row in
            // Equal values keep their order.
            let order = row.indices.sorted { a, b in
                x[row[a]] == x[row[b]] ? a < b : ascending ? x[row[a]] < x[row[b]] : x[row[a]] > x[row[b]]
            }
            for (rank, place) in order.prefix(taken).enumerated() {
                guard returned != .mask else {
                    values[row[place]] = 1
                    continue
                }
                let at = target.offset(number / view.inner, rank, number % view.inner)
                values[at] = x[row[place]]
                places[at] = Double(place)
            }
        }
        operands.write(.output(0), returned == .indices ? places : values)
        operands.write(returned == .both ? .output(1) : .saved(0), places)
    }

    func backward(_ operands: Operands, part: Int) throws {
        let dy = operands[.outputGradient(0)], places = operands[returned == .both ? .output(1) : .saved(0)]
        var dx = NDArray(try operands.shape(.gradient(0)))
        let view = AxisView(axes(dx.shape)), source = AxisView((view.outer, k > 0 ? k : view.axis, view.inner))
        for o in 0..<source.outer {
            for rank in 0..<source.axis {
                for i in 0..<source.inner {
                    let from = source.offset(o, rank, i)
                    dx[view.offset(o, Int(places[from]), i)] = dy[from]
                }
            }
        }
        operands.write(.gradient(0), dx)
    }
}
