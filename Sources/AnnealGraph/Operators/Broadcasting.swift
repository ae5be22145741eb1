import AnnealCore

/// MXNet's `broadcast_to`: extents of 1 repeated up to `shape`; a 0 there keeps the extent.
public struct BroadcastTo: SymbolOperator, StridedOperator {
    public static let name = "broadcast_to"
    public let shape: [Int]

    public init(_ attributes: inout AttributeReader) throws { shape = try attributes.tuple("shape") ?? [] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard shape.count == data.rank else {
            throw AnnealError("", "shape \(shape) does not have the \(data.rank) axes of the data \(data)")
        }
        return [try broadcast(data, to: Shape(zip(shape, data.dims).map { $0 == 0 ? $1 : $0 }))]
    }
}

/// MXNet's `broadcast_axis`: extents of 1 along `axis` repeated `size` times.
public struct BroadcastAxis: SymbolOperator, StridedOperator {
    public static let name = "broadcast_axis"
    public static let aliases = ["broadcast_axes"]
    public let axis: [Int]
    public let size: [Int]

    public init(_ attributes: inout AttributeReader) throws {
        axis = try attributes.tuple("axis") ?? []
        size = try attributes.tuple("size") ?? []
        guard axis.count == size.count, size.allSatisfy({ $0 > 0 }) else {
            throw attributes.wrong("size", "\(size)", "positive numbers, as many as axis \(axis) has")
        }
    }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        var output = data
        for (axis, size) in zip(axis, size) {
            let index = try axisIndex(axis, of: data)
            guard data[index] == 1 else { throw AnnealError("", "axis \(axis) of \(data) is not of extent 1") }
            output[index] = size
        }
        return [try broadcast(data, to: output)]
    }
}

/// MXNet's `broadcast_like`: extents of 1 of `lhs` repeated up to those of `rhs`, along all axes or `lhs_axes`, which
/// match `rhs_axes`. `rhs` has no gradient.
public struct BroadcastLike: SymbolOperator, StridedOperator {
    public static let name = "broadcast_like"
    public let lhsAxes: [Int]?
    public let rhsAxes: [Int]?

    public init(_ attributes: inout AttributeReader) throws {
        lhsAxes = try attributes.tuple("lhs_axes")
        rhsAxes = try attributes.tuple("rhs_axes")
        guard lhsAxes?.count == rhsAxes?.count else {
            throw attributes.wrong("rhs_axes", "\(rhsAxes ?? [])", "as long as lhs_axes, \(lhsAxes ?? [])")
        }
    }

    public var inputNames: [String] { ["lhs", "rhs"] }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let lhs = inputs[0], let rhs = inputs[1] else { return nil }
        guard let lhsAxes, let rhsAxes else { return [try broadcast(lhs, to: rhs)] }
        var output = lhs
        for (left, right) in zip(lhsAxes, rhsAxes) {
            output[try axisIndex(left, of: lhs)] = rhs[try axisIndex(right, of: rhs)]
        }
        return [try broadcast(lhs, to: output)]
    }
}

extension StridedOperator {
    fileprivate func broadcast(_ data: Shape, to output: Shape) throws -> Shape {
        guard data.rank == output.rank, zip(data.dims, output.dims).allSatisfy({ $0 == $1 || $0 == 1 }) else {
            throw AnnealError("", "the shape \(data) cannot be broadcast to \(output)")
        }
        return output
    }

    fileprivate func repeating(_ data: Shape, _ output: Shape) -> StridedView {
        var view = StridedView(data)
        for axis in data.dims.indices where data[axis] == 1 { view.strides[axis] = 0 }
        view.extents = output.dims
        return view
    }
}

extension BroadcastTo {
    public func view(of data: Shape, output: Shape) -> StridedView { repeating(data, output) }
}

extension BroadcastAxis {
    public func view(of data: Shape, output: Shape) -> StridedView { repeating(data, output) }
}

extension BroadcastLike {
    public func view(of data: Shape, output: Shape) -> StridedView { repeating(data, output) }
}
