import AnnealCore
import AnnealGraph

extension Pooling: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        if globalPool { return [try global(site)] }
        let data = site.inputs[0].shape.shape, output = site.outputs[0].shape
        let (kernel, stride, pad) = try window(data)
        // ONNX's own rounding up differs between versions: the padding that the last windows of `full` need is added
        // explicitly at the end instead.
        let end = kernel.indices.map { axis in
            max(pad[axis], (output[axis + 2] - 1) * stride[axis] + kernel[axis] - data[axis + 2] - pad[axis])
        }
        guard zip(end, kernel).allSatisfy({ $0 < $1 }) else {
            throw site.refusal("windows of kernel \(kernel) and stride \(stride) lie outside the data \(data)")
        }
        func pool(
            _ type: String, _ name: String? = nil, _ value: Int = 0, of data: String? = nil, pads: [Int]? = nil
        ) throws -> String {
            try site.graph.add(
                type, layer: site.layer, reads: [data ?? site.names[0]], outputs: 1,
                [
                    ("kernel_shape", .ints(kernel)), ("strides", .ints(stride)), ("pads", .ints(pads ?? pad + end)),
                ] + (name.map { [($0, .int(value))] } ?? []))[0]
        }
        switch kind {
        case .max where isFirstVersion && pad.contains { $0 > 0 }:
            // It pads with zeros that take part in the maximum.
            let widths = [0, 0] + pad
            let padded = try site.node(
                "Pad", [site.names[0], site.integers(widths + widths, "pads"), site.scalar(0)],
                ["mode": .string("constant")])
            let rest = zip(end, pad).map { $0 - $1 }
            return [try pool("MaxPool", of: padded, pads: pad.map { _ in 0 } + rest)]
        case .max: return [try pool("MaxPool")]
        case .lp: return [try pool("LpPool", "p", power)]
        case .avg where !countIncludePad: return [try pool("AveragePool", "count_include_pad", 0)]
        case .avg:
            let mean = try pool("AveragePool", "count_include_pad", 1)
            // The first version divides by all of them too.
            guard end != pad, !isFirstVersion else { return [mean] }
            let factors = correction(extents: data.dims.suffix(kernel.count), output, kernel, stride, pad)
            return [try site.node("Mul", [mean, site.constant(factors, "divisors")])]
        case .sum:
            let mean = try pool("AveragePool", "count_include_pad", 1)
            return [try site.node("Mul", [mean, site.scalar(Float(kernel.reduce(1, *)))])]
        }
    }

    private func global(_ site: ONNXSite) throws -> String {
        let spatial = site.inputs[0].shape.shape.dims.indices.dropFirst(2)
        switch kind {
        case .max: return try site.node("GlobalMaxPool", site.names)
        case .avg: return try site.node("GlobalAveragePool", site.names)
        case .lp: return try site.node("GlobalLpPool", site.names, ["p": .int(power)])
        case .sum: return try site.node("ReduceSum", [site.names[0], site.integers(Array(spatial), "axes")])
        }
    }

    /// MXNet divides by the number of cells of a window that lie in the data or its padding, ONNX by all of them: the
    /// ratios, of shape (1, 1, …).
    private func correction(
        extents: ArraySlice<Int>, _ output: Shape, _ kernel: [Int], _ stride: [Int], _ pad: [Int]
    ) -> Tensor {
        var factors: [Float] = [1]
        for (axis, extent) in extents.enumerated() {
            let along = (0..<output[axis + 2]).map { place in
                let start = place * stride[axis] - pad[axis]
                return Float(kernel[axis]) / Float(min(start + kernel[axis], extent + pad[axis]) - start)
            }
            factors = factors.flatMap { factor in along.map { factor * $0 } }
        }
        return Tensor(Shape([1, 1] + output.dims.dropFirst(2)), factors)
    }
}

extension UpSampling: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        guard sample == .nearest else {
            return try deconvolution(channels: site.inputs[0].shape[1]).export(site)
        }
        let height = site.outputs[0][2]
        let enlarged = try site.inputs.map { input in
            let factor = Float(height / input.shape[2])
            return try site.node(
                "Resize", [input.name, "", site.constant(Tensor([4], [1, 1, factor, factor]), "scales")],
                [
                    "mode": .string("nearest"), "nearest_mode": .string("floor"),
                    "coordinate_transformation_mode": .string("asymmetric"),
                ])
        }
        guard enlarged.count > 1 else { return enlarged }
        return [
            join == .sum
                ? try site.node("Sum", enlarged) : try site.node("Concat", enlarged, ["axis": .int(1)])
        ]
    }
}
