import AnnealCore
import AnnealGraph

extension OperatorImport {
    /// Operators that return the same elements in another shape or order, or some of them.
    static let views: [String: Convert] = [
        "Flatten": { site in
            let shapes = try site.shapes(0), axis = site.int("axis", default: 1)
            return [try reshaped(site, to: shapes.map { Shape(try ONNXShapes.flattened($0.dims, axis: axis)) })]
        },
        "Reshape": { site in
            let shapes = try site.shapes(0), allowsZero = site.int("allowzero", default: 0) != 0
            let targets = try site.ints("shape").map { [$0, $0] } ?? site.constants(1, "its shape").map(\.integers)
            return [
                try reshaped(
                    site,
                    to: zip(shapes, targets).map { shape, target in
                        Shape(try ONNXShapes.reshaped(shape.dims, to: target, allowZero: allowsZero))
                    })
            ]
        },
        "Squeeze": { site in
            let shapes = try site.shapes(0), axes = try site.integers(attribute: "axes", input: 1)
            return [try reshaped(site, to: shapes.map { Shape(try ONNXShapes.squeezed($0.dims, axes: axes)) })]
        },
        "Unsqueeze": { site in
            let shapes = try site.shapes(0)
            guard let axes = try site.integers(attribute: "axes", input: 1) else {
                throw site.refusal("its axes are missing")
            }
            return [try reshaped(site, to: shapes.map { Shape(try ONNXShapes.unsqueezed($0.dims, axes: axes)) })]
        },
        "Transpose": { site in
            let (stored, order) = try site.ordered(0), now = order ?? Array(0..<stored.rank)
            let axes = site.ints("perm") ?? Array(now.indices.reversed())
            guard axes.sorted() == Array(now.indices) else {
                throw site.refusal("perm \(axes) is not a permutation of its axes")
            }
            return [stored.value(axes.map { now[$0] })]
        },
        "Expand": { site in
            let shapes = try site.shapes(0), targets = try site.constants(1, "its shape").map(\.integers)
            let wanted = try zip(shapes, targets).map { Shape(try ONNXShapes.broadcast($0.dims, $1)) }
            var data = try site.data(0)
            let padded = zip(shapes, wanted).map { Shape(Array(repeating: 1, count: $1.rank - $0.rank) + $0.dims) }
            data = try site.reshape(data, to: padded, suffix: "_axes")
            guard data.shapes != wanted else { return [data.value] }
            let shape = try wanted[0].dims.indices.map { axis -> Int in
                if zip(data.shapes, wanted).allSatisfy({ $0[axis] == $1[axis] }) { return 0 }
                guard wanted[0][axis] == wanted[1][axis] else {
                    throw site.refusal("a value is repeated for each image")
                }
                return wanted[0][axis]
            }
            return [try site.op("broadcast_to", [data], ["shape": AttributeText.tuple(shape)]).value]
        },
        "Tile": { site in
            let repeats = try site.constant(1, "its repeats").integers, data = try site.data(0)
            guard repeats.count == data.rank, repeats.allSatisfy({ $0 > 0 }) else {
                throw site.refusal("its repeats are \(repeats)")
            }
            return [try site.op("tile", [data], ["reps": AttributeText.tuple(repeats)]).value]
        },
        "Slice": { site in
            let (stored, order) = try site.ordered(0), shapes = try site.shapes(0), rank = stored.rank
            let slicings = try (0..<2).map { batch in
                try ONNXShapes.slicing(site.node, opset: site.opset, rank: rank) { index, what in
                    site.has(index) ? try site.constants(index, what)[batch].integers : nil
                }
            }
            var begin: [String] = Array(repeating: "None", count: rank), end = begin, step = begin
            for (index, axis) in slicings[0].axes.enumerated() {
                let slices = try (0..<2).map { batch in
                    try ONNXShapes.slice(
                        extent: shapes[batch][axis], start: slicings[batch].starts[index],
                        end: slicings[batch].ends[index], step: slicings[batch].steps[index])
                }
                let isWhole = (0..<2).allSatisfy {
                    slices[$0].first == 0 && slices[$0].step == 1 && slices[$0].count == shapes[$0][axis]
                }
                if isWhole { continue }
                let slice = slices[0], place = order?[axis] ?? axis
                guard slices[0] == slices[1], shapes[0][axis] == shapes[1][axis] else {
                    throw site.refusal("it takes some of a batch's images")
                }
                guard slice.count > 0 else { throw site.refusal("nothing is left of \(shapes[0])") }
                let last = slice.first + slice.step * (slice.count - 1)
                begin[place] = "\(slice.first)"
                // One past the last index; there is none to name before the first one.
                let past = last + (slice.step > 0 ? 1 : -1)
                end[place] = past < 0 ? "None" : "\(past)"
                step[place] = "\(slice.step)"
            }
            guard step.contains(where: { $0 != "None" }) else { return [stored.value(order)] }
            return [try site.sliced(stored, begin: begin, end: end, step: step).value(order)]
        },
        "Split": { site in
            let (stored, order) = try site.ordered(0), shapes = try site.shapes(0)
            let axis = try site.axis(site.int("axis", default: 0), of: stored.rank), place = order?[axis] ?? axis
            guard shapes[0][axis] == shapes[1][axis] else { throw site.refusal("it parts a batch's images") }
            let pieces = try ONNXShapes.pieces(
                shapes[0][axis], sizes: site.integers(attribute: "split", input: 1),
                count: site.int("num_outputs") ?? site.node.outputs.count)
            guard pieces.allSatisfy({ $0 > 0 }) else { throw site.refusal("a piece is empty: \(pieces)") }
            if Set(pieces).count == 1 {
                return try site.graph.add(
                    "SliceChannel", site.layer, [stored], ["num_outputs": "\(pieces.count)", "axis": "\(place)"]
                ).map { $0.value(order) }
            }
            var start = 0
            return try pieces.enumerated().map { number, piece in
                defer { start += piece }
                return try site.op(
                    "slice_axis", [stored], ["axis": "\(place)", "begin": "\(start)", "end": "\(start + piece)"],
                    suffix: "_\(number)"
                ).value(order)
            }
        },
        "Pad": { site in
            let (stored, order) = try site.ordered(0), rank = stored.rank
            guard let given = try site.integers(attribute: "pads", input: 1) else {
                throw site.refusal("its pads are missing")
            }
            let axes =
                site.has(3)
                ? try site.constant(3, "axes").integers.map { try site.axis($0, of: rank) } : Array(0..<rank)
            guard given.count == 2 * axes.count else { throw site.refusal("its pads \(given) do not fit its axes") }
            var pads = Array(repeating: (0, 0), count: rank)
            for (index, axis) in axes.enumerated() {
                pads[order?[axis] ?? axis] = (given[index], given[index + axes.count])
            }
            let mode = site.string("mode", default: "constant")
            guard ["constant", "edge", "reflect"].contains(mode) else { throw site.refusal("its mode is \(mode)") }
            let value =
                site.has(2) ? try site.constant(2, "its value").floats.first ?? 0 : site.float("value", default: 0)
            if pads.allSatisfy({ $0 == (0, 0) }) { return [stored.value(order)] }
            guard (3...5).contains(rank), pads[0] == (0, 0), pads[1] == (0, 0),
                pads.allSatisfy({ (0...1 << 20).contains($0.0) && (0...1 << 20).contains($0.1) })
            else { throw site.refusal("pads \(given): only positions of images can be padded") }
            return [try site.padded(stored, Array(pads[2...]), value, mode: mode).value(order)]
        },
        "DepthToSpace": { site in
            guard site.string("mode", default: "DCR") == "DCR" else { throw site.refusal("its mode is CRD") }
            return [
                try site.op("depth_to_space", [site.data(0)], ["block_size": "\(site.int("blocksize", default: 0))"])
                    .value
            ]
        },
        "SpaceToDepth": { site in
            [
                try site.op("space_to_depth", [site.data(0)], ["block_size": "\(site.int("blocksize", default: 0))"])
                    .value
            ]
        },
    ]

    private static func reshaped(_ site: ImportSite, to shapes: [Shape]) throws -> ImportedValue {
        guard shapes[0].rank > 0 else { throw site.refusal("its output is a number without axes") }
        let (stored, order) = try site.ordered(0)
        // Axes of extent 1 may be anywhere in memory: a pooled image needs no transposition.
        let moved = (order ?? []).filter { axis in stored.shapes.contains { $0[axis] != 1 } }
        let source = moved == moved.sorted() ? stored : try site.transposed(stored, order)
        return try site.reshape(source, to: shapes).value
    }
}
