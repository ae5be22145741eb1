import AnnealCore

extension ConstantFolding {
    /// Operators that move elements.
    static let shapes: [String: Fold] = [
        "ConstantOfShape": { site in
            let shape = try site.checked(try site.input(0).integers)
            guard shape.allSatisfy({ $0 >= 0 }) else { throw site.refusal("its shape is \(shape)") }
            let value = try site.node.attributes["value"]?.tensor?.array(nil) ?? ModelArray([1], [0])
            guard let filled = value.reshaped(checking: [1])?.broadcast(shape) else {
                throw site.refusal("its value is not one number")
            }
            return [filled]
        },
        "Gather": { site in
            let data = try site.input(0), indices = try site.input(1)
            guard data.rank > 0 else { throw site.refusal("its data has no axes") }
            let axis = try site.axis(site.int("axis", default: 0), of: data.rank), extent = data.shape[axis]
            let places = indices.integers.map { $0 < 0 ? $0 + extent : $0 }
            guard places.allSatisfy((0..<extent).contains) else {
                throw site.refusal("an index is outside its axis of \(extent)")
            }
            let before = Array(data.shape[..<axis]), after = Array(data.shape[(axis + 1)...])
            let shape = try site.checked(before + indices.shape + after)
            let inner = after.reduce(1, *), outer = before.reduce(1, *)
            func gathered<T>(_ values: [T]) -> [T] {
                var result: [T] = []
                for block in 0..<outer {
                    for place in places {
                        let start = (block * extent + place) * inner
                        result += values[start..<start + inner]
                    }
                }
                return result
            }
            return [data.replacing(shape: shape, floats: gathered, integers: gathered)]
        },
        "Concat": { site in
            let parts = try site.inputs.indices.map { try site.input($0) }
            guard let first = parts.first, first.rank > 0 else { throw site.refusal("it joins nothing") }
            let axis = try site.axis(site.int("axis", default: 1), of: first.rank)
            var shape = first.shape
            shape[axis] = 0
            for part in parts {
                var others = part.shape
                if others.count > axis { others[axis] = first.shape[axis] }
                guard others == first.shape, part.type == first.type else {
                    throw site.refusal("its inputs do not fit together")
                }
                shape[axis] += part.shape[axis]
            }
            shape = try site.checked(shape)
            let outer = shape[..<axis].reduce(1, *)
            func joined<T>(_ values: (ModelArray) -> [T]) -> [T] {
                let all = parts.map { (values: values($0), width: $0.shape[axis...].reduce(1, *)) }
                var result: [T] = []
                for block in 0..<outer {
                    for part in all { result += part.values[block * part.width..<(block + 1) * part.width] }
                }
                return result
            }
            return [
                first.type.isFloat
                    ? ModelArray(type: first.type, shape: shape, floats: joined(\.floats))
                    : ModelArray(type: first.type, shape: shape, integers: joined(\.integers))
            ]
        },
        "Squeeze": { site in
            let data = try site.input(0)
            return [
                data.reshaped(
                    try ONNXShapes.squeezed(data.shape, axes: try site.integers(attribute: "axes", input: 1)))
            ]
        },
        "Unsqueeze": { site in
            let data = try site.input(0)
            guard let axes = try site.integers(attribute: "axes", input: 1) else {
                throw site.refusal("its axes are missing")
            }
            return [data.reshaped(try ONNXShapes.unsqueezed(data.shape, axes: axes))]
        },
        "Reshape": { site in
            let data = try site.input(0)
            let target = try site.integers(attribute: "shape", input: 1) ?? []
            return [
                data.reshaped(
                    try ONNXShapes.reshaped(data.shape, to: target, allowZero: site.int("allowzero", default: 0) != 0))
            ]
        },
        "Flatten": { site in
            let data = try site.input(0)
            return [data.reshaped(try ONNXShapes.flattened(data.shape, axis: site.int("axis", default: 1)))]
        },
        "Identity": { site in [try site.input(0)] },
        "Dropout": { site in [try site.input(0)] },
        "Transpose": { site in
            let data = try site.input(0)
            let order = site.node.attributes["perm"]?.integers ?? Array(data.shape.indices.reversed())
            guard order.sorted() == Array(data.shape.indices) else {
                throw site.refusal("perm \(order) is not a permutation of its axes")
            }
            return [data.transposed(order)]
        },
        "Slice": { site in
            let data = try site.input(0)
            let slicing = try ONNXShapes.slicing(site.node, opset: site.opset, rank: data.rank) { index, _ in
                site.has(index) ? try site.input(index).integers : nil
            }
            var shape = data.shape, strides = ModelArray.strides(data.shape), offset = 0
            for (index, axis) in slicing.axes.enumerated() {
                let slice = try ONNXShapes.slice(
                    extent: shape[axis], start: slicing.starts[index], end: slicing.ends[index],
                    step: slicing.steps[index])
                offset += slice.first * strides[axis]
                shape[axis] = slice.count
                strides[axis] = slice.count > 1 ? strides[axis] * slice.step : strides[axis]
            }
            return [data.strided(shape, offset: offset, strides: strides)]
        },
        "Expand": { site in
            let data = try site.input(0), target = try site.input(1).integers
            let shape = try site.checked(try ONNXShapes.broadcast(data.shape, target))
            guard let result = data.broadcast(shape) else { throw site.refusal("\(target) does not fit its data") }
            return [result]
        },
        "Tile": { site in
            let data = try site.input(0), repeats = try site.input(1).integers
            guard repeats.count == data.rank, repeats.allSatisfy({ (0...1 << 30).contains($0) }) else {
                throw site.refusal("its repeats are \(repeats)")
            }
            let pairs = try site.checked(zip(repeats, data.shape).flatMap { [$0, $1] })
            let shape = zip(data.shape, repeats).map { $0 * $1 }
            let strides = ModelArray.strides(data.shape).flatMap { [0, $0] }
            return [data.strided(pairs, strides: strides).reshaped(shape)]
        },
        "Split": { site in
            let data = try site.input(0)
            let axis = try site.axis(site.int("axis", default: 0), of: data.rank)
            let pieces = try ONNXShapes.pieces(
                data.shape[axis], sizes: try site.integers(attribute: "split", input: 1),
                count: site.node.attributes["num_outputs"]?.integer ?? site.node.outputs.count)
            var start = 0
            let strides = ModelArray.strides(data.shape)
            return pieces.map { piece in
                var shape = data.shape
                shape[axis] = piece
                defer { start += piece }
                return data.strided(shape, offset: start * strides[axis], strides: strides)
            }
        },
    ]
}

extension ModelArray {
    /// Under another shape; nil if that has a different number of elements.
    func reshaped(checking shape: [Int]) -> ModelArray? { shape.reduce(1, *) == count ? reshaped(shape) : nil }

    /// Other elements of the same type.
    func replacing(shape: [Int], floats: ([Float]) -> [Float], integers: ([Int]) -> [Int]) -> ModelArray {
        type.isFloat
            ? ModelArray(type: type, shape: shape, floats: floats(self.floats))
            : ModelArray(type: type, shape: shape, integers: integers(self.integers))
    }
}
