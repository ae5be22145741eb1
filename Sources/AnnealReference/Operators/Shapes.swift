import AnnealCore
import AnnealGraph

// Operators that move elements: views, strided reads, joins and cuts, padding, nearest upsampling.

/// The data's elements under another shape.
private protocol SameElements: ReferenceOperator {}

extension SameElements {
    func forward(_ operands: Operands) { operands.map(.input(0), to: .output(0)) { $0 } }
    func backward(_ operands: Operands, part: Int) { operands.map(.outputGradient(0), to: .gradient(0)) { $0 } }
}

extension BlockGrad: SameElements {}
extension ExpandDims: SameElements {}
extension Flatten: SameElements {}
extension Reshape: SameElements {}
extension ReshapeLike: SameElements {}
extension Squeeze: SameElements {}

extension ReferenceOperator where Self: StridedOperator {
    func forward(_ operands: Operands) throws {
        let x = operands[.input(0)], shape = try operands.shape(.output(0)), view = try view(of: x.shape, output: shape)
        operands.write(
            .output(0), NDArray(shape, Indices(view.extents).map { x[view.offset + offset($0, view.strides)] }))
    }

    func backward(_ operands: Operands, part: Int) throws {
        let dy = operands[.outputGradient(0)]
        var dx = NDArray(try operands.shape(.gradient(0)))
        let view = try view(of: dx.shape, output: dy.shape)
        for (i, index) in Indices(view.extents).enumerated() { dx[view.offset + offset(index, view.strides)] += dy[i] }
        operands.write(.gradient(0), dx)
    }
}

extension BroadcastAxis: ReferenceOperator {}
extension BroadcastLike: ReferenceOperator {}
extension BroadcastTo: ReferenceOperator {}
extension Crop: ReferenceOperator {}
extension DepthSpace: ReferenceOperator {}
extension Repeat: ReferenceOperator {}
extension Reverse: ReferenceOperator {}
extension Slice: ReferenceOperator {}
extension SliceAxis: ReferenceOperator {}
extension SliceLike: ReferenceOperator {}
extension SwapAxis: ReferenceOperator {}
extension Tile: ReferenceOperator {}
extension Transpose: ReferenceOperator {}

extension Concat: ReferenceOperator {
    func forward(_ operands: Operands) throws { try join(operands, (0..<numArgs).map { .input($0) }, .output(0)) }
    func backward(_ operands: Operands, part: Int) throws {
        try cut(operands, .outputGradient(0), (0..<numArgs).map { ($0, .gradient($0)) })
    }

    /// Elements of an array of `extent` along the axis, and their positions in the whole from `first` on.
    private func places(_ whole: Shape, first: Int, extent: Int) -> [Int] {
        let view = AxisView(extents(of: whole, around: dim))
        var places: [Int] = []
        for o in 0..<view.outer {
            for k in 0..<extent { for i in 0..<view.inner { places.append(view.offset(o, first + k, i)) } }
        }
        return places
    }

    private func extent(_ shape: Shape) -> Int { extents(of: shape, around: dim).axis }

    private func join(_ operands: Operands, _ parts: [Operands.Role], _ target: Operands.Role) throws {
        var whole = NDArray(try operands.shape(target)), first = 0
        for part in parts {
            let x = operands[part]
            for (i, place) in places(whole.shape, first: first, extent: extent(x.shape)).enumerated() {
                whole[place] = x[i]
            }
            first += extent(x.shape)
        }
        operands.write(target, whole)
    }

    private func cut(_ operands: Operands, _ source: Operands.Role, _ parts: [(Int, Operands.Role)]) throws {
        let whole = operands[source]
        var first = 0
        for (input, role) in parts {
            let shape = try operands.inputShape(input)
            operands.write(
                role, NDArray(shape, places(whole.shape, first: first, extent: extent(shape)).map { whole[$0] }))
            first += extent(shape)
        }
    }
}

extension Stack: ReferenceOperator {
    private func view(_ whole: Shape) -> AxisView { AxisView(extents(of: whole, around: axis)) }

    func forward(_ operands: Operands) throws {
        var whole = NDArray(try operands.shape(.output(0)))
        let view = view(whole.shape)
        for number in 0..<numArgs {
            let x = operands[.input(number)]
            for i in 0..<x.count { whole[view.offset(i / view.inner, number, i % view.inner)] = x[i] }
        }
        operands.write(.output(0), whole)
    }

