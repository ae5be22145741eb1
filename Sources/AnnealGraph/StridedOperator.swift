import AnnealCore

/// An operator that gives elements of its first input at strided places: y[i] = x[offset + Σ index · stride]. The engine
/// needs no more to compute it and its gradient. Other inputs lend their shapes only.
public protocol StridedOperator: Operator {
    /// The output's elements in row order, as extents with a stride in the input for each.
    func view(of data: Shape, output: Shape) throws -> StridedView
}

public struct StridedView: Sendable {
    public var extents: [Int]
    public var strides: [Int]
    public var offset = 0

    /// The whole array in its own order.
    init(_ shape: Shape) {
        extents = shape.dims
        strides = Array(repeating: 1, count: shape.rank)
        for axis in strides.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
    }
}

extension StridedOperator {
    public var backward: [BackwardPart] { [BackwardPart(reads: [.head(0)], writes: [0])] }
    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { 0 }
}
