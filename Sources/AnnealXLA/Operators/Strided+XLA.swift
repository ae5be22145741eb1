import AnnealCore
import AnnealGraph

// Strided reads as transpositions, slices and broadcasts, which compilers handle well; none is a gather.

// MARK: Repetitions

/// Broadcasts along axes of extent 1.
private protocol BroadcastOperator: XLAOperator, StridedOperator {}

extension BroadcastOperator {
    func forward(_ operands: Operands) throws {
        let dims = Order.channelsLast(try operands.shape(.output(0)).dims)
        operands.map(.input(0), to: .output(0)) { $0.stretched(to: dims) }
    }

    func backward(_ operands: Operands, part: Int) throws {
        let dims = Order.channelsLast(try operands.shape(.gradient(0)).dims)
        operands.map(.outputGradient(0), to: .gradient(0)) { $0.summed(to: dims) }
    }
}

extension BroadcastAxis: BroadcastOperator {}
extension BroadcastLike: BroadcastOperator {}
extension BroadcastTo: BroadcastOperator {}

/// Repetitions along new axes of a view of the data, in plain order.
private protocol RepetitionOperator: XLAOperator, StridedOperator {}

extension RepetitionOperator {
    /// The view's extents, with 1 for those that only repeat.
    private func single(_ view: StridedView) -> [Int] { zip(view.extents, view.strides).map { $1 == 0 ? 1 : $0 } }

    func forward(_ operands: Operands) throws {
        let shape = try operands.shape(.output(0)), view = try view(of: operands.inputShape(0), output: shape)
        let repeated = operands[.input(0)].reshaped(single(view)).stretched(to: view.extents)
        operands.write(.output(0), repeated.reshaped(shape.dims))
    }

    func backward(_ operands: Operands, part: Int) throws {
        let data = try operands.shape(.gradient(0)),
            view = try view(of: data, output: operands.shape(.outputGradient(0)))
        let dx = operands[.outputGradient(0)].reshaped(view.extents).summed(to: single(view))
        operands.write(.gradient(0), dx.reshaped(data.dims))
    }
}

extension Repeat: RepetitionOperator {}
extension Tile: RepetitionOperator {}

// MARK: Ranges

/// A range of each axis, possibly with a step, possibly reversed.
private protocol RangeOperator: XLAOperator, StridedOperator {}

/// The range that a view reads of each axis of a channels-last array.
private struct Ranges {
    /// The first element and the count; reversed axes count from the end.
    var first: [Int] = []
    var count: [Int] = []
    var step: [Int] = []
    var reversed: [Int] = []

    init(_ view: StridedView, of data: Shape) {
        for (place, axis) in Order.axes(data.rank).enumerated() {
            let inner = data.dims[(axis + 1)...].reduce(1, *), start = view.offset / inner % data[axis]
            let step = view.strides[axis] / inner
            if step < 0 { reversed.append(place) }
            first.append(step < 0 ? data[axis] - 1 - start : start)
            count.append(view.extents[axis])
            self.step.append(abs(step))
        }
    }

    private var end: [Int] { first.indices.map { first[$0] + (count[$0] - 1) * step[$0] + 1 } }

    func read(_ x: HLOValue) -> HLOValue { x.reversed(reversed).sliced(from: first, to: end, steps: step) }

    /// The adjoint of `read`: elements that were not read are 0.
    func spread(_ dy: HLOValue, _ dims: [Int]) -> HLOValue {
        let high = dims.indices.map { dims[$0] - end[$0] }
        return dy.padded(0, low: first, high: high, interior: step.map { $0 - 1 }).reversed(reversed)
    }
}

extension RangeOperator {
    func forward(_ operands: Operands) throws {
        let data = try operands.inputShape(0)
        let ranges = Ranges(try view(of: data, output: operands.shape(.output(0))), of: data)
        operands.map(.input(0), to: .output(0)) { ranges.read($0) }
    }

    func backward(_ operands: Operands, part: Int) throws {
        let data = try operands.shape(.gradient(0))
        let ranges = Ranges(try view(of: data, output: operands.shape(.outputGradient(0))), of: data)
        operands.map(.outputGradient(0), to: .gradient(0)) { ranges.spread($0, Order.channelsLast(data.dims)) }
    }
}

extension Crop: RangeOperator {}
extension Reverse: RangeOperator {}
extension Slice: RangeOperator {}
extension SliceAxis: RangeOperator {}
extension SliceLike: RangeOperator {}

// MARK: Transpositions

/// The data's axes, or factors of them, in another order.
private protocol TranspositionOperator: XLAOperator, StridedOperator {
    /// The data's extents with its axes split, and for each axis of the result, which of them it is.
    func order(_ data: Shape) throws -> (extents: [Int], axes: [Int])
}

extension TranspositionOperator {
    func forward(_ operands: Operands) throws {
        let (extents, axes) = try order(operands.inputShape(0))
        let moved = operands[.input(0)].reshaped(extents).transposed(axes)
        operands.write(.output(0), moved.reshaped(try operands.shape(.output(0)).dims))
    }

    func backward(_ operands: Operands, part: Int) throws {
        let data = try operands.shape(.gradient(0)), (extents, axes) = try order(data)
        var back = axes
        for (place, axis) in axes.enumerated() { back[axis] = place }
        let dy = operands[.outputGradient(0)].reshaped(axes.map { extents[$0] })
        operands.write(.gradient(0), dy.transposed(back).reshaped(data.dims))
    }
}

extension Transpose: TranspositionOperator {
    fileprivate func order(_ data: Shape) -> (extents: [Int], axes: [Int]) {
        (data.dims, axes?.map { $0 < 0 ? $0 + data.rank : $0 } ?? data.dims.indices.reversed())
    }
}

extension SwapAxis: TranspositionOperator {
    fileprivate func order(_ data: Shape) throws -> (extents: [Int], axes: [Int]) {
        var axes = Array(data.dims.indices)
        axes.swapAt(try axisIndex(dim1, of: data), try axisIndex(dim2, of: data))
        return (data.dims, axes)
    }
}

extension DepthSpace: TranspositionOperator {
    fileprivate func order(_ data: Shape) -> (extents: [Int], axes: [Int]) {
        let b = blockSize
        // (n, y, x, c, h, w) to (n, c, h, y, w, x), or back.
        return member == .depthToSpace
            ? ([data[0], b, b, data[1] / (b * b), data[2], data[3]], [0, 3, 4, 1, 5, 2])
            : ([data[0], data[1], data[2] / b, b, data[3] / b, b], [0, 3, 5, 1, 2, 4])
    }
}
