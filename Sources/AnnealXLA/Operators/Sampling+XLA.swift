import AnnealCore
import AnnealGraph

/// Points in images: arrays (batch, height, width) of x and y, from -1 to 1 between the edges.
private struct Points {
    var x, y: HLOValue

    var dims: [Int] { x.dims }

    init(x: HLOValue, y: HLOValue) { (self.x, self.y) = (x, y) }

    /// The points of a grid, with x and y along its last axis.
    init(grid: HLOValue) {
        let rest = Array(grid.dims.dropLast())
        self.init(
            x: grid.sliced(axis: 3, from: 0, to: 1).reshaped(rest),
            y: grid.sliced(axis: 3, from: 1, to: 2).reshaped(rest))
    }

    var grid: HLOValue { HLOValue.concatenated([x, y].map { $0.reshaped(dims + [1]) }, axis: 3) }

    /// A regular grid's positions; a single one along an axis is -1, as in MXNet.
    init(regular dims: [Int], _ function: HLOFunction) {
        func positions(_ axis: Int) -> HLOValue {
            let extent = dims[axis]
            let places = (0..<extent).map { Float(-1 + 2 * Double($0) / Double(max(extent - 1, 1))) }
            return function.constant(places, [extent]).broadcast(to: dims, axis: axis)
        }
        self.init(x: positions(2), y: positions(1))
    }

    /// The points mapped by affine maps (batch, 6), each (2, 3) in row-major order.
    func mapped(_ maps: HLOValue) -> Points {
        func entry(_ index: Int) -> HLOValue {
            maps.sliced(axis: 1, from: index, to: index + 1).reshaped([dims[0]]).broadcast(to: dims, axis: 0)
        }
        return Points(
            x: entry(0) * x + entry(1) * y + entry(2), y: entry(3) * x + entry(4) * y + entry(5))
    }

    /// The maps' gradient, given that of the mapped points.
    func mapGradient(_ gradient: Points) -> HLOValue {
        let products = [gradient.x, gradient.y].flatMap { [$0 * x, $0 * y, $0] }
        return HLOValue.concatenated(products.map { $0.sum([1, 2]).reshaped([dims[0], 1]) }, axis: 1)
    }
}

/// Bilinear sampling of images (batch, height, width, channels); zero outside.
private struct BilinearSampling {
    let image: HLOValue
    let points: Points

    /// One of the four pixels around each point: its row in the table of pixels, whether it lies within the image, its
    /// weight, and the weight's derivatives with respect to x and y, in pixels.
    private struct Corner {
        let row, isInside, weight: HLOValue
        let slope: Points
    }

    private func corners() -> [Corner] {
        let height = Double(image.dims[1]), width = Double(image.dims[2])
        // Computed once: in another kernel the last bit may differ, and with it which pixels surround a point.
        let x = ((points.x + 1) * (width - 1) / 2).barrier(), y = ((points.y + 1) * (height - 1) / 2).barrier()
        let left = x.floor(), top = y.floor(), dx = x - left, dy = y - top
        let sample = image.function.iota(points.dims, axis: 0) * (height * width)
        func corner(right: Bool, below: Bool) -> Corner {
            let column = right ? left + 1 : left, line = below ? top + 1 : top
            let isInside =
                column.compare(.atLeast, 0) & column.compare(.less, width) & line.compare(.atLeast, 0)
                & line.compare(.less, height)
            let across = isInside.select(column, 0).converted(to: .i32),
                down = isInside.select(line, 0).converted(to: .i32)
            let byX = right ? dx : 1 - dx, byY = below ? dy : 1 - dy
            return Corner(
                row: sample + down * width + across, isInside: isInside, weight: byX * byY,
                slope: Points(x: right ? byY : -byY, y: below ? byX : -byX))
        }
        return [false, true].flatMap { below in [false, true].map { corner(right: $0, below: below) } }
    }

    private var table: HLOValue { image.reshaped([image.elementCount / image.dims[3], image.dims[3]]) }

    /// The pixels of a corner, 0 outside.
    private func pixels(_ corner: Corner) -> HLOValue {
        let rows = table.rows(corner.row)
        return corner.isInside.spread(over: [3], of: rows.dims).select(rows, 0)
    }

