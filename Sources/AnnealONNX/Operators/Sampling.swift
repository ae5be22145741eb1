import AnnealCore
import AnnealGraph

// Bilinear sampling (Jaderberg et al. 2015).

extension BilinearSampler: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        [try site.sample(site.names[0], at: site.transpose(site.names[1], [0, 2, 3, 1]))]
    }
}

extension SpatialTransformer: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let size = site.outputs[0].shape.dims.suffix(2).map { $0 }
        let points = try site.affinePoints(site.names[1], height: size[0], width: size[1])
        return [try site.sample(site.names[0], at: site.reshape(points, to: [-1, size[0], size[1], 2]))]
    }
}

extension GridGenerator: ONNXOperator {
    package func export(_ site: ONNXSite) throws -> [String] {
        let size = site.outputs[0].shape.dims.suffix(2).map { $0 }
        let (height, width) = (size[0], size[1])
        if transform == .affine {
            let points = try site.affinePoints(site.names[0], height: height, width: width)
            return [try site.reshape(site.transpose(points, [0, 2, 1]), to: [-1, 2, height, width])]
        }
        // Displacements in pixels, scaled to -1 … 1.
        let columns = (0..<height).flatMap { _ in (0..<width).map(Float.init) }
        let rows = (0..<height).flatMap { row in (0..<width).map { _ in Float(row) } }
        let pixels = site.constant(Tensor([1, 2, height, width], columns + rows), "pixels")
        let halves = site.constant(Tensor([1, 2, 1, 1], [Float(width - 1) / 2, Float(height - 1) / 2]), "halves")
        let scaled = try site.node("Div", [site.node("Add", [site.names[0], pixels]), halves])
        return [try site.node("Sub", [scaled, site.scalar(1)])]
    }
}

extension ONNXSite {
    /// Samples images at points (batch, height, width, 2), x and y in -1 … 1 from edge to edge.
    fileprivate func sample(_ images: String, at points: String) throws -> String {
        try node(
            "GridSample", [images, points],
            ["mode": .string("bilinear"), "padding_mode": .string("zeros"), "align_corners": .int(1)])
    }

    /// The points (batch, height · width, 2) to which the maps (batch, 6) send a grid from edge to edge.
    fileprivate func affinePoints(_ maps: String, height: Int, width: Int) throws -> String {
        func along(_ extent: Int, _ place: Int) -> Float { -1 + 2 * Float(place) / Float(max(1, extent - 1)) }
        let grid = (0..<height * width).flatMap { place -> [Float] in
            [along(width, place % width), along(height, place / width), 1]
        }
        let transposed = try transpose(reshape(maps, to: [-1, 2, 3]), [0, 2, 1])
        return try node("MatMul", [constant(Tensor([height * width, 3], grid), "grid"), transposed])
    }
}
