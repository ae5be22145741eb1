import AnnealCompiler
import AnnealCore
import AnnealGraph

extension BilinearSampler: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let sampling = Sampling(data: try site.shape(.input(0)), output: try site.shape(.output(0)))
        return PreparedKernel { memory in
            let data = memory[.input(0)], grid = memory[.input(1)], y = memory[.output(0)]
            return { sampling.forward(data, y) { n, at, _ in sampling.point(grid, n, at) } }
        }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let sampling = Sampling(data: try site.shape(.input(0)), output: try site.shape(.outputGradient(0)))
        return PreparedKernel { memory in
            let data = memory[.input(0)], grid = memory[.input(1)], dy = memory[.outputGradient(0)]
            let dData = memory.optional(.gradient(0)), dGrid = memory.optional(.gradient(1))
            return {
                sampling.backward(data, dy, dData) { n, at, _ in
                    sampling.point(grid, n, at)
                } give: { n, at, _, dx, dy in
                    dGrid?[2 * n * sampling.points + at] = dx
                    dGrid?[(2 * n + 1) * sampling.points + at] = dy
                }
            }
        }
    }
}

extension SpatialTransformer: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let sampling = Sampling(data: try site.shape(.input(0)), output: try site.shape(.output(0)))
        return PreparedKernel { memory in
            let data = memory[.input(0)], loc = memory[.input(1)], y = memory[.output(0)]
            return { sampling.forward(data, y) { n, _, target in affine(loc + 6 * n, target) } }
        }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let data = try site.shape(.input(0)), batch = data[0]
        let sampling = Sampling(data: data, output: try site.shape(.outputGradient(0)))
        return PreparedKernel { memory in
            let data = memory[.input(0)], loc = memory[.input(1)], dy = memory[.outputGradient(0)]
            let dData = memory.optional(.gradient(0)), dLoc = memory.optional(.gradient(1))
            return {
                dLoc?.update(repeating: 0, count: 6 * batch)
                sampling.backward(data, dy, dData) { n, _, target in
                    affine(loc + 6 * n, target)
                } give: { n, _, target, dx, dy in
                    guard let dLoc else { return }
                    addAffine(dLoc + 6 * n, target, dx, dy)
                }
            }
        }
    }
}

extension GridGenerator: CPUOperator {
    package func forward(_ site: KernelSite, _ engine: CPUEngine) throws -> PreparedKernel {
        let output = try site.shape(.output(0)), grid = Sampling(data: output, output: output), batch = output[0]
        let affineMap = transform == .affine
        return PreparedKernel { memory in
            let x = memory[.input(0)], y = memory[.output(0)]
            return {
                for n in 0..<batch {
                    grid.forEachPoint { at, row, column in
                        let first = 2 * n * grid.points + at, second = (2 * n + 1) * grid.points + at
                        let point: Point
                        if affineMap {
                            point = affine(x + 6 * n, grid.target(row, column))
                        } else {
                            // Displacements in pixels, scaled to -1 … 1.
                            point = (
                                (x[first] + Float(column)) / (Float(grid.outputWidth - 1) / 2) - 1,
                                (x[second] + Float(row)) / (Float(grid.outputHeight - 1) / 2) - 1
                            )
                        }
                        y[first] = point.x
                        y[second] = point.y
                    }
                }
            }
        }
    }

    package func backward(_ site: KernelSite, part: Int, _ engine: CPUEngine) throws -> PreparedKernel {
        let output = try site.shape(.outputGradient(0)), grid = Sampling(data: output, output: output),
            batch = output[0]
        let affineMap = transform == .affine
        return PreparedKernel { memory in
            let dy = memory[.outputGradient(0)], dx = memory[.gradient(0)]
            return {
                if affineMap { dx.update(repeating: 0, count: 6 * batch) }
                for n in 0..<batch {
                    grid.forEachPoint { at, row, column in
                        let first = 2 * n * grid.points + at, second = (2 * n + 1) * grid.points + at
                        if affineMap {
                            addAffine(dx + 6 * n, grid.target(row, column), dy[first], dy[second])
                        } else {
                            dx[first] = dy[first] / (Float(grid.outputWidth - 1) / 2)
                            dx[second] = dy[second] / (Float(grid.outputHeight - 1) / 2)
                        }
                    }
                }
            }
        }
    }
}

/// x and y in -1 … 1 from edge to edge.
private typealias Point = (x: Float, y: Float)

/// The affine map of a point.
private func affine(_ map: UnsafePointer<Float>, _ point: Point) -> Point {
    (map[0] * point.x + map[1] * point.y + map[2], map[3] * point.x + map[4] * point.y + map[5])
}

/// Adds the contribution of a mapped point's gradient to the map's gradient.
private func addAffine(_ map: UnsafeMutablePointer<Float>, _ point: Point, _ dx: Float, _ dy: Float) {
    map[0] += dx * point.x
    map[1] += dx * point.y
    map[2] += dx
    map[3] += dy * point.x
    map[4] += dy * point.y
    map[5] += dy
}

