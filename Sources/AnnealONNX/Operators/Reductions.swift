import AnnealCore
import AnnealGraph

// Reductions along axes, and sorting.

extension ReducedAxes {
    fileprivate func indices(rank: Int) -> [Int] {
        let named = Set(axis.map { $0 < 0 ? $0 + rank : $0 })
        return (0..<rank).filter { axis.isEmpty || named.contains($0) != exclude }
    }

    /// Adds a reducing node; MXNet returns an array of one element where ONNX would return a scalar.
    fileprivate func reduce(_ type: String, _ value: String, _ site: ONNXSite) throws -> [String] {
        let axes = indices(rank: site.inputs[0].shape.rank), keep = ONNXAttribute.int(keepdims ? 1 : 0)
        // Since version 13 only the sum takes its axes as an input.
        let reduced =
            type == "ReduceSum"
            ? try site.node(type, [value, site.integers(axes, "axes")], ["keepdims": keep])
            : try site.node(type, [value], ["axes": .ints(axes), "keepdims": keep])
        let isScalar = !keepdims && axes.count == site.inputs[0].shape.rank
        return [isScalar ? try site.reshape(reduced, to: [1]) : reduced]
    }
}

extension Reduction: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let x = site.names[0]
        func numbers(orElse value: Float) throws -> String {
            try site.node("Where", [site.node("IsNaN", [x]), site.scalar(value), x])
        }
        switch member {
        case .sum: return try axes.reduce("ReduceSum", x, site)
        case .mean: return try axes.reduce("ReduceMean", x, site)
        case .prod: return try axes.reduce("ReduceProd", x, site)
        case .max: return try axes.reduce("ReduceMax", x, site)
        case .min: return try axes.reduce("ReduceMin", x, site)
        case .nansum: return try axes.reduce("ReduceSum", numbers(orElse: 0), site)
        case .nanprod: return try axes.reduce("ReduceProd", numbers(orElse: 1), site)
        }
    }
}

extension Norm: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        try axes.reduce(order == 1 ? "ReduceL1" : "ReduceL2", site.names[0], site)
    }
}

extension ArgExtremum: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let flat = axis == nil ? try site.reshape(site.names[0], to: [-1]) : site.names[0]
        let place = try site.node(
            member == .argmin ? "ArgMin" : "ArgMax", [flat],
            ["axis": .int(axis ?? 0), "keepdims": .int(keepdims || axis == nil ? 1 : 0)])
        let result = try site.cast(place, to: .float32)
        // An array of one element has one axis; if the whole array is reduced and axes are kept, all of them.
        let asItIs = axis != nil && (keepdims || site.inputs[0].shape.rank > 1)
        return [asItIs ? result : try site.reshape(result, to: site.outputs[0])]
    }
}

extension Ordering: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let data = site.inputs[0].shape, index = axis.map { $0 < 0 ? $0 + data.rank : $0 }
        guard returned != .mask else { throw site.refusal("topk with ret_typ 'mask' cannot be exported to ONNX") }
        guard !(index.map { data.batchAxes.contains($0) } ?? !data.batchAxes.isEmpty) else {
            throw site.refusal("it sorts along the batch", suggestion: ONNXSite.fixBatch)
        }
        let flat = index == nil ? try site.reshape(site.names[0], to: [-1]) : site.names[0]
        let count = k > 0 ? k : index.map { data[$0] } ?? data.shape.count
        let ordered = try site.nodes(
            "TopK", [flat, site.integers([count], "k")], outputs: 2,
            ["axis": .int(index ?? 0), "largest": .int(ascending ? 0 : 1), "sorted": .int(1)])
        if returned == .value { return [ordered[0]] }
        let places = try site.cast(ordered[1], to: .float32)
        return returned == .both ? [ordered[0], places] : [places]
    }
}
