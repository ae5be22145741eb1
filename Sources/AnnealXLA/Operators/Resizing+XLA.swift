import AnnealCore
import AnnealGraph

extension Pad: XLAOperator {
    /// Elements before and after each axis of a channels-last array.
    private func amounts(_ rank: Int) -> [(low: Int, high: Int)] {
        Order.axes(rank).map { (padWidth[2 * $0], padWidth[2 * $0 + 1]) }
    }

    func forward(_ operands: Operands) {
        operands.map(.input(0), to: .output(0)) { x in
            let amounts = amounts(x.rank)
            guard mode != .constant else {
                return x.padded(Double(constantValue), low: amounts.map(\.low), high: amounts.map(\.high))
            }
            return amounts.enumerated().reduce(x) { surrounded($0, axis: $1.offset, $1.element) }
        }
    }

    func backward(_ operands: Operands, part: Int) {
        operands.map(.outputGradient(0), to: .gradient(0)) { dy in
            let amounts = amounts(dy.rank)
            guard mode != .constant else {
                return dy.sliced(from: amounts.map(\.low), to: dy.dims.indices.map { dy.dims[$0] - amounts[$0].high })
            }
            return amounts.enumerated().reversed().reduce(dy) { gathered($0, axis: $1.offset, $1.element) }
        }
    }

    private func surrounded(_ x: HLOValue, axis: Int, _ amount: (low: Int, high: Int)) -> HLOValue {
        let last = x.dims[axis] - 1
        func edge(_ place: Int, _ count: Int) -> HLOValue {
            var dims = x.dims
            dims[axis] = count
            return x.sliced(axis: axis, from: place, to: place + 1).stretched(to: dims)
        }
        var parts = [x]
        if amount.low > 0 {
            let mirrored = mode == .edge ? edge(0, amount.low) : x.sliced(axis: axis, from: 1, to: amount.low + 1)
            parts.insert(mode == .edge ? mirrored : mirrored.reversed([axis]), at: 0)
        }
        if amount.high > 0 {
            let mirrored =
                mode == .edge ? edge(last, amount.high) : x.sliced(axis: axis, from: last - amount.high, to: last)
            parts.append(mode == .edge ? mirrored : mirrored.reversed([axis]))
        }
        return HLOValue.concatenated(parts, axis: axis)
    }

    /// The adjoint of `surrounded`.
    private func gathered(_ dy: HLOValue, axis: Int, _ amount: (low: Int, high: Int)) -> HLOValue {
        let extent = dy.dims[axis] - amount.low - amount.high, last = extent - 1
        var dx = dy.sliced(axis: axis, from: amount.low, to: amount.low + extent)
        /// Adds the gradients of the copies of the elements that begin at `place`.
        func add(_ copies: HLOValue, at place: Int) {
            var target = copies.dims, low = dx.dims.map { _ in 0 }, high = low
            target[axis] = 1
            let sum = mode == .edge ? copies.summed(to: target) : copies.reversed([axis])
            (low[axis], high[axis]) = (place, extent - place - sum.dims[axis])
            dx = dx + sum.padded(0, low: low, high: high)
        }
        if amount.low > 0 { add(dy.sliced(axis: axis, from: 0, to: amount.low), at: mode == .edge ? 0 : 1) }
        if amount.high > 0 {
            let copies = dy.sliced(axis: axis, from: amount.low + extent, to: dy.dims[axis])
            add(copies, at: mode == .edge ? last : last - amount.high)
        }
        return dx
    }
}

extension UpSampling: XLAOperator {
    func forward(_ operands: Operands) throws {
        let shape = try operands.shape(.output(0))
        if sample == .bilinear { return try deconvolution(channels: shape[1]).forward(operands) }
        let parts = (0..<numArgs).map { input in
            let x = operands.stored(.input(input)), scale = shape[2] / x.dims[1]
            return x.reshaped(divided(x.dims, 1)).stretched(to: divided(x.dims, scale))
                .reshaped([x.dims[0], shape[2], shape[3], x.dims[3]])
        }
        let joined = join == .concat ? HLOValue.concatenated(parts, axis: 3) : parts.dropFirst().reduce(parts[0], +)
        operands.writeStored(.output(0), joined)
    }

    func backward(_ operands: Operands, part: Int) throws {
        var dy = operands.stored(.outputGradient(0))
        if sample == .bilinear { return try deconvolution(channels: dy.dims[3]).backward(operands, part: part) }
        let data = Order.channelsLast(try operands.inputShape(part).dims), scale = dy.dims[1] / data[1]
        if join == .concat {
            let first = try (0..<part).reduce(0) { try $0 + operands.inputShape($1)[1] }
            dy = dy.sliced(axis: 3, from: first, to: first + data[3])
        }
        operands.writeStored(
            .gradient(part), dy.reshaped(divided(data, scale)).summed(to: divided(data, 1)).reshaped(data))
    }

    /// (batch, height, scale, width, scale, channels)
    private func divided(_ dims: [Int], _ scale: Int) -> [Int] { [dims[0], dims[1], scale, dims[2], scale, dims[3]] }
}
