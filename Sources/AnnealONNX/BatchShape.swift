import AnnealCore

/// The shape of a value in a model for any batch size: its extents for one size, and the axes that grow with it.
package struct BatchShape: Equatable {
    package let shape: Shape
    package let batchAxes: Set<Int>

    package init(_ shape: Shape, batchAxes: Set<Int> = []) {
        self.shape = shape
        self.batchAxes = batchAxes
    }

    /// Compares the shapes for two batch sizes.
    init(_ one: Shape, _ other: Shape) throws {
        guard one.rank == other.rank else {
            throw AnnealError(
                "", "the number of axes depends on the batch size", suggestion: ONNXSite.fixBatch, code: .unsupported)
        }
        self.init(one, batchAxes: Set(one.dims.indices.filter { one[$0] != other[$0] }))
    }

    var rank: Int { shape.rank }
    subscript(axis: Int) -> Int { shape[axis] }

    /// nil for the extents that grow with the batch.
    var extents: [Int?] { shape.dims.enumerated().map { batchAxes.contains($0.offset) ? nil : $0.element } }

    /// The shape argument of ONNX's `Reshape`: -1 for the axis that grows.
    func reshapeTarget() throws -> [Int] {
        guard batchAxes.count < 2 else {
            throw AnnealError(
                "", "several axes of \(shape) depend on the batch size", suggestion: ONNXSite.fixBatch,
                code: .unsupported)
        }
        return extents.map { $0 ?? -1 }
    }

    /// With extent 1 along an axis.
    func keeping(_ axis: Int) -> BatchShape {
        var kept = shape
        kept[axis] = 1
        return BatchShape(kept, batchAxes: batchAxes.subtracting([axis < 0 ? axis + rank : axis]))
    }
}