    func backward(_ operands: Operands, part: Int) throws {
        let whole = operands[.outputGradient(0)], view = view(whole.shape)
        for number in 0..<numArgs {
            let shape = try operands.inputShape(number)
            operands.write(
                .gradient(number),
                NDArray(
                    shape, (0..<shape.count).map { whole[view.offset($0 / view.inner, number, $0 % view.inner)] }))
        }
    }
}

extension SliceChannel: ReferenceOperator {
    /// Calls body(piece, element of the piece, element of the whole).
    private func forEach(_ whole: Shape, _ body: (Int, Int, Int) -> Void) {
        let view = AxisView(extents(of: whole, around: axis)), extent = view.axis / numOutputs
        for o in 0..<view.outer {
            for k in 0..<view.axis {
                for i in 0..<view.inner {
                    body(k / extent, (o * extent + k % extent) * view.inner + i, view.offset(o, k, i))
                }
            }
        }
    }

    func forward(_ operands: Operands) throws {
        let x = operands[.input(0)]
        var pieces = try (0..<numOutputs).map { NDArray(try operands.shape(.output($0))) }
        forEach(x.shape) { piece, to, from in pieces[piece][to] = x[from] }
        for (number, piece) in pieces.enumerated() { operands.write(.output(number), piece) }
    }

    func backward(_ operands: Operands, part: Int) throws {
        var dx = NDArray(try operands.shape(.gradient(0)))
        // Outputs that nothing reads have no gradient.
        let heads = (0..<numOutputs).map { operands.optional(.outputGradient($0)) }
        forEach(dx.shape) { piece, from, to in dx[to] = heads[piece]?[from] ?? 0 }
        operands.write(.gradient(0), dx)
    }
}

extension Pad: ReferenceOperator {
    /// For each element of the output, the element of the data; nil for the constant.
    private func sources(_ data: Shape, _ output: Shape) -> [Int?] {
        Indices(output.dims).map { index in
            var place = 0
            for axis in index.indices {
                let last = data[axis] - 1
                var k = index[axis] - padWidth[2 * axis]
                if k < 0 || k > last {
                    switch mode {
                    case .constant: return nil
                    case .edge: k = min(max(k, 0), last)
                    case .reflect: k = k < 0 ? -k : 2 * last - k
                    }
                }
                place = place * data[axis] + k
            }
            return place
        }
    }

    func forward(_ operands: Operands) throws {
        let x = operands[.input(0)], shape = try operands.shape(.output(0))
        operands.write(
            .output(0), NDArray(shape, sources(x.shape, shape).map { $0.map { x[$0] } ?? Double(constantValue) }))
    }

    func backward(_ operands: Operands, part: Int) throws {
        let dy = operands[.outputGradient(0)]
        var dx = NDArray(try operands.shape(.gradient(0)))
        for (i, source) in sources(dx.shape, dy.shape).enumerated() { if let source { dx[source] += dy[i] } }
        operands.write(.gradient(0), dx)
    }
}

extension UpSampling: ReferenceOperator {
    func forward(_ operands: Operands) throws {
        let shape = try operands.shape(.output(0))
        if sample == .bilinear { return try deconvolution(channels: shape[1]).forward(operands) }
        var y = NDArray(shape)
        for input in 0..<numArgs {
            let x = operands[.input(input)]
            try forEach(operands, input, output: shape) { to, from in y[to] += x[from] }
        }
        operands.write(.output(0), y)
    }

    func backward(_ operands: Operands, part: Int) throws {
        let dy = operands[.outputGradient(0)]
        if sample == .bilinear { return try deconvolution(channels: dy.shape[1]).backward(operands, part: part) }
        var dx = NDArray(try operands.inputShape(part))
        try forEach(operands, part, output: dy.shape) { from, to in dx[to] += dy[from] }
        operands.write(.gradient(part), dx)
    }

    /// Calls body(element of the output, element of an input).
    private func forEach(_ operands: Operands, _ input: Int, output: Shape, _ body: (Int, Int) -> Void) throws {
        let shape = try operands.inputShape(input), scale = output[2] / shape[2]
        var first = 0
        if join == .concat { for earlier in 0..<input { first += try operands.inputShape(earlier)[1] } }
        for index in Indices([shape[0], shape[1], output[2], output[3]]) {
            let (n, c, y, x) = (index[0], index[1], index[2], index[3])
            body(
                ((n * output[1] + first + c) * output[2] + y) * output[3] + x,
                ((n * shape[1] + c) * shape[2] + y / scale) * shape[3] + x / scale)
        }
    }
}
