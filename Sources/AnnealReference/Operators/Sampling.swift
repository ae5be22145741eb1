import AnnealCore
import AnnealGraph

/// A point of an image; x and y in -1 … 1 from edge to edge.
private struct Point {
    var x, y: Double

    /// The output position (row, column) of a grid of that size; a single one is -1, as in MXNet.
    init(row: Int, column: Int, height: Int, width: Int) {
        x = -1 + 2 * Double(column) / Double(max(width - 1, 1))
        y = -1 + 2 * Double(row) / Double(max(height - 1, 1))
    }

    init(_ x: Double, _ y: Double) { (self.x, self.y) = (x, y) }

    /// Under the affine map of sample n, (2, 3) row by row.
    func mapped(_ maps: NDArray, _ n: Int) -> Point {
        let m = maps.elements[(6 * n)..<(6 * n + 6)].map { $0 }
        return Point(m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5])
    }

    /// Adds the contribution of the mapped point's gradient to the map of sample n.
    func addGradient(_ gradient: Point, to maps: inout NDArray, _ n: Int) {
        for (row, d) in [gradient.x, gradient.y].enumerated() {
            for (column, factor) in [x, y, 1].enumerated() { maps[6 * n + 3 * row + column] += d * factor }
        }
    }
}

/// Bilinear sampling of images (batch, channels, height, width) at a point for each output position; zero outside.
private struct BilinearSampling {
    let data: Shape
    let output: Shape

    /// Calls body(sample, row, column, element of a grid (batch, 2, …) for x and for y).
    static func forEachPoint(_ output: Shape, _ body: (Int, Int, Int, (x: Int, y: Int)) -> Void) {
        let points = output[2] * output[3]
        for index in Indices([output[0], output[2], output[3]]) {
            let at = index[1] * output[3] + index[2]
            body(index[0], index[1], index[2], (2 * index[0] * points + at, (2 * index[0] + 1) * points + at))
        }
    }

    /// The four pixels around a point with their weights and the weights' derivatives with respect to x and y, in
    /// pixels.
    private func corners(_ point: Point) -> [(offset: Int?, weight: Double, slope: Point)] {
        let x = (point.x + 1) * Double(data[3] - 1) / 2, y = (point.y + 1) * Double(data[2] - 1) / 2
        let left = x.rounded(.down), top = y.rounded(.down), dx = x - left, dy = y - top
        func offset(_ column: Double, _ row: Double) -> Int? {
            column >= 0 && column < Double(data[3]) && row >= 0 && row < Double(data[2])
                ? Int(row) * data[3] + Int(column) : nil
        }
        return [
            (offset(left, top), (1 - dx) * (1 - dy), Point(-(1 - dy), -(1 - dx))),
            (offset(left + 1, top), dx * (1 - dy), Point(1 - dy, -dx)),
            (offset(left, top + 1), (1 - dx) * dy, Point(-dy, 1 - dx)),
            (offset(left + 1, top + 1), dx * dy, Point(dy, dx)),
        ]
    }

    func sample(_ x: NDArray, at point: (Int, Int, Int, (x: Int, y: Int)) -> Point) -> NDArray {
        var y = NDArray(output)
        Self.forEachPoint(output) { n, row, column, grid in
            let corners = corners(point(n, row, column, grid))
            for c in 0..<data[1] {
                let plane = (n * data[1] + c) * data[2] * data[3]
                y[((n * data[1] + c) * output[2] + row) * output[3] + column] =
                    corners.reduce(0) { sum, corner in sum + (corner.offset.map { x[plane + $0] } ?? 0) * corner.weight
                    }
            }
        }
        return y
    }

    /// - Parameter give: receives each point's gradient.
    /// - Returns: the images' gradient.
    func backward(
        _ x: NDArray, _ dy: NDArray, at point: (Int, Int, Int, (x: Int, y: Int)) -> Point,
        give: (Int, Int, Int, (x: Int, y: Int), Point) -> Void
    ) -> NDArray {
        var dx = NDArray(data)
        Self.forEachPoint(output) { n, row, column, grid in
            var gradient = Point(0, 0)
            let corners = corners(point(n, row, column, grid))
            for c in 0..<data[1] {
                let plane = (n * data[1] + c) * data[2] * data[3]
                let d = dy[((n * data[1] + c) * output[2] + row) * output[3] + column]
                for corner in corners {
                    guard let offset = corner.offset else { continue }
                    dx[plane + offset] += d * corner.weight
                    gradient.x += d * x[plane + offset] * corner.slope.x * Double(data[3] - 1) / 2
                    gradient.y += d * x[plane + offset] * corner.slope.y * Double(data[2] - 1) / 2
                }
            }
            give(n, row, column, grid, gradient)
        }
        return dx
    }
}

