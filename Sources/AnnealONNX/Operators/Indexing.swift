import AnnealCore
import AnnealGraph

// Elements selected by indices, which MXNet stores as floats.

extension ONNXSite {
    /// Indices as int64, brought into the axis's range.
    func indices(_ value: String, extent: Int, mode: IndexMode) throws -> String {
        let whole = try cast(value, to: .int64)
        return mode == .wrap
            ? try node("Mod", [whole, integer(extent, "extent")])
            : try node("Clip", [whole, integer(0, "first"), integer(extent - 1, "last")])
    }

    func fixedExtent(_ shape: BatchShape, _ axis: Int) throws -> Int {
        guard let extent = shape.extents[axis < 0 ? axis + shape.rank : axis] else {
            throw refusal("it chooses from the batch", suggestion: ONNXSite.fixBatch)
        }
        return extent
    }
}

extension Take: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let extent = try site.fixedExtent(site.inputs[0].shape, axis)
        let places = try site.indices(site.names[1], extent: extent, mode: mode)
        return [try site.node("Gather", [site.names[0], places], ["axis": .int(axis)])]
    }
}

extension Pick: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        guard let axis else { throw site.refusal("pick of the flattened array cannot be exported to ONNX") }
        let data = site.inputs[0].shape
        let places = try site.indices(
            site.reshape(site.names[1], to: data.keeping(axis)), extent: site.fixedExtent(data, axis), mode: mode)
        let picked = try site.node("GatherElements", [site.names[0], places], ["axis": .int(axis)])
        return [keepdims ? picked : try site.reshape(picked, to: site.outputs[0])]
    }
}

extension OneHot: ONNXOperator {
    /// By comparison: an index outside the depth gives a row without a hot element, as in MXNet.
    package func export(_ site: ONNXSite) throws -> [String] {
        let places = try site.node(
            "Unsqueeze", [site.cast(site.names[0], to: .int64), site.integers([-1], "axes")])
        let isHot = try site.node("Equal", [places, site.integers(Array(0..<depth), "depth")])
        return [try site.node("Where", [isHot, site.scalar(onValue), site.scalar(offValue)])]
    }
}

extension Where: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let condition = site.inputs[0], rank = site.outputs[0].rank
        var chosen = condition.name
        if condition.shape.rank < rank {
            let target = try condition.shape.reshapeTarget()
            chosen = try site.reshape(chosen, to: target + Array(repeating: 1, count: rank - 1))
        }
        return [try site.node("Where", [site.cast(chosen, to: .bool)] + site.names.dropFirst())]
    }
}