    func sample() -> HLOValue {
        let parts = corners().map { corner in
            let pixels = pixels(corner)
            return pixels * corner.weight.spread(over: [3], of: pixels.dims)
        }
        return parts.dropFirst().reduce(parts[0], +)
    }

    /// The gradients of the image and of the points.
    func gradients(_ dy: HLOValue) -> (image: HLOValue, points: Points) {
        let corners = corners()
        let shares = corners.map { corner in
            let isInside = corner.isInside.spread(over: [3], of: dy.dims)
            return isInside.select(dy * corner.weight.spread(over: [3], of: dy.dims), 0)
        }
        let rows = HLOValue.concatenated(corners.map(\.row), axis: 0)
        let sums = HLOValue.concatenated(shares, axis: 0).scatteredRows(rows, count: table.dims[0])
        let products = corners.map { (dy * pixels($0)).sum([3]) }
        func slope(_ part: (Corner) -> HLOValue, _ extent: Int) -> HLOValue {
            let terms = zip(products, corners).map { $0 * part($1) }
            return terms.dropFirst().reduce(terms[0], +) * (Double(extent - 1) / 2)
        }
        return (
            sums.reshaped(image.dims), Points(x: slope(\.slope.x, image.dims[2]), y: slope(\.slope.y, image.dims[1]))
        )
    }
}

extension BilinearSampler: XLAOperator {
    private func sampling(_ operands: Operands) -> BilinearSampling {
        BilinearSampling(image: operands.stored(.input(0)), points: Points(grid: operands.stored(.input(1))))
    }

    func forward(_ operands: Operands) { operands.writeStored(.output(0), sampling(operands).sample()) }

    func backward(_ operands: Operands, part: Int) {
        let gradients = sampling(operands).gradients(operands.stored(.outputGradient(0)))
        operands.writeStored(.gradient(0), gradients.image)
        operands.writeStored(.gradient(1), gradients.points.grid)
    }
}

extension SpatialTransformer: XLAOperator {
    private func regular(_ operands: Operands, _ output: Shape) -> Points {
        Points(regular: [output[0], output[2], output[3]], operands.function)
    }

    private func sampling(_ operands: Operands, _ regular: Points) -> BilinearSampling {
        BilinearSampling(image: operands.stored(.input(0)), points: regular.mapped(operands.stored(.input(1))))
    }

    func forward(_ operands: Operands) throws {
        let regular = regular(operands, try operands.shape(.output(0)))
        operands.writeStored(.output(0), sampling(operands, regular).sample())
    }

    func backward(_ operands: Operands, part: Int) throws {
        let regular = regular(operands, try operands.shape(.outputGradient(0)))
        let gradients = sampling(operands, regular).gradients(operands.stored(.outputGradient(0)))
        operands.writeStored(.gradient(0), gradients.image)
        operands.writeStored(.gradient(1), regular.mapGradient(gradients.points))
    }
}

extension GridGenerator: XLAOperator {
    func forward(_ operands: Operands) throws {
        let shape = try operands.shape(.output(0)), dims = [shape[0], shape[2], shape[3]]
        if transform == .affine {
            let points = Points(regular: dims, operands.function).mapped(operands.stored(.input(0)))
            return operands.writeStored(.output(0), points.grid)
        }
        let moves = Points(grid: operands.stored(.input(0)))
        func moved(_ move: HLOValue, axis: Int) -> HLOValue {
            (move + operands.function.iota(dims, axis: axis, .f32)) / half(dims[axis]) - 1
        }
        operands.writeStored(.output(0), Points(x: moved(moves.x, axis: 2), y: moved(moves.y, axis: 1)).grid)
    }

    func backward(_ operands: Operands, part: Int) {
        let dy = Points(grid: operands.stored(.outputGradient(0))), dims = dy.dims
        if transform == .affine {
            operands.writeStored(.gradient(0), Points(regular: dims, operands.function).mapGradient(dy))
        } else {
            operands.writeStored(.gradient(0), Points(x: dy.x / half(dims[2]), y: dy.y / half(dims[1])).grid)
        }
    }

    private func half(_ extent: Int) -> Double { Double(extent - 1) / 2 }
}