extension BilinearSampler: ReferenceOperator {
    func forward(_ operands: Operands) throws {
        let x = operands[.input(0)], grid = operands[.input(1)]
        let sampling = BilinearSampling(data: x.shape, output: try operands.shape(.output(0)))
        operands.write(.output(0), sampling.sample(x) { _, _, _, at in Point(grid[at.x], grid[at.y]) })
    }

    func backward(_ operands: Operands, part: Int) {
        let x = operands[.input(0)], grid = operands[.input(1)], dy = operands[.outputGradient(0)]
        var dGrid = NDArray(grid.shape)
        let dx = BilinearSampling(data: x.shape, output: dy.shape).backward(x, dy) { _, _, _, at in
            Point(grid[at.x], grid[at.y])
        } give: { _, _, _, at, gradient in
            dGrid[at.x] = gradient.x
            dGrid[at.y] = gradient.y
        }
        operands.write(.gradient(0), dx)
        operands.write(.gradient(1), dGrid)
    }
}

extension SpatialTransformer: ReferenceOperator {
    private func target(_ output: Shape, _ row: Int, _ column: Int) -> Point {
        Point(row: row, column: column, height: output[2], width: output[3])
    }

    func forward(_ operands: Operands) throws {
        let x = operands[.input(0)], loc = operands[.input(1)], shape = try operands.shape(.output(0))
        let y = BilinearSampling(data: x.shape, output: shape).sample(x) { n, row, column, _ in
            target(shape, row, column).mapped(loc, n)
        }
        operands.write(.output(0), y)
    }

    func backward(_ operands: Operands, part: Int) {
        let x = operands[.input(0)], loc = operands[.input(1)], dy = operands[.outputGradient(0)]
        var dLoc = NDArray(loc.shape)
        let dx = BilinearSampling(data: x.shape, output: dy.shape).backward(x, dy) { n, row, column, _ in
            target(dy.shape, row, column).mapped(loc, n)
        } give: { n, row, column, _, gradient in
            target(dy.shape, row, column).addGradient(gradient, to: &dLoc, n)
        }
        operands.write(.gradient(0), dx)
        operands.write(.gradient(1), dLoc)
    }
}

extension GridGenerator: ReferenceOperator {
    func forward(_ operands: Operands) throws {
        let x = operands[.input(0)], shape = try operands.shape(.output(0))
        var y = NDArray(shape)
        BilinearSampling.forEachPoint(shape) { n, row, column, at in
            let point =
                transform == .affine
                ? Point(row: row, column: column, height: shape[2], width: shape[3]).mapped(x, n)
                : Point(
                    (x[at.x] + Double(column)) / halfWidth(shape) - 1, (x[at.y] + Double(row)) / halfHeight(shape) - 1)
            (y[at.x], y[at.y]) = (point.x, point.y)
        }
        operands.write(.output(0), y)
    }

    func backward(_ operands: Operands, part: Int) throws {
        let dy = operands[.outputGradient(0)], shape = dy.shape
        var dx = NDArray(try operands.shape(.gradient(0)))
        BilinearSampling.forEachPoint(shape) { n, row, column, at in
            if transform == .affine {
                Point(row: row, column: column, height: shape[2], width: shape[3])
                    .addGradient(Point(dy[at.x], dy[at.y]), to: &dx, n)
            } else {
                dx[at.x] = dy[at.x] / halfWidth(shape)
                dx[at.y] = dy[at.y] / halfHeight(shape)
            }
        }
        operands.write(.gradient(0), dx)
    }

    private func halfWidth(_ shape: Shape) -> Double { Double(shape[3] - 1) / 2 }
    private func halfHeight(_ shape: Shape) -> Double { Double(shape[2] - 1) / 2 }
}