/// Bilinear sampling of images (batch, channels, height, width) at one point for each output position; zero outside.
private struct Sampling {
    let batch, channels, height, width, outputHeight, outputWidth: Int
    var points: Int { outputHeight * outputWidth }

    init(data: Shape, output: Shape) {
        (batch, channels, height, width) = (data[0], data[1], data[2], data[3])
        (outputHeight, outputWidth) = (output[2], output[3])
    }

    /// An output position in -1 … 1; a single one is -1, as in MXNet.
    func target(_ row: Int, _ column: Int) -> Point {
        (
            -1 + Float(column) * 2 / Float(max(outputWidth - 1, 1)),
            -1 + Float(row) * 2 / Float(max(outputHeight - 1, 1))
        )
    }

    func point(_ grid: UnsafePointer<Float>, _ n: Int, _ at: Int) -> Point {
        (grid[2 * n * points + at], grid[(2 * n + 1) * points + at])
    }

    func forEachPoint(_ body: (_ at: Int, _ row: Int, _ column: Int) -> Void) {
        for row in 0..<outputHeight {
            for column in 0..<outputWidth { body(row * outputWidth + column, row, column) }
        }
    }

    /// The pixel at the upper left of a point, and the weight of that pixel along each axis.
    private struct Corner {
        var x: Int
        var y: Int
        var weightX: Float
        var weightY: Float
    }

    private func corner(_ point: Point) -> Corner {
        let x = (point.x + 1) * Float(width - 1) / 2, y = (point.y + 1) * Float(height - 1) / 2
        let left = x.rounded(.down), top = y.rounded(.down)
        // Far outside, or NaN: a corner that touches no pixel.
        func place(_ value: Float) -> Int { value >= -2 && value < 1e8 ? Int(value) : -2 }
        return Corner(x: place(left), y: place(top), weightX: 1 - (x - left), weightY: 1 - (y - top))
    }

    private func offset(_ x: Int, _ y: Int) -> Int? {
        x >= 0 && x < width && y >= 0 && y < height ? y * width + x : nil
    }

    func forward(
        _ data: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>, _ point: (Int, Int, Point) -> Point
    ) {
        for n in 0..<batch {
            forEachPoint { at, row, column in
                let c = corner(point(n, at, target(row, column)))
                let places = [offset(c.x, c.y), offset(c.x + 1, c.y), offset(c.x, c.y + 1), offset(c.x + 1, c.y + 1)]
                for channel in 0..<channels {
                    let image = data + (n * channels + channel) * height * width
                    func pixel(_ corner: Int) -> Float { places[corner].map { image[$0] } ?? 0 }
                    output[(n * channels + channel) * points + at] =
                        pixel(0) * c.weightY * c.weightX + pixel(1) * c.weightY * (1 - c.weightX)
                        + pixel(2) * (1 - c.weightY) * c.weightX + pixel(3) * (1 - c.weightY) * (1 - c.weightX)
                }
            }
        }
    }

    /// - Parameter give: receives each point's gradient.
    func backward(
        _ data: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ dData: UnsafeMutablePointer<Float>?,
        _ point: (Int, Int, Point) -> Point,
        give: (_ n: Int, _ at: Int, _ target: Point, _ dx: Float, _ dy: Float) -> Void
    ) {
        dData?.update(repeating: 0, count: batch * channels * height * width)
        for n in 0..<batch {
            forEachPoint { at, row, column in
                let target = target(row, column), c = corner(point(n, at, target))
                let places = [offset(c.x, c.y), offset(c.x + 1, c.y), offset(c.x, c.y + 1), offset(c.x + 1, c.y + 1)]
                let weights = [
                    c.weightY * c.weightX, c.weightY * (1 - c.weightX), (1 - c.weightY) * c.weightX,
                    (1 - c.weightY) * (1 - c.weightX),
                ]
                var slopeX: Float = 0, slopeY: Float = 0
                for channel in 0..<channels {
                    let plane = (n * channels + channel) * height * width
                    let image = data + plane, head = dy[(n * channels + channel) * points + at]
                    func pixel(_ corner: Int) -> Float { places[corner].map { image[$0] } ?? 0 }
                    if let dData {
                        for k in 0..<4 { if let place = places[k] { dData[plane + place] += head * weights[k] } }
                    }
                    slopeX += head * (c.weightY * (pixel(1) - pixel(0)) + (1 - c.weightY) * (pixel(3) - pixel(2)))
                    slopeY += head * (c.weightX * (pixel(2) - pixel(0)) + (1 - c.weightX) * (pixel(3) - pixel(1)))
                }
                give(n, at, target, slopeX * Float(width - 1) / 2, slopeY * Float(height - 1) / 2)
            }
        }
    }
}
