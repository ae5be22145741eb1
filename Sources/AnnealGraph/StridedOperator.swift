import AnnealCore

/// An operator that copies elements of its first input from strided positions: y[i] = x[offset + Σ index · stride]. The
/// engine needs no more to compute it and its gradient. Only the shapes of other inputs are used.
public protocol StridedOperator: Operator {
    /// The output's extents in row-major order, each with its stride in the input.
    func view(of data: Shape, output: Shape) throws -> StridedView
}

/// Which elements of an array a strided operator reads, in which order.
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
    public var backward: [BackwardPart] { [BackwardPart(reads: [.outputGradient(0)], writes: [0])] }
    public func flops(inputs: [Shape], outputs: [Shape]) -> Double { 0 }
}
