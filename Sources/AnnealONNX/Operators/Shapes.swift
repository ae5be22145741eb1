import AnnealCore
import AnnealGraph

// Operators that move elements and compute nothing: shapes, slices, repetition, padding.

extension Flatten: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        [try site.node("Flatten", site.names, ["axis": .int(1)])]
    }
}

extension Reshape: ONNXOperator {
    /// MXNet's codes are resolved from the shapes.
    package func export(_ site: ONNXSite) throws -> [String] { try site.reshapedFirstInput() }
}

extension ReshapeLike: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] { try site.reshapedFirstInput() }
}

extension ExpandDims: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] { try site.reshapedFirstInput() }
}

extension Squeeze: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] { try site.reshapedFirstInput() }
}

extension Copy: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] { [site.names[0]] }
}

extension BlockGrad: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] { [site.names[0]] }
}

extension Concat: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        [try site.node("Concat", site.names, ["axis": .int(dim)])]
    }
}

extension Stack: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let place = site.integers([axis], "axes")
        let pieces = try site.names.map { try site.node("Unsqueeze", [$0, place]) }
        return [try site.node("Concat", pieces, ["axis": .int(axis)])]
    }
}

extension SliceChannel: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let pieces = try site.nodes("Split", site.names, outputs: numOutputs, ["axis": .int(axis)])
        guard squeezeAxis else { return pieces }
        return try pieces.map { try site.reshape($0, to: site.outputs[0]) }
    }
}

extension Transpose: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let rank = site.inputs[0].shape.rank
        let order = axes.map { $0.map { $0 < 0 ? $0 + rank : $0 } } ?? (0..<rank).reversed()
        return [try site.transpose(site.names[0], order)]
    }
}

extension SwapAxis: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let rank = site.inputs[0].shape.rank
        var order = Array(0..<rank)
        order.swapAt(dim1 < 0 ? dim1 + rank : dim1, dim2 < 0 ? dim2 + rank : dim2)
        return [try site.transpose(site.names[0], order)]
    }
}

extension DepthSpace: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let type = member == .depthToSpace ? "DepthToSpace" : "SpaceToDepth"
        return [try site.node(type, site.names, ["blocksize": .int(blockSize)])]
    }
}

extension Slice: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] { try slice(site) }
}

extension SliceAxis: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] { try slice(site) }
}

extension SliceLike: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] { try slice(site) }
}

extension Crop: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] { try slice(site) }
}

extension Reverse: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] { try slice(site) }
}

extension BroadcastTo: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] { try expand(site) }
}

extension BroadcastAxis: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] { try expand(site) }
}

extension BroadcastLike: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let data = site.inputs[0].shape, like = site.inputs[1].shape, output = site.outputs[0]
        guard output.batchAxes != data.batchAxes else { return try expand(site) }
        // The batch's extent is known at run time, from the shape of the other input.
        let extents = try site.node("Shape", [site.names[1]])
        let pieces = try (0..<output.rank).map { axis in
            guard output.batchAxes.contains(axis), !data.batchAxes.contains(axis) else {
                return site.integers([data.shape[axis] == 1 ? output[axis] : 1], "extent")
            }
            let place = lhsAxes?.firstIndex { $0 == axis || $0 + data.rank == axis }
            let source = place.flatMap { rhsAxes?[$0] } ?? axis
            return try site.node(
                "Gather", [extents, site.integers([source < 0 ? source + like.rank : source], "axis")])
        }
        let target = pieces.count == 1 ? pieces[0] : try site.node("Concat", pieces, ["axis": .int(0)])
        return [try site.node("Expand", [site.names[0], target])]
    }
}

extension StridedOperator {
    /// A strided view of the data as ONNX's `Slice`.
    fileprivate func slice(_ site: ONNXSite) throws -> [String] {
        let data = site.inputs[0].shape, output = site.outputs[0]
        let view = try view(of: data.shape, output: output.shape)
        var starts: [Int] = [], ends: [Int] = [], axes: [Int] = [], steps: [Int] = []
        var stride = data.shape.count
        for axis in 0..<data.rank {
            stride /= data[axis]
            let start = view.offset / stride % data[axis], step = view.strides[axis] / stride
            let isWhole = start == 0 && step == 1 && data.extents[axis] == output.extents[axis]
            if isWhole { continue }
            guard !data.batchAxes.contains(axis) else {
                throw site.refusal("it slices the batch", suggestion: ONNXSite.fixBatch)
            }
            let end = start + step * view.extents[axis]
            axes.append(axis)
            starts.append(start)
            steps.append(step)
            // Before the first element: an end of -1 would count from the back.
            ends.append(end < 0 ? -data[axis] - 1 : end)
        }
        guard !axes.isEmpty else { return [site.names[0]] }
        return [
            try site.node(
                "Slice",
                [
                    site.names[0], site.integers(starts, "starts"), site.integers(ends, "ends"),
                    site.integers(axes, "axes"), site.integers(steps, "steps"),
                ])
        ]
    }

    /// Extents of 1 repeated.
    fileprivate func expand(_ site: ONNXSite) throws -> [String] {
        let data = site.inputs[0].shape, output = site.outputs[0]
        let target = try (0..<data.rank).map { axis in
            guard data.extents[axis] != output.extents[axis] else { return 1 }
            guard let extent = output.extents[axis] else {
                throw site.refusal("it broadcasts to the batch", suggestion: ONNXSite.fixBatch)
            }
            return extent
        }
        return [try site.node("Expand", [site.names[0], site.integers(target, "shape")])]
    }
}

extension Tile: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let data = site.inputs[0]
        var value = data.name
        let missing = reps.count - data.shape.rank
        if missing > 0 {
            value = try site.reshape(value, to: Array(repeating: 1, count: missing) + data.shape.reshapeTarget())
        }
        let times = Array(repeating: 1, count: max(0, -missing)) + reps
        return [try site.node("Tile", [value, site.integers(times, "repeats")])]
    }
}

extension Repeat: ONNXOperator {
    /// A new axis after the repeated one, along which the data is repeated.
    package func export(_ site: ONNXSite) throws -> [String] {
        let data = site.inputs[0]
        var times = Array(repeating: 1, count: axis == nil ? 1 : data.shape.rank)
        let index = axis.map { $0 < 0 ? $0 + data.shape.rank : $0 } ?? 0
        times.insert(repeats, at: index + 1)
        let flat = axis == nil ? try site.reshape(data.name, to: [-1]) : data.name
        let wider = try site.node("Unsqueeze", [flat, site.integers([index + 1], "axes")])
        let repeated = try site.node("Tile", [wider, site.integers(times, "repeats")])
        return [try site.reshape(repeated, to: site.outputs[0])]
    }
}

extension Pad: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let axes = 0..<site.inputs[0].shape.rank
        let widths = axes.map { padWidth[2 * $0] } + axes.map { padWidth[2 * $0 + 1] }
        let reads =
            [site.names[0], site.integers(widths, "pads")] + (mode == .constant ? [site.scalar(constantValue)] : [])
        return [try site.node("Pad", reads, ["mode": .string(mode.rawValue)])]
    }
}

extension ONNXSite {
    fileprivate func reshapedFirstInput() throws -> [String] { [try reshape(names[0], to: outputs[0])] }
}
