import AnnealCore
import AnnealGraph

extension Pooling: XLAOperator {
    /// Windows over a channels-last array; the last ones may extend beyond the padded image.
    private func windows(_ data: Shape, _ output: Shape) throws -> HLOValue.Windows {
        let (kernel, stride, pad) = try window(data)
        let high = kernel.indices.map { axis in
            (output[axis + 2] - 1) * stride[axis] + kernel[axis] - data[axis + 2] - pad[axis]
        }
        return HLOValue.Windows(
            extents: [1] + kernel + [1], strides: [1] + stride + [1], low: [0] + pad + [0], high: [0] + high + [0])
    }

    /// The divisor of each window's sum, for an array like the output.
    private func divisors(_ data: Shape, _ windows: HLOValue.Windows, _ function: HLOFunction) -> HLOValue? {
        let (kernel, pad) = (windows.extents.dropFirst().dropLast(), windows.low)
        let whole = Double(kernel.reduce(1, *))
        if isFirstVersion { return function.constant(whole) }
        // The number of cells of the padded image, or of the image, in a window.
        let high = countIncludePad ? pad : pad.map { _ in 0 }, low = high
        let image = Order.channelsLast(data.dims)
        var inside = windows
        for axis in pad.indices {
            inside.low[axis] -= low[axis]
            inside.high[axis] -= high[axis]
        }
        var cells = image.indices.map { image[$0] + low[$0] + high[$0] }
        (cells[0], cells[cells.count - 1]) = (1, 1)
        return function.constant(1, cells, .f32).reducedWindows(.sum, inside).maximum(1.0)
    }

    func forward(_ operands: Operands) throws {
        let x = operands.stored(.input(0)), data = try operands.inputShape(0)
        let windows = try windows(data, try operands.shape(.output(0)))
        let y: HLOValue
        switch kind {
        case .max where isFirstVersion:
            // The padding's zeros count; what lies beyond the padding does not.
            var inside = windows
            let pad = windows.low
            for axis in pad.indices {
                inside.low[axis] = 0
                inside.high[axis] -= pad[axis]
            }
            y = x.padded(0, low: pad, high: pad).reducedWindows(.largest, inside)
        case .max: y = x.reducedWindows(.largest, windows)
        case .sum: y = x.reducedWindows(.sum, windows)
        case .avg: y = average(x.reducedWindows(.sum, windows), data, windows)
        case .lp:
            let powers = power == 1 ? x : power == 2 ? x * x : x * x * x
            let sum = powers.reducedWindows(.sum, windows)
            y = power == 1 ? sum : power == 2 ? sum.squareRoot() : sum.cubeRoot()
        }
        operands.writeStored(.output(0), y)
    }

    private func average(_ sums: HLOValue, _ data: Shape, _ windows: HLOValue.Windows) -> HLOValue {
        guard let divisors = divisors(data, windows, sums.function) else { return sums }
        if divisors.rank == 0 { return sums / divisors }
        return sums / divisors.broadcast(to: sums.dims, along: Array(sums.dims.indices))
    }

    func backward(_ operands: Operands, part: Int) throws {
        let dy = operands.stored(.outputGradient(0)), data = try operands.inputShape(0)
        let windows = try windows(data, try operands.shape(.outputGradient(0)))
        let dx: HLOValue
        switch kind {
        case .max where isFirstVersion:
            // Every cell that equals the maximum gets the gradient, once for each of its windows.
            // Recomputed in another kernel, a value may differ in its last bit and then equal nothing.
            let y = operands.stored(.output(0)).barrier()
            dx = sumOverPlaces(windows, operands.stored(.input(0)).barrier()) { x in
                x.compare(.equal, y).select(dy, 0)
            }
        case .max: dx = try operands.forwardInput(0).converted(to: .f32).scatteredToLargest(dy, windows)
        case .sum: dx = sums(dy, windows, data)
        case .avg: dx = sums(average(dy, data, windows), windows, data)
        case .lp where power == 1: dx = sums(dy, windows, data)
        case .lp:
            let x = operands.stored(.input(0)), y = operands.stored(.output(0))
            let share = y.compare(.unequal, 0).select(power == 2 ? dy / y : dy / (y * y), 0)
            let total = sums(share, windows, data)
            dx = total * (power == 2 ? x : x * x)
        }
        operands.writeStored(.gradient(0), dx)
    }

    /// The sum over the windows that contain a cell: windows over the gradient, with zeros between its elements.
    private func sums(_ dy: HLOValue, _ windows: HLOValue.Windows, _ data: Shape) -> HLOValue {
        let image = Order.channelsLast(data.dims)
        let low = image.indices.map { windows.extents[$0] - 1 - windows.low[$0] }
        let spread = dy.padded(
            0, low: low,
            high: image.indices.map { axis in
                image[axis] + windows.extents[axis] - 1 - low[axis] - ((dy.dims[axis] - 1) * windows.strides[axis] + 1)
            }, interior: windows.strides.map { $0 - 1 })
        return spread.reducedWindows(
            .sum,
            HLOValue.Windows(
                extents: windows.extents, strides: image.map { _ in 1 }, low: image.map { _ in 0 },
                high: image.map { _ in 0 }))
    }

    /// For each position in a window, the value of `body` for the cells at that position in all windows, summed back to
    /// the cells.
    private func sumOverPlaces(
        _ windows: HLOValue.Windows, _ image: HLOValue, _ body: (HLOValue) -> HLOValue
    ) -> HLOValue {
        let axes = image.dims.indices
        let padded = axes.map { image.dims[$0] + windows.low[$0] + windows.high[$0] }
        // NaN, around the image, equals no maximum.
        let surrounded = image.padded(.nan, low: windows.low, high: windows.high)
        let outputs = axes.map { (padded[$0] - windows.extents[$0]) / windows.strides[$0] + 1 }
        var places = [[Int]()]
        for extent in windows.extents { places = places.flatMap { place in (0..<extent).map { place + [$0] } } }
        let shares = places.map { place in
            let last = axes.map { place[$0] + (outputs[$0] - 1) * windows.strides[$0] + 1 }
            return body(surrounded.sliced(from: place, to: last, steps: windows.strides)).padded(
                0, low: axes.map { place[$0] - windows.low[$0] },
                high: axes.map { padded[$0] - last[$0] - windows.high[$0] }, interior: windows.strides.map { $0 - 1 })
        }
        return shares.dropFirst().reduce(shares[0], +)
    }
}
